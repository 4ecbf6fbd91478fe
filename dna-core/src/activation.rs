//! An actor in memory: the user's value, and what ends with it.

use std::sync::{Arc, atomic::Ordering};

use crate::{engine::Shared, schedule::Timers};

pub(crate) struct Activation<A> {
    /// Fields are dropped in this order.
    ends: Ends,
    pub(crate) actor: A,
    /// The rows' generation that it was made of. Behind a refused commit it is void.
    pub(crate) generation: u64,
}

/// What happens when the activation is dropped, before the user's value is.
struct Ends {
    timers: Arc<Timers>,
    shared: Arc<Shared>,
}

impl<A> Activation<A> {
    pub(crate) fn new(actor: A, generation: u64, timers: Arc<Timers>, shared: Arc<Shared>) -> Box<Self> {
        shared.count_activation();
        Box::new(Activation { ends: Ends { timers, shared }, actor, generation })
    }

    /// Ends its schedules.
    pub(crate) fn stop_timers(&self) {
        self.ends.timers.stop();
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.timers.stop();
        self.shared.active.fetch_sub(1, Ordering::Relaxed);
    }
}
