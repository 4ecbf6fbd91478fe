//! Random messages to several actors at once, and what they do to a plain map: the same answers, and the same state
//! after failing commits, passivations, and nodes that end in the midst of it.
//!
//! `DNA_MODEL_SEED` repeats a run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::panic_in_result_fn,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests"
)]

mod ground;
mod reference;
mod shelf;
mod visitor;

#[path = "../../../dna-storage/examples/fifo_queue/bounded_queue.rs"]
pub mod bounded_queue;
#[path = "../support/rng.rs"]
mod rng;

use dna::{Memory, Node, prelude::Durability};
use futures_util::FutureExt;
use tokio::{sync::mpsc, task::JoinSet};

use ground::Ground;
use rng::Rng;
use shelf::Shelf;
use visitor::Visitor;

const ACTORS: [&str; 4] = ["ash", "beech", "cedar", "damson"];

/// How a node ends, and with what its actors go on.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// Not at all: its actors are passivated.
    Passivation,
    Shutdown,
    /// It is dropped while messages are under way.
    Drop,
    /// A write of its store fails while messages are under way.
    Poisoning,
}

/// Lets the actors be visited until `operations` have been done.
async fn run(mut ground: Ground, operations: u64) {
    silence_panics();
    let mut rng = Rng::new(Rng::seed("DNA_MODEL_SEED"));
    let mut visitors = ACTORS.map(|name| Visitor::new(name, rng.number())).into_iter().collect::<Vec<_>>();
    let (mut done, mut phases) = (0, 0);
    let mut node = None;
    while done < operations {
        phases += 1;
        let ending = match rng.below(6) {
            0..2 => Ending::Passivation,
            2 => Ending::Shutdown,
            3..5 => Ending::Drop,
            _ => Ending::Poisoning,
        };
        let running = match node.take() {
            Some(node) => node,
            None => ground.start(&mut rng).await,
        };
        (visitors, node) = phase(visitors, running, &ground, ending, &mut rng).await;
        done = visitors.iter().map(|visitor| visitor.operations).sum();
    }
    let running = match node {
        Some(node) => node,
        None => ground.start(&mut rng).await,
    };
    for visitor in &mut visitors {
        visitor.compare(&running.client::<Shelf>(visitor.name)).await;
    }
    running.shutdown().await.unwrap();
    println!("{done} operations in {phases} phases");
}

/// All visitors at once, on one node, with this at the end. Answers the node if it still runs.
async fn phase(
    visitors: Vec<Visitor>,
    node: Node,
    ground: &Ground,
    ending: Ending,
    rng: &mut Rng,
) -> (Vec<Visitor>, Option<Node>) {
    let (pulse, mut pulses) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for mut visitor in visitors {
        let (shelf, pulse) = (node.client::<Shelf>(visitor.name), pulse.clone());
        tasks.spawn(async move {
            visitor.visit(shelf, pulse).await;
            visitor
        });
    }
    drop(pulse);
    // Pulses until the node is ended, or 0 when that is done.
    let mut end_after = 2 + rng.below(100);
    let mut node = Some(node);
    while pulses.recv().await.is_some() {
        let Some(running) = &node else { continue };
        if rng.once_in(8) {
            // One poll marks the actors; what is at work is passivated when it is idle.
            let _ = running.passivate_all().now_or_never();
        }
        ground.trouble(rng, matches!(ending, Ending::Passivation | Ending::Shutdown));
        end_after = end_after.saturating_sub(1);
        match ending {
            Ending::Drop if end_after == 0 => node = None,
            Ending::Poisoning if end_after == 1 => {
                end_after = 0;
                ground.poison(rng);
            }
            _ => {}
        }
    }
    let visitors = tasks.join_all().await;
    ground.calm();
    match (ending, node) {
        (Ending::Poisoning, Some(node)) => {
            // Another actor's commit meets what was prepared, if none of theirs has.
            if end_after > 0 {
                ground.poison(rng);
            }
            while node.client::<Shelf>("elder").put("a", 1).await.is_ok() {}
            (visitors, None)
        }
        (Ending::Passivation, Some(node)) => {
            node.passivate_all().await;
            (visitors, Some(node))
        }
        (Ending::Shutdown, Some(node)) => {
            node.shutdown().await.unwrap();
            (visitors, None)
        }
        _ => (visitors, None),
    }
}

/// Keeps the panics that a message asks for out of the output.
fn silence_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload_as_str() != Some(shelf::PANIC) {
                loud(panic);
            }
        }));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actors_on_the_memory_store_do_what_a_map_does_whatever_fails() {
    run(Ground::Memory(Memory::new()), 100_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actors_on_the_embedded_store_do_what_a_map_does_whatever_fails() {
    run(Ground::embedded(Durability::Buffered), 100_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actors_on_the_synced_embedded_store_do_what_a_map_does_whatever_fails() {
    run(Ground::embedded(Durability::Fsync), 10_000).await;
}
