//! An actor in memory: the user's value, and what ends with it.

use std::sync::Arc;

use crate::{meter::KindMeter, schedule::Timers};

/// Its fields are dropped in this order.
pub(crate) struct Activation<A> {
    schedules: Schedules,
    pub(crate) actor: A,
    /// The rows' generation that it was made of. Behind a refused commit it is void.
    pub(crate) generation: u64,
    _active: Active,
}

/// End before the user's value is dropped.
struct Schedules(Arc<Timers>);

impl Drop for Schedules {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Counts the activation until the user's value has been dropped.
struct Active(Arc<KindMeter>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.uncount_activation();
    }
}

impl<A> Activation<A> {
    pub(crate) fn new(actor: A, generation: u64, timers: Arc<Timers>, meter: Arc<KindMeter>) -> Box<Self> {
        meter.count_activation();
        Box::new(Activation { schedules: Schedules(timers), actor, generation, _active: Active(meter) })
    }

    /// Ends its schedules.
    pub(crate) fn stop_timers(&self) {
        self.schedules.0.stop();
    }
}
