//! The receiving side of the order: which streams of which senders are bounced.
//!
//! A pure state machine for one shard.

use std::collections::HashMap;

use std::hash::Hash;

use foldhash::fast::RandomState;

/// Whose streams to a shard have come here, under which numbers.
#[derive(Debug)]
pub(crate) struct Numbers<N>(HashMap<N, Heard, RandomState>);

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// The highest number that has come.
    last: u64,
    /// All numbers up to this one are bounced.
    bounced: u64,
}

/// What is to be done with a message that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is delivered.
    Deliver,
    /// It is sent back.
    Bounce,
}

impl<N> Default for Numbers<N> {
    fn default() -> Self {
        Numbers(HashMap::default())
    }
}

impl<N: Eq + Hash + Copy> Numbers<N> {
    /// A message of this sender has come, under this number of its stream.
    pub(crate) fn arrived(&mut self, sender: N, number: u64, is_owned: bool) -> Verdict {
        self.0.entry(sender).or_default().arrived(number, is_owned)
    }

    /// The same, of a sender of whom something has come since it is a member; none, if this sender is not.
    pub(crate) fn arrived_again(&mut self, sender: N, number: u64, is_owned: bool) -> Option<Verdict> {
        self.0.get_mut(&sender).map(|heard| heard.arrived(number, is_owned))
    }

    /// A message that had been let through was not delivered after all.
    pub(crate) fn refused(&mut self, sender: N, number: u64) {
        let heard = self.0.entry(sender).or_default();
        heard.bounced = heard.bounced.max(number);
    }

    /// The shard is given away: what comes under the numbers of so far is bounced, also if the shard comes back.
    pub(crate) fn given_away(&mut self) {
        self.0.values_mut().for_each(|heard| heard.bounced = heard.last);
    }

    /// Forgets the senders that are no members any more. What comes of them is refused before it comes here.
    pub(crate) fn keep(&mut self, is_member: impl Fn(N) -> bool) {
        self.0.retain(|sender, _| is_member(*sender));
    }
}

impl Heard {
    fn arrived(&mut self, number: u64, is_owned: bool) -> Verdict {
        self.last = self.last.max(number);
        if !is_owned {
            self.bounced = self.bounced.max(number);
        }
        if number <= self.bounced { Verdict::Bounce } else { Verdict::Deliver }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_was_bounced_once_is_bounced_until_it_is_opened_anew() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.arrived('a', 1, false), Verdict::Bounce);
        assert_eq!(numbers.arrived('a', 1, true), Verdict::Bounce);
        assert_eq!(numbers.arrived('b', 1, true), Verdict::Deliver);
        assert_eq!(numbers.arrived('a', 2, true), Verdict::Deliver);
        numbers.refused('a', 2);
        assert_eq!(numbers.arrived('a', 2, true), Verdict::Bounce);
    }

    #[test]
    fn what_comes_behind_a_move_to_and_fro_is_bounced() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.arrived('a', 1, true), Verdict::Deliver);
        numbers.given_away();
        assert_eq!(numbers.arrived('a', 1, true), Verdict::Bounce);
        assert_eq!(numbers.arrived('a', 2, true), Verdict::Deliver);
        numbers.keep(|sender| sender != 'a');
        assert_eq!(numbers.arrived('a', 1, true), Verdict::Deliver);
    }
}
