//! The same question answered by trying every order of every choice of what was applied: no cleverness, few operations.

use dna_core::testing::history::{Ended, Operation};

/// Whether some order explains every answer.
pub(crate) fn is_linearizable(operations: &[Operation]) -> bool {
    let operations = operations.iter().filter(|operation| operation.ended != Ended::NotApplied).collect::<Vec<_>>();
    assert!(operations.len() <= 8, "{} operations have too many orders", operations.len());
    explains(0, &operations)
}

fn explains(value: u64, left: &[&Operation]) -> bool {
    if left.iter().all(|operation| operation.ended == Ended::Unknown) {
        return true;
    }
    (0..left.len()).any(|at| {
        let next = left[at];
        let mut rest = left.to_vec();
        rest.remove(at);
        let in_time = rest.iter().all(|other| other.returned >= next.invoked);
        let after = next.action.apply(value);
        let answer_fits = matches!(next.ended, Ended::Ok(answer) if answer == after) || next.ended == Ended::Unknown;
        in_time && answer_fits && explains(after, &rest)
    })
}
