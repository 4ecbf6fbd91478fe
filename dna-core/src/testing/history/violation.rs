//! A history that nothing explains, for whoever has to find out why.

use std::{error::Error, fmt};

use super::operation::{Ended, Operation};

/// How many operations of the order are shown.
const SHOWN_MAX: usize = 12;

/// An answer that no order of the operations explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The register.
    pub register: String,
    /// The first answer that nothing explains: up to the one before, the history is linearizable.
    pub answer: Operation,
    /// What had been called until then.
    operations: Vec<Operation>,
    /// The longest order that explains some of it, as positions.
    order: Vec<usize>,
}

impl Error for Violation {}

impl Violation {
    pub(super) fn new(register: &str, operations: Vec<Operation>, order: Vec<usize>, answer: Operation) -> Self {
        Violation { register: register.to_owned(), answer, operations, order }
    }

    /// What stands in the register behind the order.
    fn value(&self) -> u64 {
        self.order.iter().fold(0, |value, &at| self.operations[at].action.apply(value))
    }

    /// What is left of the operations, and could come next.
    fn left(&self) -> Vec<&Operation> {
        let all = self.operations.iter().enumerate();
        let left = all.filter(|(at, operation)| operation.ended != Ended::NotApplied && !self.order.contains(at));
        let left = left.map(|(_, operation)| operation).collect::<Vec<_>>();
        let first_end = left.iter().map(|operation| operation.returned).min().unwrap_or(u64::MAX);
        left.into_iter().filter(|operation| operation.invoked <= first_end).collect()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { register, answer, .. } = self;
        writeln!(f, "register `{register}` is not linearizable: nothing explains the answer")?;
        writeln!(f, "  {answer}")?;
        writeln!(f, "The longest order that explains what was answered before:")?;
        let hidden = self.order.len().saturating_sub(SHOWN_MAX);
        if hidden > 0 {
            writeln!(f, "  … {hidden} operations")?;
        }
        for &at in &self.order[hidden..] {
            writeln!(f, "  {}", self.operations[at])?;
        }
        let value = self.value();
        writeln!(f, "Behind it {value} stands there, and none of these can be next:")?;
        for operation in self.left() {
            match operation.ended {
                Ended::Ok(_) => {
                    let after = operation.action.apply(value);
                    write!(f, "  {operation}, where {value} stood")?;
                    if after != value {
                        write!(f, ", which makes it {after}")?;
                    }
                    writeln!(f)?;
                }
                _ => writeln!(f, "  {operation}: explains nothing either")?,
            }
        }
        Ok(())
    }
}
