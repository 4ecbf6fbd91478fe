//! The receiving side of the order: which streams of which senders are bounced.
//!
//! A pure state machine for one shard.

use std::{collections::HashMap, hash::Hash};

use crate::seam::RandomState;

/// Whose streams to a shard have come here, under which numbers.
#[derive(Debug)]
pub(crate) struct Numbers<N>(HashMap<N, Heard, RandomState>);

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// The highest number that has come.
    last: u64,
    /// All numbers up to this one are bounced.
    bounced: u64,
    /// The version of the view by which it says to be a member, where that was not known here.
    member_by: u64,
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
    /// A message of this sender, which is a member, has come under this number of its stream.
    pub(crate) fn arrived(&mut self, sender: N, number: u64, is_owned: bool) -> Verdict {
        let heard = self.0.entry(sender).or_default();
        heard.member_by = 0;
        heard.arrived(number, is_owned)
    }

    /// The same, of a sender of whom something has come since it is a member; none, if this sender is not.
    pub(crate) fn arrived_again(&mut self, sender: N, number: u64, is_owned: bool) -> Option<Verdict> {
        let heard = self.0.get_mut(&sender).filter(|heard| heard.member_by == 0)?;
        Some(heard.arrived(number, is_owned))
    }

    /// A message has come of a sender that is not known to be a member, but says that it is one by this version of the view.
    /// It is sent back, and so is what comes behind it, also once the sender is known.
    pub(crate) fn arrived_of_unknown(&mut self, sender: N, number: u64, view: u64) {
        let heard = self.0.entry(sender).or_default();
        heard.arrived(number, false);
        heard.member_by = heard.member_by.max(view).max(1);
    }

    /// A message that had been let through was not delivered after all.
    pub(crate) fn refused(&mut self, sender: N, number: u64) {
        // One that is no member any more sends nothing that would be let through.
        if let Some(heard) = self.0.get_mut(&sender) {
            heard.bounced = heard.bounced.max(number);
        }
    }

    /// The shard is given away: what comes under the numbers of so far is bounced, also if the shard comes back.
    pub(crate) fn given_away(&mut self) {
        self.0.values_mut().for_each(|heard| heard.bounced = heard.last);
    }

    /// Forgets the senders that are no members any more by the view of this version. What comes of them is sent back before
    /// it is looked up.
    pub(crate) fn keep(&mut self, version: u64, is_member: impl Fn(N) -> bool) {
        self.0.retain(|sender, heard| is_member(*sender) || heard.member_by > version);
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
        numbers.keep(7, |sender| sender != 'a');
        assert_eq!(numbers.arrived('a', 1, true), Verdict::Deliver);
    }

    #[test]
    fn what_comes_behind_a_message_of_a_sender_that_was_not_known_yet_is_bounced() {
        let mut numbers = Numbers::default();
        numbers.arrived_of_unknown('a', 1, 9);
        numbers.keep(8, |_| false);
        assert_eq!(numbers.arrived_again('a', 2, true), None, "nobody has said yet that it is a member");
        numbers.keep(9, |_| true);
        assert_eq!(numbers.arrived('a', 1, true), Verdict::Bounce);
        assert_eq!(numbers.arrived('a', 2, true), Verdict::Deliver);
        numbers.keep(9, |_| false);
        assert_eq!(numbers.arrived('a', 1, true), Verdict::Deliver);
    }
}
