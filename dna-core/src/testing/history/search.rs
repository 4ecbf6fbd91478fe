//! The search for an order of the operations on one register that explains every answer.
//!
//! It is that of J. Wing and C. Gong, "Testing and verifying concurrent objects" (Journal of Parallel and Distributed
//! Computing 17, 1993): take any operation as the next one before whose call no other that is left has ended, and go back
//! where that leads nowhere. With G. Lowe, "Testing for linearizability" (Concurrency and Computation 29, 2017), what was
//! reached once, as a set of operations and the register's value behind them, is not gone on from again.

use std::collections::HashSet;

use super::{
    bits::Bits,
    operation::{Action, Ended, Operation},
};

/// What came of the search.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An order that explains every answer.
    Order,
    /// There is none; the longest beginning of one that was met, as positions in the slice.
    None(Vec<usize>),
    /// Neither, with this many states looked at.
    GivenUp,
}

/// Looks for an order of `operations`, which are sorted by their calls, looking at `states_max` states at the most.
pub(super) fn search(operations: &[Operation], states_max: usize) -> Found {
    // What was not applied, and what was read and not told, explains nothing and needs no explanation.
    let wanted = operations.iter().enumerate().filter(|(_, operation)| match operation.ended {
        Ended::Ok(_) => true,
        Ended::NotApplied => false,
        Ended::Unknown => operation.action != Action::Read,
    });
    let (positions, operations): (Vec<_>, Vec<_>) = wanted.unzip();
    let mut left = operations.iter().filter(|operation| is_answered(operation)).count();
    let mut search = Search { operations, taken: Bits::new(positions.len()), first: 0 };
    let (mut value, mut seen) = (0, HashSet::new());
    let mut untried = vec![search.next()];
    let mut path = Vec::<(usize, u64)>::new();
    let mut longest = Vec::new();
    while left > 0 {
        let Some(at) = untried.last_mut().and_then(Vec::pop) else {
            untried.pop();
            let Some((at, before)) = path.pop() else { return Found::None(longest) };
            left += usize::from(is_answered(search.operations[at]));
            value = before;
            search.put_back(at);
            continue;
        };
        let operation = search.operations[at];
        let after = operation.action.apply(value);
        if matches!(operation.ended, Ended::Ok(answer) if answer != after) {
            continue;
        }
        search.take(at);
        if !seen.insert((search.taken.clone(), after)) {
            search.put_back(at);
            continue;
        }
        if seen.len() > states_max {
            return Found::GivenUp;
        }
        left -= usize::from(is_answered(operation));
        path.push((at, value));
        value = after;
        if path.len() > longest.len() {
            longest = path.iter().map(|(at, _)| positions[*at]).collect();
        }
        untried.push(search.next());
    }
    Found::Order
}

fn is_answered(operation: &Operation) -> bool {
    matches!(operation.ended, Ended::Ok(_))
}

struct Search<'a> {
    operations: Vec<&'a Operation>,
    taken: Bits,
    /// All before this one are taken.
    first: usize,
}

impl Search<'_> {
    fn take(&mut self, at: usize) {
        self.taken.insert(at);
        while self.first < self.operations.len() && self.taken.contains(self.first) {
            self.first += 1;
        }
    }

    fn put_back(&mut self, at: usize) {
        self.taken.remove(at);
        self.first = self.first.min(at);
    }

    /// What may be next, the best guess last: what was answered goes before what may never have been applied.
    fn next(&self) -> Vec<usize> {
        let (mut answered, mut unknown) = (Vec::new(), Vec::<usize>::new());
        let mut first_end = u64::MAX;
        for at in self.first..self.operations.len() {
            let operation = self.operations[at];
            if operation.invoked > first_end {
                break;
            }
            if self.taken.contains(at) {
                continue;
            }
            if is_answered(operation) {
                first_end = first_end.min(operation.returned);
                answered.push(at);
            } else if unknown.iter().all(|&other| self.operations[other].action != operation.action) {
                // Of several that do the same and have no end, the one called first stands for all.
                unknown.push(at);
            }
        }
        unknown.extend(answered.into_iter().rev());
        unknown
    }
}
