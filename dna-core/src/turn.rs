//! How long an actor's task runs before other tasks of its thread get their turn.
//!
//! A task of tokio runs until it waits. One whose messages take a millisecond of computing each, and keep coming, would have
//! its thread for itself, and what carries messages and answers would wait behind it: at a load that cannot be carried,
//! nothing would be carried. So a task goes behind the others when it has run for [`ACTOR_TURN_MAX`]. What its handlers have
//! waited counts as well: one look at the others too many costs less than a look at the clock around each handler.

use crate::{limits::ACTOR_TURN_MAX, runtime::Stopwatch};

/// How many messages there are at the most between two looks at the clock.
const STEP_MAX: u32 = 16;

/// Behind how many messages the clock is started, unless it was before: not behind the very first one, which often is the
/// only one.
const FIRST_LOOK: u32 = 2;

/// One turn of a task.
#[derive(Debug)]
pub(crate) struct Turn {
    handled: u32,
    look_at: u32,
    since: Option<Stopwatch>,
}

impl Default for Turn {
    fn default() -> Self {
        Turn { handled: 0, look_at: FIRST_LOOK, since: None }
    }
}

impl Turn {
    /// The task has waited: a turn begins.
    #[inline]
    pub(crate) fn restart(&mut self) {
        *self = Turn::default();
    }

    /// Starts the clock, since much is to be done, or each part of it may take long.
    pub(crate) fn time(&mut self) {
        if self.since.is_none() {
            self.since = Some(Stopwatch::start());
            self.look_at = self.handled + 1;
        }
    }

    /// One more message was handled: whether what else there is to do is to wait for the next turn, which begins then. The
    /// clock, which costs about as much as a quick message, is looked at behind the first ones and then now and then.
    #[inline]
    pub(crate) fn is_over(&mut self) -> bool {
        self.handled += 1;
        self.handled >= self.look_at && self.look()
    }

    fn look(&mut self) -> bool {
        match &self.since {
            None => self.since = Some(Stopwatch::start()),
            Some(since) if since.elapsed() >= ACTOR_TURN_MAX => {
                self.restart();
                return true;
            }
            Some(_) => {}
        }
        self.look_at = self.handled + (self.handled / 2).clamp(1, STEP_MAX);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{advance, pause};

    use super::*;

    /// How many messages that take so long are handled before others have their turn.
    async fn handled(mut turn: Turn, each: Duration) -> u32 {
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
        let timed = || {
            let mut turn = Turn::default();
            turn.time();
            turn
        };
        assert_eq!(handled(Turn::default(), Duration::ZERO).await, 100_000);
        assert_eq!(handled(Turn::default(), ACTOR_TURN_MAX).await, 3);
        assert_eq!(handled(timed(), ACTOR_TURN_MAX).await, 1);
        assert!((100..=100 + STEP_MAX).contains(&handled(timed(), ACTOR_TURN_MAX / 100).await));
    }

    #[tokio::test]
    async fn behind_a_turn_the_next_one_begins() {
        pause();
        let mut turn = Turn::default();
        assert!(!turn.is_over() && !turn.is_over());
        advance(ACTOR_TURN_MAX).await;
        assert!(turn.is_over());
        assert!(!turn.is_over() && !turn.is_over() && !turn.is_over(), "no time has passed since");
    }
}
