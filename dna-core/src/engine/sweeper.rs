//! The node's coarse clock, and what happens by it: expired calls, tasks that rest, actors that are passivated.

use std::{sync::Arc, time::Duration};

use crate::{limits::CLOCK_TICK, meter::Publisher, runtime, slot::Review};

use super::{End, Shared};

/// How long the sweeper rests at the least, when actors above the bound wake it early.
const PAUSE: Duration = Duration::from_millis(5);

/// Ends the node with its sweeper: without one no deadline is kept.
struct EndsNode(Arc<Shared>);

impl Drop for EndsNode {
    fn drop(&mut self) {
        if let Some(engine) = self.0.engine.upgrade() {
            engine.end(End::Stopped);
        }
    }
}

/// Sweeps until the node has ended.
pub(super) async fn run(shared: Arc<Shared>) {
    let _ends = EndsNode(shared.clone());
    let mut publisher = Publisher::new();
    while !shared.has_ended() {
        // Ends early, with `Some`, where there are too many activations.
        runtime::within(CLOCK_TICK, shared.sweep.notified()).await;
        let now = shared.advance_clock();
        let press = is_pressed(&shared);
        sweep_watched(&shared, now, press);
        sweep_idle(&shared, now);
        publisher.tick(&shared, now);
        if press {
            runtime::sleep(PAUSE).await;
        }
    }
    publisher.publish(&shared);
}

/// Whether actors are to be passivated before their time.
fn is_pressed(shared: &Shared) -> bool {
    shared.surplus() > 0 || shared.cached_bytes() > shared.settings.cache_bytes_max
}

fn sweep_watched(shared: &Shared, now: u64, press: bool) {
    let mut watched = shared.take_watched();
    watched.retain(|slot| slot.sweep(now, press));
    shared.watch_again(watched);
}

fn sweep_idle(shared: &Shared, now: u64) {
    let idle_timeout = u64::try_from(shared.settings.idle_timeout.as_millis()).unwrap_or(u64::MAX);
    let mut surplus = shared.surplus();
    let mut excess_bytes = shared.cached_bytes().saturating_sub(shared.settings.cache_bytes_max);
    for _ in 0..shared.idle() {
        let Some(slot) = shared.least_recently_used() else { return };
        let press = surplus > 0 || excess_bytes > 0;
        let weak = Arc::downgrade(&slot);
        match slot.review(now, idle_timeout, press) {
            Review::Passivated { cached_bytes } => {
                surplus = surplus.saturating_sub(1);
                excess_bytes = excess_bytes.saturating_sub(cached_bytes);
            }
            Review::Gone => {}
            Review::Refreshed => shared.file_idle(weak),
            Review::Early => return shared.file_least_recent(weak),
        }
    }
}
