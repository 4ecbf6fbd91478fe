//! How a row's address becomes one ordered byte string.
//!
//! ```text
//! +-----------+----+------+----+------+----+--------+----+-----+
//! | namespace | FE | type | FE | name | FE | module | FE | key |
//! +-----------+----+------+----+------+----+--------+----+-----+
//! '------------------------- place -----------------------'
//! ```
//!
//! The parts of a place are UTF-8, in which the byte FE never occurs: so no place is a prefix of another one, the rows
//! of a place stand together, in the order of their keys, and FF in place of the last FE is behind all of them.

use bytes::{BufMut, Bytes, BytesMut};
use dna_core::{ActorName, KeyRange};

const PART_END: u8 = 0xFE;
const PLACE_END: u8 = 0xFF;

/// Where the rows of one module of one actor stand: the part that their keys share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Bytes);

/// The address of one row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(Bytes);

/// A half-open range of rows of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRange {
    /// The first address in the range.
    pub start: Bytes,
    /// The first address behind it.
    pub end: Bytes,
}

/// The parts of an address, for stores that keep them in columns of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowParts<'a> {
    /// The actor's namespace.
    pub namespace: &'a str,
    /// The actor's type.
    pub kind: &'a str,
    /// The actor's name.
    pub name: &'a str,
    /// The storage module.
    pub module: &'a str,
    /// The key within the module.
    pub key: &'a [u8],
}

impl Place {
    /// The place of a module of an actor.
    pub fn new(actor: &ActorName, module: &str) -> Self {
        let mut bytes = BytesMut::with_capacity(place_len(actor, module));
        put_actor(&mut bytes, actor);
        put_module(&mut bytes, module);
        Place(bytes.freeze())
    }

    /// The address of a row of this place.
    pub fn key(&self, key: &[u8]) -> RowKey {
        RowKey(joined(&self.0, key))
    }

    /// The addresses of a range of this place.
    pub fn range(&self, range: &KeyRange) -> RowRange {
        let start = joined(&self.0, &range.start);
        let end = range.end.as_ref().map_or_else(|| self.end(), |end| joined(&self.0, end));
        RowRange { start, end }
    }

    /// The first address behind all of this place.
    pub(super) fn end(&self) -> Bytes {
        let mut bytes = self.0.to_vec();
        if let Some(last) = bytes.last_mut() {
            *last = PLACE_END;
        }
        bytes.into()
    }
}

impl RowKey {
    pub(super) fn from_encoded(bytes: Bytes) -> Self {
        RowKey(bytes)
    }

    /// The address as ordered bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The parts of the address; `None` only if it was not made by this crate.
    pub fn parts(&self) -> Option<RowParts<'_>> {
        parts(&self.0)
    }
}

impl RowRange {
    /// The parts of its first address, and the key at which it ends, unless it goes to the end of its place.
    pub fn parts(&self) -> Option<(RowParts<'_>, Option<&[u8]>)> {
        Some((parts(&self.start)?, parts(&self.end).map(|end| end.key)))
    }

    /// Whether no address lies in it.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// Whether it holds an address.
    pub(super) fn contains(&self, address: &[u8]) -> bool {
        address >= self.start.as_ref() && address < self.end.as_ref()
    }

    /// How many bytes of an address are its place: what [`Rows::scan`](super::Rows::scan) leaves out of its answer.
    pub fn place_len(&self) -> usize {
        parts(&self.start).map_or(0, |parts| self.start.len() - parts.key.len())
    }
}

/// How long the place of a module of an actor is.
pub(super) fn place_len(actor: &ActorName, module: &str) -> usize {
    actor.namespace().len() + actor.kind().len() + actor.name().len() + module.len() + 4
}

/// Appends the part of a place that all modules of an actor share.
pub(super) fn put_actor(bytes: &mut BytesMut, actor: &ActorName) {
    for part in [actor.namespace(), actor.kind(), actor.name()] {
        bytes.put_slice(part.as_bytes());
        bytes.put_u8(PART_END);
    }
}

/// Appends the rest of a place.
pub(super) fn put_module(bytes: &mut BytesMut, module: &str) {
    bytes.put_slice(module.as_bytes());
    bytes.put_u8(PART_END);
}

fn joined(place: &[u8], key: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(place.len() + key.len());
    bytes.extend_from_slice(place);
    bytes.extend_from_slice(key);
    bytes.into()
}

fn parts(address: &[u8]) -> Option<RowParts<'_>> {
    let mut rest = address;
    let mut next = || {
        let end = rest.iter().position(|&byte| byte == PART_END)?;
        let (part, tail) = rest.split_at(end);
        rest = tail.get(1..)?;
        std::str::from_utf8(part).ok()
    };
    let (namespace, kind, name, module) = (next()?, next()?, next()?, next()?);
    Some(RowParts { namespace, kind, name, module, key: rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, module: &str) -> Place {
        Place::new(&ActorName::new("n", "T", name).unwrap(), module)
    }

    #[test]
    fn the_format_of_addresses_is_what_the_golden_bytes_say() {
        let place = Place::new(&ActorName::new("ns", "Cart", "a\0\u{e9}").unwrap(), "m\0");
        #[rustfmt::skip]
        const PLACE: &[u8] = &[
            b'n', b's', 0xFE,
            b'C', b'a', b'r', b't', 0xFE,
            b'a', 0, 0xC3, 0xA9, 0xFE,
            b'm', 0, 0xFE,
        ];
        // Nothing in a key is escaped: neither NUL nor the bytes that end a part or a place.
        for key in [&b""[..], b"k", b"\0", b"\xfe", b"\xff", b"\0\xfe\xff\0"] {
            assert_eq!(place.key(key).as_bytes(), [PLACE, key].concat());
        }

        let from_to = KeyRange { start: Bytes::from_static(b"\0"), end: Some(Bytes::from_static(b"\xff\0")) };
        let range = place.range(&from_to);
        assert_eq!(range.start, [PLACE, b"\0"].concat());
        assert_eq!(range.end, [PLACE, b"\xff\0"].concat());

        let tail = place.range(&KeyRange { start: Bytes::from_static(b"\xff"), end: None });
        assert_eq!(tail.start, [PLACE, b"\xff"].concat());
        assert_eq!(tail.end, [&PLACE[..PLACE.len() - 1], b"\xff"].concat(), "the place with FF for its last byte");

        let all = place.range(&KeyRange::all());
        assert_eq!(all.start, PLACE);
        assert_eq!(all.end, tail.end);
    }

    #[test]
    fn an_address_gives_back_its_parts() {
        for key in [&b""[..], b"k", b"\xfe", b"\xfe\xff\0"] {
            let address = place("a\0\u{10ffff}", "m").key(key);
            let parts = address.parts().unwrap();
            assert_eq!((parts.namespace, parts.kind), ("n", "T"));
            assert_eq!((parts.name, parts.module, parts.key), ("a\0\u{10ffff}", "m", key));
        }
    }

    #[test]
    fn a_whole_place_holds_its_rows_and_no_others() {
        let all = place("a", "m").range(&KeyRange::all());
        for key in [&b""[..], b"k", b"\xff\xff\xff"] {
            assert!(all.contains(place("a", "m").key(key).as_bytes()));
            assert!(!all.contains(place("a", "mm").key(key).as_bytes()));
            assert!(!all.contains(place("a", "l").key(key).as_bytes()));
            assert!(!all.contains(place("am", "m").key(key).as_bytes()));
        }
        assert_eq!(all.parts().unwrap().1, None);
        assert_eq!(all.place_len(), place("a", "m").key(b"").as_bytes().len());
    }

    #[test]
    fn addresses_of_one_place_order_as_their_keys() {
        let keys = [&b""[..], b"\0", b"a", b"a\0", b"b", b"\xfe", b"\xff"];
        let addresses: Vec<_> = keys.iter().map(|key| place("a", "m").key(key)).collect();
        assert!(addresses.is_sorted());
    }
}
