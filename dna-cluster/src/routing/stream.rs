//! The sending side of the order: all that this node sends to one shard, as a stream with a number.
//!
//! What a node that does not own the shard is sent, it sends back ("bounces"), and goes on doing so for this number of the
//! stream, also if it comes to own the shard meanwhile. So nothing overtakes what was sent back before it. The stream is
//! opened anew, under the next number, only when nothing of it is outstanding: when all that was sent is answered, sent
//! back, or given up for lost. What was sent back then goes first, in its order.
//!
//! A pure state machine: no input, no output, no clock.

use std::collections::VecDeque;

/// All that this node sends to one shard.
#[derive(Debug)]
pub(crate) struct Stream<N, M> {
    phase: Phase<N>,
    /// Under which the stream was last opened.
    number: u64,
    /// The next message's.
    next_id: u64,
    /// What has been sent, or was sent back, by their ids, and so in order. The first one is not gone.
    sent: VecDeque<(u64, Sent<M>)>,
    /// How many of these are without an answer.
    outstanding: usize,
    /// How many of these are gone.
    gone: usize,
    /// What was not sent yet.
    waiting: VecDeque<M>,
    /// How many of these, at the front, stood in mailboxes of this node when the shard was given away.
    returned: usize,
}

/// Where a stream leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase<N> {
    /// Nowhere: messages wait.
    Closed,
    /// To this node.
    Open(N),
    /// To the actors of this node: messages do not come by here.
    Here,
}

#[derive(Debug)]
enum Sent<M> {
    Out(M),
    Back(M),
    /// It has had its answer.
    Gone,
}

/// How many have to be sent before those are looked for that are gone.
const SENT_MIN: usize = 64;

/// What is to be done with a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Push<N, M> {
    /// It is to be sent there.
    Send(Departure<N, M>),
    /// It waits.
    Waits,
    /// It is for this node's own actors.
    Here(M),
}

/// A message on its way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Departure<N, M> {
    /// Where to.
    pub(crate) node: N,
    /// The stream's number.
    pub(crate) number: u64,
    /// Under which its fate is told.
    pub(crate) id: u64,
    /// The message.
    pub(crate) message: M,
}

impl<N: Copy + PartialEq, M: Clone> Stream<N, M> {
    /// A closed stream. Numbers begin at 1.
    pub(crate) fn new() -> Self {
        Stream {
            phase: Phase::Closed,
            number: 0,
            next_id: 0,
            sent: VecDeque::new(),
            outstanding: 0,
            gone: 0,
            waiting: VecDeque::new(),
            returned: 0,
        }
    }

    pub(crate) fn phase(&self) -> Phase<N> {
        self.phase
    }

    /// Whether nothing that was sent is without an answer.
    pub(crate) fn is_settled(&self) -> bool {
        self.outstanding == 0
    }

    /// Whether something is to be sent, or sent again.
    pub(crate) fn waits(&self) -> bool {
        !self.waiting.is_empty() || self.came_back() > 0
    }

    /// How many messages were sent back, and are to be sent again.
    pub(crate) fn came_back(&self) -> usize {
        self.sent.len() - self.outstanding - self.gone
    }

    /// A message that is to go the way of the stream.
    pub(crate) fn push(&mut self, message: M) -> Push<N, M> {
        match self.phase {
            Phase::Here => Push::Here(message),
            Phase::Closed => {
                self.waiting.push_back(message);
                Push::Waits
            }
            Phase::Open(node) => Push::Send(self.depart(node, message)),
        }
    }

    /// A message that stood in a mailbox of this node when the shard was given away: it goes before what came since.
    pub(crate) fn push_returned(&mut self, message: M) {
        self.waiting.insert(self.returned, message);
        self.returned += 1;
    }

    fn depart(&mut self, node: N, message: M) -> Departure<N, M> {
        let id = self.next_id;
        self.next_id += 1;
        self.sent.push_back((id, Sent::Out(message.clone())));
        self.outstanding += 1;
        Departure { node, number: self.number, id, message }
    }

    /// What was sent with this id. Most ids follow each other without a gap.
    fn find(&mut self, id: u64) -> Option<&mut Sent<M>> {
        let first = self.sent.front()?.0;
        let near = usize::try_from(id.checked_sub(first)?).ok()?;
        let at = match self.sent.get(near) {
            Some((found, _)) if *found == id => near,
            _ => self.sent.binary_search_by_key(&id, |(id, _)| *id).ok()?,
        };
        self.sent.get_mut(at).map(|(_, sent)| sent)
    }

    /// One more is gone. Keeps no more of them than of the others, so that one that has no answer for long costs nothing.
    fn forget_gone(&mut self) {
        self.gone += 1;
        while let Some((_, Sent::Gone)) = self.sent.front() {
            self.sent.pop_front();
            self.gone -= 1;
        }
        if self.sent.len() >= SENT_MIN && self.gone * 2 > self.sent.len() {
            self.sent.retain(|(_, sent)| !matches!(sent, Sent::Gone));
            self.gone = 0;
        }
    }

    /// The message with this id, if it is without an answer.
    pub(crate) fn outstanding(&mut self, id: u64) -> Option<&M> {
        match self.find(id)? {
            Sent::Out(message) => Some(message),
            Sent::Back(_) | Sent::Gone => None,
        }
    }

    /// The message with this id has had its answer, or is lost: it will not be sent again.
    pub(crate) fn settled(&mut self, id: u64) -> Option<M> {
        let sent = self.find(id).filter(|sent| matches!(sent, Sent::Out(_)))?;
        let Sent::Out(message) = std::mem::replace(sent, Sent::Gone) else { return None };
        self.outstanding -= 1;
        self.forget_gone();
        Some(message)
    }

    /// The message with this id was not handled, and never will be under this number. Closes the stream.
    pub(crate) fn bounced(&mut self, id: u64) {
        if let Some(sent) = self.find(id)
            && let Sent::Out(message) = sent
        {
            *sent = Sent::Back(message.clone());
            self.outstanding -= 1;
            self.close();
        }
    }

    /// Sends nothing more for now.
    pub(crate) fn close(&mut self) {
        self.phase = Phase::Closed;
    }

    /// Opens a closed stream that is settled, under the next number: all that waits is to be sent.
    pub(crate) fn open(&mut self, node: N) -> Vec<Departure<N, M>> {
        let waiting = self.reopen(Phase::Open(node));
        self.number += 1;
        waiting.into_iter().map(|message| self.depart(node, message)).collect()
    }

    /// Has a closed stream that is settled lead to this node's own actors: all that waits is for them.
    pub(crate) fn open_here(&mut self) -> Vec<M> {
        self.reopen(Phase::Here)
    }

    fn reopen(&mut self, phase: Phase<N>) -> Vec<M> {
        assert!(
            self.phase == Phase::Closed && self.is_settled(),
            "a stream is opened when nothing of it is outstanding"
        );
        self.phase = phase;
        self.returned = 0;
        self.gone = 0;
        let back = std::mem::take(&mut self.sent).into_iter().filter_map(|(_, sent)| match sent {
            Sent::Back(message) => Some(message),
            Sent::Out(_) | Sent::Gone => None,
        });
        back.chain(std::mem::take(&mut self.waiting)).collect()
    }

    /// Takes out what is not on its way and `is_over` says of.
    pub(crate) fn take_out(&mut self, mut is_over: impl FnMut(&M) -> bool) -> Vec<M> {
        let mut over = Vec::new();
        for (_, sent) in &mut self.sent {
            if let Sent::Back(message) = sent
                && is_over(message)
            {
                over.push(message.clone());
                *sent = Sent::Gone;
            }
        }
        self.sent.retain(|(_, sent)| !matches!(sent, Sent::Gone));
        self.gone = 0;
        let mut place = 0;
        let mut returned = self.returned;
        self.waiting.retain(|message| {
            let is_returned = place < self.returned;
            place += 1;
            let goes = is_over(message);
            if goes {
                over.push(message.clone());
                returned -= usize::from(is_returned);
            }
            !goes
        });
        self.returned = returned;
        over
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::routing::numbers::{Numbers, Verdict};

    type Plain = Stream<u8, u32>;

    fn messages(departures: Vec<Departure<u8, u32>>) -> Vec<u32> {
        departures.into_iter().map(|departure| departure.message).collect()
    }

    #[test]
    fn what_was_sent_back_goes_first_and_in_its_order() {
        let mut stream = Plain::new();
        assert!(stream.open(1).is_empty() && !stream.waits());
        let ids: Vec<u64> = (0..4)
            .map(|message| match stream.push(message) {
                Push::Send(departure) => departure.id,
                other => panic!("{other:?}"),
            })
            .collect();
        stream.bounced(ids[2]);
        assert_eq!(stream.push(4), Push::Waits);
        assert_eq!(stream.settled(ids[0]), Some(0));
        stream.bounced(ids[1]);
        assert!(!stream.is_settled());
        stream.bounced(ids[3]);
        assert!(stream.is_settled());
        assert_eq!(messages(stream.open(2)), [1, 2, 3, 4]);
    }

    #[test]
    fn what_stood_in_mailboxes_goes_before_what_came_since() {
        let mut stream = Plain::new();
        assert!(stream.open_here().is_empty());
        assert_eq!(stream.push(0), Push::Here(0));
        stream.close();
        assert_eq!(stream.push(3), Push::Waits);
        stream.push_returned(1);
        stream.push_returned(2);
        assert_eq!(stream.take_out(|message| *message == 1), [1]);
        stream.push_returned(2);
        assert_eq!(messages(stream.open(2)), [2, 2, 3]);
    }

    #[test]
    fn what_is_lost_is_not_sent_again() {
        let mut stream = Plain::new();
        stream.open(1);
        let Push::Send(first) = stream.push(1) else { panic!("it is open") };
        let Push::Send(second) = stream.push(2) else { panic!("it is open") };
        stream.close();
        assert_eq!(stream.settled(first.id), Some(1));
        stream.bounced(second.id);
        assert_eq!(stream.settled(second.id), None, "it was sent back already");
        assert_eq!(messages(stream.open(1)), [2]);
        assert!(!stream.waits() && !stream.is_settled());
    }

    /// What happens next.
    #[derive(Debug, Clone)]
    enum Step {
        Send,
        /// The oldest message that is on its way to this node arrives.
        Arrive(u8),
        /// Its answer comes back.
        Return(usize),
        /// The connection breaks: nothing that is on its way there arrives any more.
        Break(u8),
        /// The shard moves.
        Move(u8),
        /// The sender hears of it.
        Hear,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Send),
            4 => (0..3_u8).prop_map(Step::Arrive),
            4 => (0..8_usize).prop_map(Step::Return),
            1 => (0..3_u8).prop_map(Step::Break),
            1 => (0..3_u8).prop_map(Step::Move),
            2 => Just(Step::Hear),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        /// Over moves to and fro, late answers and cut connections: the messages are handled in the order in which they
        /// were sent, each once at the most, and each that was not lost in the end.
        #[test]
        fn messages_are_handled_in_order_and_once(steps in steps()) {
            let mut stream = Plain::new();
            let mut nodes: Vec<Numbers<u8>> = (0..3).map(|_| Numbers::default()).collect();
            let mut wires: HashMap<u8, VecDeque<Departure<u8, u32>>> = HashMap::new();
            let (mut owner, mut heard) = (0_u8, 0_u8);
            let mut answers: Vec<(u64, bool)> = Vec::new();
            let (mut handled, mut lost) = (Vec::new(), Vec::new());
            let mut sent = 0_u32;
            let reopen = |stream: &mut Plain, heard: u8, wires: &mut HashMap<u8, VecDeque<_>>| {
                if matches!(stream.phase(), Phase::Open(node) if node != heard) {
                    stream.close();
                }
                if stream.phase() == Phase::Closed && stream.is_settled() {
                    wires.entry(heard).or_default().extend(stream.open(heard));
                }
            };
            let arrive = |node: u8, owner: u8, nodes: &mut Vec<Numbers<u8>>, wires: &mut HashMap<u8, VecDeque<Departure<u8, u32>>>,
                          answers: &mut Vec<(u64, bool)>, handled: &mut Vec<u32>| {
                let Some(departure) = wires.entry(node).or_default().pop_front() else { return };
                let verdict = nodes[usize::from(node)].arrived(9, departure.number, node == owner);
                if verdict == Verdict::Deliver {
                    handled.push(departure.message);
                }
                answers.push((departure.id, verdict == Verdict::Deliver));
            };
            let settle = |stream: &mut Plain, (id, was_handled): (u64, bool)| {
                if was_handled {
                    stream.settled(id);
                } else {
                    stream.bounced(id);
                }
            };
            for step in steps {
                match step {
                    Step::Send => {
                        if let Push::Send(departure) = stream.push(sent) {
                            wires.entry(departure.node).or_default().push_back(departure);
                        }
                        sent += 1;
                    }
                    Step::Arrive(node) => arrive(node, owner, &mut nodes, &mut wires, &mut answers, &mut handled),
                    Step::Return(which) if !answers.is_empty() => {
                        let answer = answers.remove(which % answers.len());
                        settle(&mut stream, answer);
                    }
                    Step::Return(_) => {}
                    Step::Break(node) => {
                        for departure in wires.remove(&node).unwrap_or_default() {
                            lost.push(departure.message);
                            stream.settled(departure.id);
                        }
                    }
                    Step::Move(to) => {
                        nodes[usize::from(owner)].given_away();
                        owner = to;
                    }
                    Step::Hear => heard = owner,
                }
                reopen(&mut stream, heard, &mut wires);
            }
            for _ in 0..1000 {
                heard = owner;
                reopen(&mut stream, heard, &mut wires);
                (0..3).for_each(|node| arrive(node, owner, &mut nodes, &mut wires, &mut answers, &mut handled));
                answers.drain(..).for_each(|answer| settle(&mut stream, answer));
            }
            prop_assert!(!stream.waits() && stream.is_settled(), "{stream:?}");
            let expected: Vec<u32> = (0..sent).filter(|message| !lost.contains(message)).collect();
            prop_assert_eq!(handled, expected);
        }
    }
}
