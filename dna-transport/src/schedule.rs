//! What is written next: messages in the order in which they came, long ones cut into pieces between which others get
//! their turn, each stream in its own order. Pure: no socket, no clock.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::{
    limits::{FRAME_PAYLOAD_BYTES_MAX, LARGE_MESSAGES_MAX},
    seam::{Millis, RandomState},
    wire::{CONTINUED, Head, MORE},
};

/// What a message counts beside its own bytes.
pub(crate) const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// A message that waits.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Of its first frame; flags and deadline are filled in later.
    pub(crate) head: Head,
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
    pub(crate) deadline: Option<Millis>,
}

impl Outgoing {
    fn payload(&self) -> usize {
        self.header.len().saturating_add(self.body.len())
    }

    /// What it counts.
    pub(crate) fn cost(&self) -> usize {
        self.payload().saturating_add(MESSAGE_OVERHEAD_BYTES)
    }

    fn is_large(&self) -> bool {
        self.payload() > FRAME_PAYLOAD_BYTES_MAX
    }
}

/// A frame to write.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) head: Head,
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
    pub(crate) deadline: Option<Millis>,
}

/// The messages of one direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    queue: VecDeque<Outgoing>,
    /// Long ones that are being written, in turn.
    large: VecDeque<Large>,
    /// Long ones that wait until fewer are being written.
    waiting: VecDeque<Outgoing>,
    /// What stands behind a long one of its stream. There is an entry for each stream with a long one in `large` or
    /// `waiting`.
    parked: HashMap<u64, VecDeque<Outgoing>, RandomState>,
    bytes: usize,
}

#[derive(Debug)]
struct Large {
    message: Outgoing,
    /// Bytes of the body that are written.
    written: usize,
    has_begun: bool,
}

impl Schedule {
    pub(crate) fn push(&mut self, message: Outgoing) {
        self.bytes = self.bytes.saturating_add(message.cost());
        self.queue.push_back(message);
    }

    /// What all waiting messages count.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.large.is_empty() && self.waiting.is_empty()
    }

    /// Moves all messages to `into` if they are short, and have about `bytes` bytes at the most. Whether they were.
    pub(crate) fn take_all(&mut self, bytes: usize, into: &mut VecDeque<Outgoing>) -> bool {
        let has_long = !(self.large.is_empty() && self.waiting.is_empty() && self.parked.is_empty());
        if has_long || self.bytes > bytes || !into.is_empty() || self.queue.iter().any(Outgoing::is_large) {
            return false;
        }
        std::mem::swap(&mut self.queue, into);
        self.bytes = 0;
        true
    }

    /// The earliest deadline of those that have not begun.
    pub(crate) fn earliest(&self) -> Option<Millis> {
        let large = self.large.iter().filter(|large| !large.has_begun).map(|large| &large.message);
        let all = self.queue.iter().chain(&self.waiting).chain(self.parked.values().flatten()).chain(large);
        all.filter_map(|message| message.deadline).min()
    }

    /// Appends frames of about `bytes` bytes in total to `pieces`. `begin` is asked before the first frame of a message; if
    /// it says no, the message is dropped.
    pub(crate) fn take(&mut self, bytes: usize, begin: &mut impl FnMut(&Outgoing) -> bool, pieces: &mut Vec<Piece>) {
        let mut room = bytes;
        loop {
            // One piece of a long message has its place in every round, whatever else there is.
            let reserved = if self.large.is_empty() { 0 } else { FRAME_PAYLOAD_BYTES_MAX };
            while room > reserved {
                let Some(message) = self.queue.pop_front() else { break };
                if let Some(piece) = self.sort(message, begin) {
                    room = room.saturating_sub(piece.header.len() + piece.body.len() + MESSAGE_OVERHEAD_BYTES);
                    pieces.push(piece);
                }
            }
            let Some(piece) = self.take_large(begin) else {
                // A long one that was dropped may have set free what stood behind it.
                if room == 0 || (self.queue.is_empty() && self.large.is_empty()) {
                    return;
                }
                continue;
            };
            room = room.saturating_sub(piece.header.len() + piece.body.len() + MESSAGE_OVERHEAD_BYTES);
            pieces.push(piece);
            if room == 0 {
                return;
            }
        }
    }

    /// The message as a frame, if it is to be written now.
    fn sort(&mut self, message: Outgoing, begin: &mut impl FnMut(&Outgoing) -> bool) -> Option<Piece> {
        let stream = message.head.stream;
        if !self.parked.is_empty()
            && let Some(behind) = self.parked.get_mut(&stream)
        {
            behind.push_back(message);
            return None;
        }
        if !message.is_large() {
            self.bytes = self.bytes.saturating_sub(message.cost());
            if !begin(&message) {
                return None;
            }
            let Outgoing { head, header, body, deadline } = message;
            return Some(Piece { head, header, body, deadline });
        }
        if stream != 0 {
            self.parked.insert(stream, VecDeque::new());
        }
        if self.large.len() < LARGE_MESSAGES_MAX {
            self.large.push_back(Large { message, written: 0, has_begun: false });
        } else {
            self.waiting.push_back(message);
        }
        None
    }

    /// A piece of the long message whose turn it is.
    fn take_large(&mut self, begin: &mut impl FnMut(&Outgoing) -> bool) -> Option<Piece> {
        let Large { message, written, has_begun } = self.large.pop_front()?;
        if !has_begun && !begin(&message) {
            self.bytes = self.bytes.saturating_sub(message.cost());
            self.end_large(message.head.stream);
            return None;
        }
        let header = if has_begun { Bytes::new() } else { message.header.clone() };
        let end = written.saturating_add(FRAME_PAYLOAD_BYTES_MAX.saturating_sub(header.len())).min(message.body.len());
        let body = message.body.slice(written..end);
        let mut head = message.head;
        if has_begun {
            head.flags |= CONTINUED;
            head.request_header = 0;
        }
        let deadline = message.deadline;
        self.bytes = self.bytes.saturating_sub(header.len() + body.len());
        if end < message.body.len() {
            head.flags |= MORE;
            self.large.push_back(Large { message, written: end, has_begun: true });
        } else {
            self.bytes = self.bytes.saturating_sub(MESSAGE_OVERHEAD_BYTES);
            self.end_large(message.head.stream);
        }
        Some(Piece { head, header, body, deadline })
    }

    /// A long message of `stream` is over: what stood behind it goes on, and the next long one has its place.
    fn end_large(&mut self, stream: u64) {
        if let Some(behind) = self.parked.remove(&stream) {
            for message in behind.into_iter().rev() {
                self.queue.push_front(message);
            }
        }
        if self.large.len() < LARGE_MESSAGES_MAX
            && let Some(message) = self.waiting.pop_front()
        {
            self.large.push_back(Large { message, written: 0, has_begun: false });
        }
    }

    /// Drops a long message of which a part is written and a part is not. Whether there was one.
    pub(crate) fn cut(&mut self, id: u64) -> bool {
        let is_it = |large: &Large| large.has_begun && large.message.head.id == id;
        let Some(large) = self.large.iter().position(is_it).and_then(|at| self.large.remove(at)) else { return false };
        self.bytes = self.bytes.saturating_sub(large.message.cost().saturating_sub(large.unwritten_offset()));
        self.end_large(large.message.head.stream);
        true
    }

    /// Drops the messages that have not begun and that `keep` does not want.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Outgoing) -> bool) {
        let mut dropped = 0;
        let mut keeps = |message: &Outgoing| {
            let kept = keep(message);
            if !kept {
                dropped += message.cost();
            }
            kept
        };
        self.queue.retain(&mut keeps);
        self.parked.values_mut().for_each(|behind| behind.retain(&mut keeps));
        let mut ended = Vec::new();
        self.waiting.retain(|message| {
            let kept = keeps(message);
            if !kept {
                ended.push(message.head.stream);
            }
            kept
        });
        self.large.retain(|large| {
            let kept = large.has_begun || keeps(&large.message);
            if !kept {
                ended.push(large.message.head.stream);
            }
            kept
        });
        self.bytes = self.bytes.saturating_sub(dropped);
        ended.into_iter().for_each(|stream| self.end_large(stream));
    }

    /// The connection is gone: messages that have begun are dropped, the others start anew, each stream in its order.
    pub(crate) fn reset(&mut self) {
        let mut again = Vec::new();
        for large in std::mem::take(&mut self.large) {
            if large.has_begun {
                let rest = large.message.cost().saturating_sub(large.unwritten_offset());
                self.bytes = self.bytes.saturating_sub(rest);
            } else {
                again.push(large.message);
            }
        }
        again.extend(std::mem::take(&mut self.waiting));
        for behind in std::mem::take(&mut self.parked).into_values() {
            again.extend(behind);
        }
        for message in again.into_iter().rev() {
            self.queue.push_front(message);
        }
    }
}

impl Large {
    /// What of its cost is already taken off.
    fn unwritten_offset(&self) -> usize {
        let header = if self.has_begun { self.message.header.len() } else { 0 };
        header.saturating_add(self.written)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::Kind;

    const CHUNK: usize = FRAME_PAYLOAD_BYTES_MAX;

    fn message(id: u64, stream: u64, bytes: usize) -> Outgoing {
        let head = Head { stream, ..Head::new(Kind::Request, id) };
        Outgoing { head, header: Bytes::new(), body: vec![7; bytes].into(), deadline: None }
    }

    /// The ids of the frames of one take, with whether the message goes on.
    fn take(schedule: &mut Schedule, bytes: usize) -> Vec<(u64, bool)> {
        let mut pieces = Vec::new();
        schedule.take(bytes, &mut |_| true, &mut pieces);
        pieces.iter().map(|piece| (piece.head.id, piece.head.flags & MORE != 0)).collect()
    }

    #[test]
    fn small_ones_go_before_the_pieces_of_a_large_one() {
        let mut schedule = Schedule::default();
        schedule.push(message(1, 1, 3 * CHUNK));
        schedule.push(message(2, 1, 1));
        schedule.push(message(3, 2, 1));
        assert_eq!(take(&mut schedule, CHUNK), [(3, false), (1, true)]);
        schedule.push(message(4, 2, 1));
        assert_eq!(take(&mut schedule, 3 * CHUNK), [(4, false), (1, true), (1, false), (2, false)]);
        assert!(schedule.is_empty());
        assert_eq!(schedule.bytes(), 0);
    }

    #[test]
    fn large_ones_take_turns_and_only_so_many_at_a_time() {
        let mut schedule = Schedule::default();
        let last = u64::try_from(LARGE_MESSAGES_MAX).unwrap() + 1;
        for id in 1..=last {
            schedule.push(message(id, id, 2 * CHUNK));
        }
        let mut order = Vec::new();
        while !schedule.is_empty() {
            order.extend(take(&mut schedule, 1));
        }
        let first = (1..last).map(|id| (id, true));
        let expected = first.chain([(1, false), (2, false), (3, false), (4, false), (last, true), (last, false)]);
        assert_eq!(order, expected.collect::<Vec<_>>());
    }

    #[test]
    fn small_ones_without_end_do_not_starve_a_large_one() {
        let mut schedule = Schedule::default();
        schedule.push(message(1, 1, 4 * CHUNK));
        for id in 2..10_000 {
            schedule.push(message(id, 2, 1_000));
        }
        let mut takes = 0;
        while !take(&mut schedule, 2 * CHUNK).contains(&(1, false)) {
            takes += 1;
            assert!(takes < 6, "it gets a piece in every round");
        }
        assert!(!schedule.is_empty(), "the small ones are not through");
    }

    #[test]
    fn what_is_behind_one_that_is_cut_goes_on() {
        let mut schedule = Schedule::default();
        schedule.push(message(1, 1, 3 * CHUNK));
        schedule.push(message(2, 1, 1));
        assert_eq!(take(&mut schedule, 1), [(1, true)]);
        assert!(schedule.cut(1) && !schedule.cut(1) && !schedule.cut(2));
        assert_eq!(take(&mut schedule, CHUNK), [(2, false)]);
        assert_eq!(schedule.bytes(), 0);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push { stream: u64, bytes: usize },
        Take(usize),
        Cut(usize),
        Drop(usize),
        Reset,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let sizes = prop_oneof![4 => 0usize..100, 1 => CHUNK - 1..CHUNK + 2, 2 => CHUNK..6 * CHUNK];
        let step = prop_oneof![
            8 => (0u64..4, sizes).prop_map(|(stream, bytes)| Step::Push { stream, bytes }),
            6 => (1usize..4 * CHUNK).prop_map(Step::Take),
            1 => (0usize..20).prop_map(Step::Cut),
            1 => (0usize..20).prop_map(Step::Drop),
            1 => Just(Step::Reset),
        ];
        proptest::collection::vec(step, 0..60)
    }

    /// What the receiver makes of the frames: it checks that they keep the rules of the wire.
    #[derive(Default)]
    struct Receiver {
        partial: HashMap<u64, (u64, usize)>,
        complete: Vec<(u64, u64, usize)>,
    }

    impl Receiver {
        fn receive(&mut self, piece: &Piece) {
            let (id, stream, bytes) = (piece.head.id, piece.head.stream, piece.header.len() + piece.body.len());
            assert!(bytes <= CHUNK);
            let before = if piece.head.flags & CONTINUED != 0 {
                self.partial.remove(&id).expect("it has begun").1
            } else {
                let is_other = |(other, _): &(u64, usize)| *other != stream || stream == 0;
                assert!(self.partial.values().all(is_other), "a message of a stream begins when the last one is over");
                0
            };
            if piece.head.flags & MORE != 0 {
                self.partial.insert(id, (stream, before + bytes));
                assert!(self.partial.len() <= LARGE_MESSAGES_MAX);
            } else {
                self.complete.push((id, stream, before + bytes));
            }
        }
    }

    proptest! {
        #[test]
        fn every_message_arrives_once_whole_and_in_the_order_of_its_stream(steps in steps()) {
            let mut schedule = Schedule::default();
            let mut sent = HashMap::new();
            let mut begun = HashSet::new();
            let mut dropped = HashSet::new();
            let mut receiver = Receiver::default();
            let mut next = 1;
            for step in steps.into_iter().chain([Step::Take(usize::MAX)]) {
                match step {
                    Step::Push { stream, bytes } => {
                        sent.insert(next, (stream, bytes));
                        schedule.push(message(next, stream, bytes));
                        next += 1;
                    }
                    Step::Take(bytes) => {
                        let mut pieces = Vec::new();
                        let mut begin = |message: &Outgoing| {
                            assert!(begun.insert(message.head.id), "a message begins once");
                            true
                        };
                        schedule.take(bytes, &mut begin, &mut pieces);
                        pieces.iter().for_each(|piece| receiver.receive(piece));
                    }
                    Step::Cut(number) => {
                        let id = u64::try_from(number).unwrap();
                        if schedule.cut(id) {
                            prop_assert!(receiver.partial.remove(&id).is_some());
                            dropped.insert(id);
                        }
                    }
                    Step::Drop(number) => {
                        let id = u64::try_from(number).unwrap();
                        schedule.retain(|message| {
                            assert!(!begun.contains(&message.head.id), "asked only of those that have not begun");
                            let is_it = message.head.id == id;
                            if is_it {
                                dropped.insert(id);
                            }
                            !is_it
                        });
                    }
                    Step::Reset => {
                        schedule.reset();
                        dropped.extend(receiver.partial.drain().map(|(id, _)| id));
                    }
                }
            }
            prop_assert!(schedule.is_empty());
            prop_assert_eq!(schedule.bytes(), 0);
            prop_assert!(schedule.parked.is_empty());
            let mut last = HashMap::new();
            for (id, stream, bytes) in receiver.complete {
                prop_assert_eq!(sent.remove(&id), Some((stream, bytes)));
                prop_assert!(!dropped.contains(&id));
                if stream != 0 {
                    prop_assert!(last.insert(stream, id).is_none_or(|before| before < id), "stream {}", stream);
                }
            }
            prop_assert!(sent.keys().all(|id| dropped.contains(id)), "{:?} were lost", sent);
        }
    }
}
