//! What nodes say to each other about a message.
//!
//! A request, in the transport's terms: its stream is the shard plus one, its deadline the message's. The head is MessagePack
//! with named fields. It is the request's header where it fits there:
//!
//! | header | body |
//! |---|---|
//! | the head | the message |
//! | empty | length of the head: u32, little-endian; the head; the message |
//!
//! The head's fields:
//!
//! | field | type | what |
//! |---|---|---|
//! | `view` | u64 | the version of the view that the sender knows |
//! | `number` | u64 | under which its stream to the shard is open |
//! | `namespace`, `kind`, `name` | string | whom the message is for |
//! | `callers` | map or nil | who waits for the answer; nil for a cast, which is answered once it is admitted |
//! | `traceparent` | string | the trace that the message belongs to, as in W3C Trace Context; missing if there is none |
//!
//! An answer:
//!
//! | first byte | rest |
//! |---|---|
//! | 0 | the reply; if it is an error of the handler, the message had no effect |
//! | 1 | the reply; if it is an error of the handler, its effect is unknown |
//! | 2 | a `dna_core::CallError`, MessagePack with named fields |
//! | 3 | "bounced": the version of the view that the receiver knows: u64, little-endian |
//!
//! Unknown fields of the head are skipped, and a missing one, but for `traceparent`, is an error.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use dna_core::{Answered, CallError, Callers, Outcome};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const DONE: u8 = 0;
const DONE_UNKNOWN: u8 = 1;
const FAILED: u8 = 2;
const BOUNCED: u8 = 3;

/// What is said of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) view: u64,
    pub(crate) number: u64,
    pub(crate) namespace: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) callers: Option<Callers>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
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

impl Head {
    /// Header and body of the request with `message`. A header has at most `header_max` bytes.
    pub(crate) fn request(&self, message: Bytes, header_max: usize) -> Result<(Bytes, Bytes), Unreadable> {
        let head = rmp_serde::to_vec_named(self).map_err(unreadable)?;
        if head.len() <= header_max {
            return Ok((head.into(), message));
        }
        let mut body = BytesMut::with_capacity(4 + head.len() + message.len());
        body.put_u32_le(u32::try_from(head.len()).map_err(unreadable)?);
        body.put_slice(&head);
        body.put_slice(&message);
        Ok((Bytes::new(), body.freeze()))
    }

    /// The head and the message of a request.
    pub(crate) fn of_request(header: &[u8], mut body: Bytes) -> Result<(Self, Bytes), Unreadable> {
        if !header.is_empty() {
            return Ok((rmp_serde::from_slice(header).map_err(unreadable)?, body));
        }
        let length = body.try_get_u32_le().map_err(unreadable)?;
        let length = usize::try_from(length).map_err(unreadable)?;
        if length > body.len() {
            return Err(unreadable("a head that is longer than its request"));
        }
        let head = body.split_to(length);
        Ok((rmp_serde::from_slice(&head).map_err(unreadable)?, body))
    }
}

impl Fate {
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        match self {
            Fate::Answered(answered) => {
                bytes.reserve(1 + answered.reply.len());
                bytes.put_u8(if answered.outcome == Outcome::Unknown { DONE_UNKNOWN } else { DONE });
                bytes.put_slice(&answered.reply);
            }
            Fate::Failed(error) => {
                bytes.put_u8(FAILED);
                // An error without a type of the user's in it always encodes; else it would arrive as unreadable.
                let error = error.clone().map_handler_error(|never| -> Never { match never {} });
                bytes.put_slice(&rmp_serde::to_vec_named(&error).unwrap_or_default());
            }
            Fate::Bounced { view } => {
                bytes.put_u8(BOUNCED);
                bytes.put_u64_le(*view);
            }
        }
        bytes.freeze()
    }

    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self, Unreadable> {
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

    fn head() -> Head {
        Head {
            view: 7,
            number: 3,
            namespace: "default".into(),
            kind: "Cart".into(),
            name: "alice".into(),
            callers: None,
            traceparent: None,
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written_wherever_its_head_stands() {
        for header_max in [1024, 8] {
            let (header, body) = head().request("message".into(), header_max).unwrap();
            assert_eq!(header.is_empty(), header_max == 8);
            assert_eq!(Head::of_request(&header, body), Ok((head(), "message".into())));
        }
    }

    #[test]
    fn the_bytes_of_a_head_and_of_the_answers_stay_as_they_are() {
        let (header, _) = head().request(Bytes::new(), 1024).unwrap();
        let expected =
            b"\x86\xa4view\x07\xa6number\x03\xa9namespace\xa7default\xa4kind\xa4Cart\xa4name\xa5alice\xa7callers\xc0";
        assert_eq!(header, &expected[..]);
        let answers = [
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
    fn a_head_with_a_trace_has_one_more_field() {
        let traced = Head { traceparent: Some("00-ab-cd-01".into()), ..head() };
        let (header, body) = traced.request(Bytes::new(), 1024).unwrap();
        let (plain, _) = head().request(Bytes::new(), 1024).unwrap();
        assert_eq!(header[..1], b"\x87"[..]);
        assert_eq!(header[1..], [&plain[1..], b"\xabtraceparent\xab00-ab-cd-01"].concat());
        assert_eq!(Head::of_request(&header, body), Ok((traced, Bytes::new())));
    }

    #[test]
    fn a_newer_head_with_one_more_field_is_read() {
        let mut newer = b"\x87\xa5newer\xc3".to_vec();
        let (header, _) = head().request(Bytes::new(), 1024).unwrap();
        newer.extend_from_slice(&header[1..]);
        assert_eq!(Head::of_request(&newer, Bytes::new()), Ok((head(), Bytes::new())));
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(header: Vec<u8>, body: Vec<u8>) {
            let body = Bytes::from(body);
            let _ = Head::of_request(&header, body.clone());
            let _ = Head::of_request(&[], body.clone());
            let _ = Fate::decode(body);
        }
    }
}
