//! Who waits for room for a message: each task once for each counter, the first ones first.

use std::{collections::BTreeMap, ptr, task::Waker};

/// Those who wait, by the counter that they wait at.
///
/// Nobody says that he has gone: who stopped waiting is kept until he is woken, in vain.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queues: BTreeMap<usize, Queue>,
    len: usize,
    /// Whose turn it is: that of the first counter from this one on.
    turn: usize,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    in_order: BTreeMap<u64, Waker>,
    tasks: BTreeMap<Task, u64>,
}

/// Two wakers with the same of this wake the same task. The waker that is kept keeps it from being another's.
type Task = (usize, usize);

fn task(waker: &Waker) -> Task {
    (waker.data().addr(), ptr::from_ref(waker.vtable()).addr())
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// At how many counters somebody waits.
    pub(super) fn counters(&self) -> usize {
        self.queues.len()
    }

    /// A task waits at a counter. One that does already keeps its place.
    pub(super) fn add(&mut self, counter: usize, waker: &Waker) {
        let queue = self.queues.entry(counter).or_default();
        let place = queue.next;
        if *queue.tasks.entry(task(waker)).or_insert(place) == place {
            queue.next += 1;
            queue.in_order.insert(place, waker.clone());
            self.len += 1;
        }
    }

    /// Takes out so many of those who wait at a counter.
    pub(super) fn take(&mut self, counter: usize, count: usize, taken: &mut Vec<Waker>) {
        let Some(queue) = self.queues.get_mut(&counter) else { return };
        for _ in 0..count {
            let Some((_, waker)) = queue.in_order.pop_first() else { break };
            queue.tasks.remove(&task(&waker));
            self.len -= 1;
            taken.push(waker);
        }
        if queue.in_order.is_empty() {
            self.queues.remove(&counter);
        }
    }

    /// Takes out all.
    pub(super) fn take_all(&mut self, taken: &mut Vec<Waker>) {
        self.len = 0;
        taken.extend(std::mem::take(&mut self.queues).into_values().flat_map(|queue| queue.in_order.into_values()));
    }

    /// The next counter that somebody waits at.
    pub(super) fn next_counter(&mut self) -> Option<usize> {
        let (counter, _) = self.queues.range(self.turn..).next().or_else(|| self.queues.first_key_value())?;
        self.turn = counter.wrapping_add(1);
        Some(*counter)
    }
}
