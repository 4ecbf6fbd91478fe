//! How long an actor's task runs before other tasks of its thread get their turn.
//!
//! A task of tokio runs until it waits. One whose messages take a millisecond of computing each, and keep coming, would have
//! its thread for itself, and what carries messages and answers would wait behind it: at a load that cannot be carried,
//! nothing would be carried. So a task goes behind the others when it has run for [`TURN`].

use crate::{limits::TURN, runtime::Stopwatch};

/// How many messages there are at the most between two looks at the clock.
const STEP_MAX: u32 = 64;

/// One turn of a task.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    handled: u32,
    look_at: u32,
    since: Option<Stopwatch>,
}

impl Turn {
    /// The task has waited: a turn begins.
    #[inline]
    pub(crate) fn restart(&mut self) {
        (self.handled, self.look_at) = (0, FIRST_LOOK);
    }

    /// One more message was handled: whether what else there is to do is to wait for the next turn, which begins then. The
    /// clock, which costs about as much as a quick message, is looked at behind the first ones and then now and then; not
    /// behind the very first one, which often is the only one.
    #[inline]
    pub(crate) fn is_over(&mut self) -> bool {
        self.handled += 1;
        self.handled >= self.look_at && self.look()
    }

    fn look(&mut self) -> bool {
        if self.handled <= FIRST_LOOK {
            self.since = Some(Stopwatch::start());
        } else if self.since.is_some_and(|since| since.elapsed() >= TURN) {
            self.restart();
            return true;
        }
        self.look_at = self.handled + (self.handled / 2).clamp(1, STEP_MAX);
        false
    }
}

/// How many messages it takes for the clock to be started.
const FIRST_LOOK: u32 = 2;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{advance, pause};

    use super::*;

    /// How many messages that take so long are handled before others have their turn.
    async fn handled(each: Duration) -> u32 {
        let mut turn = Turn::default();
        let mut handled = 0;
        while handled < 100_000 {
            advance(each).await;
            handled += 1;
            if turn.is_over() {
                break;
            }
        }
        handled
    }

    #[tokio::test]
    async fn a_turn_ends_by_time_and_not_by_messages() {
        pause();
        assert_eq!(handled(Duration::ZERO).await, 100_000);
        assert!(handled(TURN * 10).await <= 3);
        assert!(handled(TURN).await <= 3);
        let many = TURN / 100;
        assert!((100..=102 + STEP_MAX).contains(&handled(many).await));
    }

    #[tokio::test]
    async fn behind_a_turn_the_next_one_begins() {
        pause();
        let mut turn = Turn::default();
        assert!(!turn.is_over() && !turn.is_over());
        advance(TURN).await;
        assert!(turn.is_over());
        assert!(!turn.is_over() && !turn.is_over() && !turn.is_over(), "no time has passed since");
    }
}
