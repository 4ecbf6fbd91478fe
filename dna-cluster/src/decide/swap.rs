//! A swap of the view that was not answered: what then.

/// What to do after a swap that was not answered. See [`settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NextSwap {
    /// Send the very same swap again: it may still be on its way, and only a swap of this version ends that.
    SendAgain,
    /// It is in or never will be: decide anew from what the view says now.
    DecideAnew,
}

/// What to do after a swap of version `expected` without an answer, now that the view was read at version `current`.
pub fn settle(expected: u64, current: u64) -> NextSwap {
    if current <= expected { NextSwap::SendAgain } else { NextSwap::DecideAnew }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_without_an_answer_is_repeated_until_the_version_moves_on() {
        for (expected, current, next) in [
            (0, 0, NextSwap::SendAgain),
            (7, 7, NextSwap::SendAgain),
            (7, 6, NextSwap::SendAgain),
            (7, 8, NextSwap::DecideAnew),
            (7, 100, NextSwap::DecideAnew),
        ] {
            assert_eq!(settle(expected, current), next, "expected {expected}, found {current}");
        }
    }
}
