//! What nodes say to each other about a message.
//!
//! A request, in the transport's terms: its stream is the shard plus one, its deadline the message's.
//!
//! | header | body |
//! |---|---|
//! | empty | the head; the message |
//! | the head | the message: one that is too long to be copied |
//!
//! The head, with all numbers little-endian, and strings in UTF-8:
//!
//! | bytes | field | |
//! |---:|---|---|
//! | 4 | length | of the whole head |
//! | 8 | view | the version of the view that the sender knows |
//! | 8 | number | under which its stream to the shard is open |
//! | 1 | flags | bit 0: somebody waits for the answer; else it is a cast, which is answered once it is admitted. Bit 1: callers. Bit 2: a trace. Bit 3: it does not wait for room in the mailbox. Bit 4: it has no deadline |
//! | 2, 2, 2 | | lengths of namespace, type and name |
//! | | namespace, type, name | whom the message is for |
//! | 4 | length | of the callers, if there are callers |
//! | | callers | MessagePack with named fields: the actors that wait for the answer, if actors do |
//! | 16, 8, 1 | trace | if there is one: ids of trace and parent, and flags, as in W3C Trace Context |
//!
//! An answer:
//!
//! | first byte | rest |
//! |---|---|
//! | none | a cast was admitted |
//! | 0 | the reply; if it is an error of the handler, the message had no effect |
//! | 1 | the reply; if it is an error of the handler, its effect is unknown |
//! | 2 | a `dna_core::CallError`, MessagePack with named fields |
//! | 3 | "bounced": the version of the view that the receiver knows: u64, little-endian |
//!
//! What stands in a head behind the fields that are known is skipped, and so are flags that are not.

use std::borrow::Cow;

use bytes::{Buf, BufMut, Bytes};
use dna_core::{Answered, CallError, Callers, Outcome, trace::TraceParent};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const DONE: u8 = 0;
const DONE_UNKNOWN: u8 = 1;
const FAILED: u8 = 2;
const BOUNCED: u8 = 3;

/// Somebody waits for the answer.
const IS_CALL: u8 = 1;
/// Actors do.
const HAS_CALLERS: u8 = 2;
/// The message belongs to a trace.
const HAS_TRACE: u8 = 4;
/// It is refused where it would have to wait for room.
const NO_WAIT: u8 = 8;
/// It may wait for its turn as long as that takes.
const NO_DEADLINE: u8 = 16;

/// Bytes of a trace.
const TRACE_BYTES: usize = 16 + 8 + 1;

/// Bytes of a head before its strings.
const FIXED_BYTES: usize = 4 + 8 + 8 + 1 + 2 + 2 + 2;

/// Messages up to this are copied behind their heads, in bytes.
const COPY_BYTES_MAX: usize = 2 * 1024;

/// What is said of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) view: u64,
    pub(crate) number: u64,
    pub(crate) namespace: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    pub(crate) callers: Option<Cow<'a, Callers>>,
    pub(crate) trace: Option<TraceParent>,
    pub(crate) no_wait: bool,
    pub(crate) no_deadline: bool,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was handled.
    Answered(Answered),
    /// It was handled, or not, as the error says.
    Failed(CallError),
    /// It was not handled, since its shard is not served there. There a view of this version is known.
    Bounced { view: u64 },
}

/// What cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what another node said cannot be read ({reason}); see that all nodes run versions that fit")]
pub(crate) struct Unreadable {
    reason: String,
}

fn unreadable(reason: impl ToString) -> Unreadable {
    Unreadable { reason: reason.to_string() }
}

/// The error of a handler, which is part of its reply: there is none here.
enum Never {}

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("an error of a handler outside of a reply"))
    }
}

impl Head<'_> {
    /// Header and body of the request with `message`. A header has at most `header_max` bytes.
    pub(crate) fn request(&self, message: &Bytes, header_max: usize) -> Result<(Bytes, Bytes), Unreadable> {
        let callers = self.callers.as_deref().filter(|callers| **callers != Callers::default());
        let callers = callers.map(rmp_serde::to_vec_named).transpose().map_err(unreadable)?;
        let strings = [self.namespace, self.kind, self.name];
        let more = callers.as_ref().map_or(0, |callers| 4 + callers.len()) + self.trace.map_or(0, |_| TRACE_BYTES);
        let length = strings.iter().map(|part| part.len()).sum::<usize>() + FIXED_BYTES + more;
        let is_copied = message.len() <= COPY_BYTES_MAX || length > header_max;
        let mut bytes = Vec::with_capacity(length + if is_copied { message.len() } else { 0 });
        bytes.put_u32_le(u32::try_from(length).map_err(unreadable)?);
        bytes.put_u64_le(self.view);
        bytes.put_u64_le(self.number);
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(self.callers.is_some(), IS_CALL) | flag(callers.is_some(), HAS_CALLERS);
        bytes.put_u8(
            flags
                | flag(self.trace.is_some(), HAS_TRACE)
                | flag(self.no_wait, NO_WAIT)
                | flag(self.no_deadline, NO_DEADLINE),
        );
        for part in strings {
            bytes.put_u16_le(u16::try_from(part.len()).map_err(unreadable)?);
        }
        strings.into_iter().for_each(|part| bytes.put_slice(part.as_bytes()));
        if let Some(callers) = callers {
            bytes.put_u32_le(u32::try_from(callers.len()).map_err(unreadable)?);
            bytes.put_slice(&callers);
        }
        if let Some(trace) = self.trace {
            bytes.put_slice(&trace.trace_id());
            bytes.put_slice(&trace.parent_id());
            bytes.put_u8(trace.flags());
        }
        if !is_copied {
            return Ok((bytes.into(), message.clone()));
        }
        bytes.put_slice(message);
        Ok((Bytes::new(), bytes.into()))
    }

    /// How many bytes of a request are its head: those of the header, or the first ones of the body.
    pub(crate) fn length(request: &[u8]) -> Result<usize, Unreadable> {
        let mut length = request;
        let length = usize::try_from(length.try_get_u32_le().map_err(unreadable)?).map_err(unreadable)?;
        if length > request.len() {
            return Err(unreadable("a head that is longer than its request"));
        }
        Ok(length)
    }
}

impl<'a> Head<'a> {
    /// Reads a head.
    pub(crate) fn read(head: &'a [u8]) -> Result<Self, Unreadable> {
        let Some((mut fixed, mut rest)) = head.split_at_checked(FIXED_BYTES) else {
            return Err(unreadable("a head that is cut"));
        };
        fixed.advance(4);
        let (view, number, flags) = (fixed.get_u64_le(), fixed.get_u64_le(), fixed.get_u8());
        let namespace = text(&mut rest, fixed.get_u16_le())?;
        let kind = text(&mut rest, fixed.get_u16_le())?;
        let name = text(&mut rest, fixed.get_u16_le())?;
        let mut callers = (flags & IS_CALL != 0).then(|| Cow::Owned(Callers::default()));
        if flags & HAS_CALLERS != 0 {
            let length = usize::try_from(rest.try_get_u32_le().map_err(unreadable)?).map_err(unreadable)?;
            let encoded = rest.split_off(..length).ok_or_else(|| unreadable("callers that are cut"))?;
            callers = Some(Cow::Owned(rmp_serde::from_slice(encoded).map_err(unreadable)?));
        }
        let mut trace = None;
        if flags & HAS_TRACE != 0 {
            let mut bytes = rest.split_off(..TRACE_BYTES).ok_or_else(|| unreadable("a trace that is cut"))?;
            let (mut trace_id, mut parent_id) = ([0; 16], [0; 8]);
            bytes.copy_to_slice(&mut trace_id);
            bytes.copy_to_slice(&mut parent_id);
            trace = TraceParent::new(trace_id, parent_id, bytes.get_u8());
        }
        Ok(Head {
            view,
            number,
            namespace,
            kind,
            name,
            callers,
            trace,
            no_wait: flags & NO_WAIT != 0,
            no_deadline: flags & NO_DEADLINE != 0,
        })
    }
}

/// The next string of a head.
fn text<'a>(rest: &mut &'a [u8], length: u16) -> Result<&'a str, Unreadable> {
    let text = rest.split_off(..usize::from(length)).ok_or_else(|| unreadable("a head that is cut"))?;
    std::str::from_utf8(text).map_err(unreadable)
}

impl Fate {
    pub(crate) fn encode(&self) -> Bytes {
        // Exactly as long as it becomes, so that it is not copied once more.
        let behind = |kind, rest: &[u8]| {
            let mut bytes = Vec::with_capacity(1 + rest.len());
            bytes.put_u8(kind);
            bytes.put_slice(rest);
            bytes.into()
        };
        match self {
            Fate::Answered(answered) if answered.reply.is_empty() && answered.outcome == Outcome::NotApplied => {
                Bytes::new()
            }
            Fate::Answered(answered) => {
                behind(if answered.outcome == Outcome::Unknown { DONE_UNKNOWN } else { DONE }, &answered.reply)
            }
            Fate::Failed(error) => {
                // An error without a type of the user's in it always encodes; else it would arrive as unreadable.
                let error = error.clone().map_handler_error(|never| -> Never { match never {} });
                behind(FAILED, &rmp_serde::to_vec_named(&error).unwrap_or_default())
            }
            Fate::Bounced { view } => behind(BOUNCED, &view.to_le_bytes()),
        }
    }

    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self, Unreadable> {
        if bytes.is_empty() {
            return Ok(Fate::Answered(Answered::new(bytes, Outcome::NotApplied)));
        }
        match bytes.try_get_u8().map_err(unreadable)? {
            DONE => Ok(Fate::Answered(Answered::new(bytes, Outcome::NotApplied))),
            DONE_UNKNOWN => Ok(Fate::Answered(Answered::new(bytes, Outcome::Unknown))),
            FAILED => {
                let error: CallError<Never> = rmp_serde::from_slice(&bytes).map_err(unreadable)?;
                Ok(Fate::Failed(error.map_handler_error(|never| match never {})))
            }
            BOUNCED => Ok(Fate::Bounced { view: bytes.try_get_u64_le().map_err(unreadable)? }),
            other => Err(unreadable(format_args!("an answer of kind {other}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head() -> Head<'static> {
        Head {
            view: 7,
            number: 3,
            namespace: "default",
            kind: "Cart",
            name: "alice",
            callers: None,
            trace: None,
            no_wait: false,
            no_deadline: false,
        }
    }

    fn waiting() -> Callers {
        rmp_serde::from_slice(b"\x82\xa6length\x01\xa6actors\x91\x92\xa4Cart\xa3bob").unwrap()
    }

    /// Head and message of a request, as its receiver takes it apart.
    fn taken_apart(header: &Bytes, body: &Bytes) -> (Bytes, Bytes) {
        if !header.is_empty() {
            return (header.clone(), body.clone());
        }
        let length = Head::length(body).unwrap();
        (body.slice(..length), body.slice(length..))
    }

    #[test]
    fn a_request_is_read_as_it_was_written_wherever_its_head_stands() {
        let long = Bytes::from(vec![7; COPY_BYTES_MAX + 1]);
        let trace = TraceParent::new([3; 16], [4; 8], 1);
        let callers = [None, Some(Callers::default()), Some(waiting())];
        for (callers, trace) in callers.into_iter().flat_map(|callers| [(callers.clone(), None), (callers, trace)]) {
            let head = Head {
                callers: callers.map(Cow::Owned),
                trace,
                no_wait: trace.is_some(),
                no_deadline: trace.is_none(),
                ..head()
            };
            for (message, header_max, is_apart) in
                [("message".into(), 1024, false), (long.clone(), 1024, true), (long.clone(), 8, false)]
            {
                let (header, body) = head.request(&message, header_max).unwrap();
                assert_eq!(header.is_empty(), !is_apart);
                let (written, rest) = taken_apart(&header, &body);
                assert_eq!((Head::read(&written).unwrap(), rest), (head.clone(), message));
            }
        }
    }

    #[test]
    fn the_bytes_of_a_head_and_of_the_answers_stay_as_they_are() {
        let expected = b"\x2b\0\0\0\x07\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\x07\0\x04\0\x05\0defaultCartalicex";
        assert_eq!(head().request(&"x".into(), 1024).unwrap().1, &expected[..]);
        let called = Head { callers: Some(Cow::Owned(Callers::default())), ..head() };
        assert_eq!(called.request(&Bytes::new(), 1024).unwrap().1[20], 1);
        let from_actor = Head { callers: Some(Cow::Owned(waiting())), ..head() };
        let bytes = from_actor.request(&Bytes::new(), 1024).unwrap().1;
        let behind = b"\x1b\0\0\0\x82\xa6length\x01\xa6actors\x91\x92\xa4Cart\xa3bob";
        assert_eq!((bytes[20], &bytes[expected.len() - 1..]), (3, &behind[..]));
        let traced = Head { trace: TraceParent::new([3; 16], [4; 8], 1), ..head() };
        let bytes = traced.request(&Bytes::new(), 1024).unwrap().1;
        let behind = [&[3; 16][..], &[4; 8], &[1]].concat();
        assert_eq!((bytes[20], &bytes[expected.len() - 1..]), (4, &behind[..]));
        let hasty = Head { no_wait: true, ..head() };
        assert_eq!(hasty.request(&Bytes::new(), 1024).unwrap().1[20], 8);
        let endless = Head { no_deadline: true, ..head() };
        assert_eq!(endless.request(&Bytes::new(), 1024).unwrap().1[20], 16);
        let answers = [
            (Fate::Answered(Answered::new(Bytes::new(), Outcome::NotApplied)), &b""[..]),
            (Fate::Answered(Answered::new("x".into(), Outcome::NotApplied)), &b"\x00x"[..]),
            (Fate::Answered(Answered::new("x".into(), Outcome::Unknown)), &b"\x01x"[..]),
            (Fate::Failed(CallError::CallCycle), &b"\x02\xa9CallCycle"[..]),
            (Fate::Bounced { view: 258 }, &b"\x03\x02\x01\0\0\0\0\0\0"[..]),
        ];
        for (fate, expected) in answers {
            assert_eq!(fate.encode(), expected);
            assert_eq!(Fate::decode(Bytes::from_static(expected)), Ok(fate));
        }
    }

    #[test]
    fn a_newer_head_with_one_more_field_and_a_flag_is_read() {
        let (_, body) = head().request(&Bytes::new(), 1024).unwrap();
        let mut newer = body.to_vec();
        newer[0] += 3;
        newer[20] |= 0x80;
        newer.extend_from_slice(b"newmessage");
        let length = Head::length(&newer).unwrap();
        assert_eq!(Head::read(&newer[..length]), Ok(head()));
        assert_eq!(&newer[length..], b"message");
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(mut head: Vec<u8>, body: Vec<u8>) {
            let _ = Head::read(&head);
            let length = u32::try_from(head.len()).unwrap();
            if let Some(prefix) = head.first_chunk_mut() {
                *prefix = length.to_le_bytes();
                let _ = Head::length(&head).map(|length| Head::read(&head[..length]).is_ok());
            }
            let _ = Fate::decode(Bytes::from(body));
        }
    }
}
