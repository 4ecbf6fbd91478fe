//! Load: threads that call a process, one call after the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use dna_core::testing::history::{Action, Ended};

use crate::process::{Answer, Process};

/// Threads that call, until they are told to end.
pub(crate) struct Load {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Called>>>,
}

/// One call and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    pub(crate) answer: Answer,
}

/// How long a thread waits after a call that was refused.
const PAUSE: Duration = Duration::from_millis(10);

impl Load {
    /// Each register has two threads that call it, most of the time to add one.
    pub(crate) fn start(process: &Process, registers: &[String]) -> Self {
        Load::with_mix(process, registers, |_, number| number % 3 == 2)
    }

    /// The same, but one of them is only read: no commit that is not answered holds the answers of its reads back.
    pub(crate) fn start_with_reads_of(read: &str, process: &Process, registers: &[String]) -> Self {
        let read = read.to_owned();
        Load::with_mix(process, registers, move |register, number| register == read || number % 3 == 2)
    }

    fn with_mix(
        process: &Process,
        registers: &[String],
        reads: impl Fn(&str, u64) -> bool + Clone + Send + 'static,
    ) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let callers = registers.iter().flat_map(|register| [(register.clone(), 0), (register.clone(), 1)]);
        let threads = callers.map(|(register, turn)| {
            let (process, ends, reads) = (process.clone(), ends.clone(), reads.clone());
            thread::spawn(move || call(&process, &register, turn, |number| reads(&register, number), &ends))
        });
        Load { threads: threads.collect(), ends }
    }

    /// Nothing is called any more but what is on its way.
    pub(crate) fn stop(&self) {
        self.ends.store(true, Ordering::SeqCst);
    }

    /// Ends it once what is on its way is answered: what was called.
    pub(crate) fn end(mut self) -> Vec<Called> {
        self.stop();
        std::mem::take(&mut self.threads).into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
    }
}

fn call(process: &Process, register: &str, turn: u64, reads: impl Fn(u64) -> bool, ends: &AtomicBool) -> Vec<Called> {
    let mut called = Vec::new();
    for number in turn.. {
        if ends.load(Ordering::SeqCst) || process.has_ended() {
            break;
        }
        let action = if reads(number) { Action::Read } else { Action::Add(1) };
        let at = Instant::now();
        let answer = process.call(register, action);
        if !matches!(answer.ended, Ended::Ok(_)) {
            thread::sleep(PAUSE);
        }
        called.push(Called { at, took: at.elapsed(), answer });
    }
    called
}
