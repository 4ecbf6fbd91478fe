//! The check of a whole history, register by register: a history is linearizable if that of every register is (M. Herlihy
//! and J. Wing, "Linearizability: a correctness condition for concurrent objects", 1990).

use super::{
    operation::{Ended, History, Operation},
    search::{Found, search},
    violation::Violation,
};

/// How many states the search looks at before it gives up: some hundred megabytes of them.
const STATES_MAX: usize = 2_000_000;

/// Why a history is not shown to be linearizable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It is not.
    #[error(transparent)]
    Violation(Box<Violation>),
    /// It may be or not: too many operations are concurrent or of unknown outcome.
    #[error(
        "register `{register}`: neither explained nor refuted with {STATES_MAX} states looked at; let fewer of its \
         {operations} operations overlap, of which {unknown} have an unknown outcome"
    )]
    TooMany { register: String, operations: usize, unknown: usize },
}

/// Checks that every answer of the history can be explained.
///
/// # Errors
/// [`CheckError`]: the first register that is not linearizable, with the first answer on it that nothing explains.
pub fn check(history: &History) -> Result<(), CheckError> {
    history.registers().try_for_each(|(register, operations)| check_register(register, operations, STATES_MAX))
}

pub(super) fn check_register(register: &str, operations: &[Operation], states_max: usize) -> Result<(), CheckError> {
    let too_many = || {
        let unknown = operations.iter().filter(|operation| operation.ended == Ended::Unknown).count();
        CheckError::TooMany { register: register.to_owned(), operations: operations.len(), unknown }
    };
    match search(operations, states_max) {
        Found::Order => return Ok(()),
        Found::GivenUp => return Err(too_many()),
        Found::None(_) => {}
    }
    // Every beginning of a linearizable history is linearizable: so there is one first answer that nothing explains.
    let mut ends = operations.iter().filter(|operation| matches!(operation.ended, Ended::Ok(_))).collect::<Vec<_>>();
    ends.sort_by_key(|operation| operation.returned);
    let explained = ends.partition_point(|end| search(&until(operations, end.returned), states_max) == Found::Order);
    let beginning = until(operations, ends[explained].returned);
    match search(&beginning, states_max) {
        Found::None(order) => {
            Err(CheckError::Violation(Box::new(Violation::new(register, beginning, order, ends[explained].clone()))))
        }
        Found::Order | Found::GivenUp => Err(too_many()),
    }
}

/// What was known of the operations at a moment.
fn until(operations: &[Operation], moment: u64) -> Vec<Operation> {
    let begun = operations.iter().filter(|operation| operation.invoked <= moment).cloned();
    begun
        .map(|operation| match operation.ended {
            Ended::Ok(_) if operation.returned > moment => {
                Operation { ended: Ended::Unknown, returned: u64::MAX, ..operation }
            }
            _ => operation,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::operation::Action, *};

    fn operation(action: Action, ended: Ended, invoked: u64, returned: u64) -> Operation {
        Operation { process: "a".to_owned(), action, ended, invoked, returned }
    }

    #[test]
    fn what_is_too_much_to_search_is_an_error_of_its_own() {
        let mut operations =
            (0..20).map(|n| operation(Action::Add(1 << n), Ended::Unknown, n, u64::MAX)).collect::<Vec<_>>();
        operations.push(operation(Action::Read, Ended::Ok(1 << 20), 30, 31));
        assert_eq!(
            check_register("r", &operations, 1_000),
            Err(CheckError::TooMany { register: "r".to_owned(), operations: 21, unknown: 20 })
        );
        operations.truncate(10);
        operations.push(operation(Action::Read, Ended::Ok((1 << 10) - 1), 30, 31));
        assert_eq!(check_register("r", &operations, 10_000), Ok(()));
    }
}
