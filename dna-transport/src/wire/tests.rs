//! The bytes of frames, pinned; and what comes of bytes that are none.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

use super::*;
use crate::limits::{FRAME_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX, LARGE_MESSAGES_MAX, REQUEST_HEADER_BYTES_MAX};

fn encode(head: Head, payload: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    let frame = Frame { head, payload: Bytes::copy_from_slice(payload) };
    FrameCodec::new(1).encode(frame, &mut bytes).unwrap();
    bytes
}

fn decode(bytes: &[u8]) -> Result<Option<Frame>, Malformed> {
    FrameCodec::new(1).next(&mut BytesMut::from(bytes))
}

#[test]
fn the_bytes_of_a_request_are_these() {
    let head = Head {
        kind: Kind::Request,
        flags: MORE | CONTINUED,
        id: 0x0102_0304_0506_0708,
        stream: 0x1112_1314_1516_1718,
        within: 30_000,
        request_header: 0,
        code: Code(0x2122),
    };
    let expected = [
        &[0x1f, 0, 0, 0][..],
        &[1, 28, 1, 0b11],
        &[8, 7, 6, 5, 4, 3, 2, 1],
        &[0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11],
        &[0x30, 0x75, 0, 0],
        &[0, 0],
        &[0x22, 0x21],
        b"abc",
    ]
    .concat();
    assert_eq!(encode(head, b"abc")[..], expected);
    assert_eq!(decode(&expected).unwrap().unwrap(), Frame { head, payload: Bytes::from_static(b"abc") });
}

#[test]
fn the_numbers_of_kinds_and_codes_are_these() {
    let kinds = Kind::ALL.map(|kind| (format!("{kind:?}"), kind.number()));
    let expected = ["Request", "Cast", "Reply", "Error", "Cancel", "Ping", "Pong", "GoAway", "Close", "Empty"];
    assert_eq!(kinds.map(|(name, _)| name), expected);
    assert_eq!(Kind::ALL.map(Kind::number), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for number in 0..=u8::MAX {
        let known = Kind::ALL.into_iter().find(|kind| kind.number() == number);
        let skipped = number >= 128;
        assert_eq!(Kind::from_number(number).ok(), known.map(Some).or(skipped.then_some(None)), "{number}");
    }
    let errors = [
        Code::REQUESTS_PER_PEER,
        Code::REQUESTS_PER_NODE,
        Code::HANDLED_BYTES,
        Code::CLOSING,
        Code::EXPIRED,
        Code::PANICKED,
        Code::REPLY_TOO_LONG,
        Code::CANCELLED,
    ];
    assert_eq!(errors.map(|code| code.0), [1, 2, 3, 4, 5, 6, 7, 8]);
    let ends = [Code::DONE, Code::REPLACED, Code::MALFORMED, Code::SILENT, Code::ABORTED];
    assert_eq!(ends.map(|code| code.0), [32, 33, 34, 35, 36]);
}

#[test]
fn a_frame_has_a_longest_payload() {
    let whole = vec![7; FRAME_PAYLOAD_BYTES_MAX];
    let frame = decode(&encode(Head::new(Kind::Reply, 1), &whole)).unwrap().unwrap();
    assert_eq!(frame.payload.len(), FRAME_PAYLOAD_BYTES_MAX);

    let payload = Bytes::from(vec![7; FRAME_PAYLOAD_BYTES_MAX + 1]);
    let bytes = HEAD_BYTES + payload.len();
    let limit = HEAD_BYTES + FRAME_PAYLOAD_BYTES_MAX;
    let frame = Frame { head: Head::new(Kind::Reply, 1), payload };
    let error = FrameCodec::new(1).encode(frame.clone(), &mut BytesMut::new()).unwrap_err();
    let expected = Malformed::FrameTooLong { bytes, limit };
    assert!(matches!(error, WireError::Malformed(error) if error == expected));
    let mut written = BytesMut::new();
    frame.head.write(1, frame.payload.len(), &mut written);
    assert_eq!(decode(&written), Err(expected));
}

#[test]
fn lengths_that_cannot_be_are_refused_before_anything_of_the_frame_has_come() {
    for (length, expected) in [
        (0, Malformed::FrameTooShort { bytes: 0 }),
        (27, Malformed::FrameTooShort { bytes: 27 }),
        (u32::MAX, Malformed::FrameTooLong { bytes: 0xffff_ffff, limit: FRAME_BYTES_MAX }),
    ] {
        assert_eq!(decode(&length.to_le_bytes()), Err(expected));
    }
    let longest = u32::try_from(FRAME_BYTES_MAX).unwrap();
    assert_eq!(decode(&longest.to_le_bytes()), Ok(None));
    assert!(decode(&(longest + 1).to_le_bytes()).is_err());
}

#[test]
fn a_claimed_length_reserves_nothing() {
    let mut bytes = BytesMut::with_capacity(64);
    Head::new(Kind::Reply, 1).write(1, FRAME_PAYLOAD_BYTES_MAX, &mut bytes);
    let capacity = bytes.capacity();
    assert_eq!(FrameCodec::new(1).decode(&mut bytes).unwrap(), None);
    assert_eq!((bytes.len(), bytes.capacity()), (PREFIX_BYTES + HEAD_BYTES, capacity));
}

#[test]
fn the_length_of_a_header_lies_within_its_frame() {
    for (head_bytes, is_fine) in [(27, false), (28, true), (30, true), (31, true), (32, false), (255, false)] {
        let mut bytes = encode(Head::new(Kind::Ping, 1), b"abc");
        bytes[5] = head_bytes;
        assert_eq!(decode(&bytes).is_ok(), is_fine, "{head_bytes}");
    }
}

#[test]
fn a_request_header_lies_within_the_first_frame_of_a_message() {
    for (kind, flags, request_header, payload, is_fine) in [
        (Kind::Request, 0, 3, 3, true),
        (Kind::Cast, MORE, 3, 4, true),
        (Kind::Request, 0, 4, 3, false),
        (Kind::Request, CONTINUED, 3, 3, false),
        (Kind::Reply, 0, 1, 3, false),
        (Kind::Ping, 0, 1, 3, false),
        (Kind::Request, 0, REQUEST_HEADER_BYTES_MAX, 5_000, true),
        (Kind::Request, 0, REQUEST_HEADER_BYTES_MAX + 1, 5_000, false),
    ] {
        let request_header = u16::try_from(request_header).unwrap();
        let head = Head { flags, request_header, ..Head::new(kind, 1) };
        assert_eq!(decode(&encode(head, &vec![0; payload])).is_ok(), is_fine, "{head:?}");
    }
}

fn add(assembly: &mut Assembly, kind: Kind, id: u64, flags: u8, payload: &[u8]) -> Result<Option<Message>, Malformed> {
    assembly.add(Frame { head: Head { flags, ..Head::new(kind, id) }, payload: Bytes::copy_from_slice(payload) })
}

#[test]
fn messages_are_put_together_from_frames_of_several() {
    let mut assembly = Assembly::new(100);
    assert_eq!(add(&mut assembly, Kind::Request, 1, MORE, b"a"), Ok(None));
    assert_eq!(add(&mut assembly, Kind::Cast, 2, MORE, b"x"), Ok(None));
    assert_eq!(add(&mut assembly, Kind::Request, 1, MORE | CONTINUED, b"b"), Ok(None));
    assert_eq!(assembly.bytes(), 3);
    assert_eq!(&add(&mut assembly, Kind::Request, 3, 0, b"whole").unwrap().unwrap().body[..], b"whole");
    assert_eq!(&add(&mut assembly, Kind::Cast, 2, CONTINUED, b"y").unwrap().unwrap().body[..], b"xy");
    assert_eq!(&add(&mut assembly, Kind::Request, 1, CONTINUED, b"c").unwrap().unwrap().body[..], b"abc");
    assert_eq!(assembly.bytes(), 0);
}

#[test]
fn frames_that_fit_no_message_are_refused() {
    let mut assembly = Assembly::new(3);
    assert_eq!(add(&mut assembly, Kind::Request, 1, CONTINUED, b""), Err(Malformed::NotBegun(1)));
    add(&mut assembly, Kind::Request, 1, MORE, b"ab").unwrap();
    assert_eq!(add(&mut assembly, Kind::Request, 1, 0, b""), Err(Malformed::Twice(1)));
    assert_eq!(add(&mut assembly, Kind::Cast, 1, CONTINUED, b""), Err(Malformed::Twice(1)));
    let too_long = Err(Malformed::MessageTooLong { limit: 3 });
    assert_eq!(add(&mut assembly, Kind::Request, 1, MORE | CONTINUED, b"cd"), too_long);
    assert_eq!(add(&mut assembly, Kind::Request, 2, 0, b"abcd"), too_long);
    let one_more = u64::try_from(LARGE_MESSAGES_MAX).unwrap() + 1;
    for id in 2..one_more {
        assert_eq!(add(&mut assembly, Kind::Request, id, MORE, b""), Ok(None));
    }
    let too_many = Err(Malformed::TooManyIncomplete(LARGE_MESSAGES_MAX));
    assert_eq!(add(&mut assembly, Kind::Request, one_more, MORE, b""), too_many);
    assert!(assembly.drop_message(1) && !assembly.drop_message(1));
    assert_eq!(add(&mut assembly, Kind::Request, one_more, MORE, b""), Ok(None));
}

fn any_head() -> impl Strategy<Value = Head> {
    let kind = proptest::sample::select(&Kind::ALL[..]);
    (kind, any::<u8>(), any::<u64>(), any::<u64>(), any::<u32>(), any::<u16>()).prop_map(
        |(kind, flags, id, stream, within, code)| {
            let flags = if kind.is_message() { flags & (MORE | CONTINUED) } else { 0 };
            Head { kind, flags, id, stream, within, request_header: 0, code: Code(code) }
        },
    )
}

proptest! {
    #[test]
    fn every_frame_comes_back_however_its_bytes_are_cut(
        frames in proptest::collection::vec((any_head(), proptest::collection::vec(any::<u8>(), 0..300)), 1..10),
        cut in 1usize..200,
    ) {
        let all = frames.iter().flat_map(|(head, payload)| encode(*head, payload)).collect::<Vec<_>>();
        let mut codec = FrameCodec::new(1);
        let (mut source, mut decoded) = (BytesMut::new(), Vec::new());
        for part in all.chunks(cut) {
            source.extend_from_slice(part);
            while let Some(frame) = codec.decode(&mut source).unwrap() {
                decoded.push((frame.head, frame.payload.to_vec()));
            }
        }
        prop_assert_eq!(decoded, frames);
        prop_assert!(source.is_empty());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic_or_read_more_than_there_is(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        length in 0u32..200,
        version in 0u8..3,
    ) {
        if bytes.len() > 6 {
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            bytes[4] = version;
            bytes[5] = 28;
        }
        let mut source = BytesMut::from(&bytes[..]);
        let mut assembly = Assembly::new(100);
        while let Ok(Some(frame)) = FrameCodec::new(1).next(&mut source) {
            if frame.head.kind.is_message() {
                assembly.add(frame).ok();
            }
        }
        prop_assert!(source.len() <= bytes.len() && assembly.bytes() <= bytes.len());
    }
}
