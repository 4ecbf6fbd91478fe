//! The trace context itself, and its text form.

use std::{fmt, str::FromStr};

/// How long the text form of version 0 is, in bytes.
const TEXT_BYTES: usize = 55;

/// To which trace something belongs, and under which span: the `traceparent` of W3C Trace Context.
///
/// Its text form, version 0, has 55 bytes: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
}

/// A text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no traceparent; one looks like 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
#[non_exhaustive]
pub struct InvalidTraceParent;

impl TraceParent {
    /// The span `parent_id` of the trace `trace_id`; bit 0 of `flags` says that it is sampled. `None` if one of the ids has
    /// zeros only: such ids are none.
    pub fn new(trace_id: [u8; 16], parent_id: [u8; 8], flags: u8) -> Option<Self> {
        let is_one = trace_id != [0; 16] && parent_id != [0; 8];
        is_one.then_some(TraceParent { trace_id, parent_id, flags })
    }

    /// The trace.
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The span.
    pub fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// The flags.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the caller may have recorded it.
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Reads version 0, and of later versions what they have in common with it.
    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let mut fields = text.split('-');
        let mut next = || fields.next().ok_or(InvalidTraceParent);
        let (version, trace_id, parent_id, flags) = (next()?, next()?, next()?, next()?);
        let [version] = bytes::<1>(version)?;
        let [flags] = bytes::<1>(flags)?;
        if version == u8::MAX || (version == 0 && text.len() != TEXT_BYTES) {
            return Err(InvalidTraceParent);
        }
        TraceParent::new(bytes(trace_id)?, bytes(parent_id)?, flags).ok_or(InvalidTraceParent)
    }
}

/// So many bytes in hexadecimal digits, of which letters are small.
fn bytes<const N: usize>(text: &str) -> Result<[u8; N], InvalidTraceParent> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return Err(InvalidTraceParent);
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in digits {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return Err(InvalidTraceParent),
            };
            *byte = *byte << 4 | value;
        }
    }
    Ok(bytes)
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, parent_id) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.parent_id));
        write!(f, "00-{trace_id:032x}-{parent_id:016x}-{:02x}", self.flags)
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceParent({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_as_it_was_written() {
        let parent: TraceParent = TEXT.parse().unwrap();
        assert_eq!(parent.to_string(), TEXT);
        assert_eq!((parent.trace_id()[0], parent.parent_id()[7], parent.is_sampled()), (0x4b, 0xb7, true));
        assert_eq!(TraceParent::new(parent.trace_id(), parent.parent_id(), parent.flags()), Some(parent));
    }

    #[test]
    fn of_a_later_version_the_known_part_is_read() {
        let later = format!("cc{}-more-of-it", &TEXT[2..]);
        assert_eq!(later.parse(), TEXT.parse::<TraceParent>());
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        let zeros = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let wrong = [
            "",
            "00",
            &TEXT[..54],
            &format!("{TEXT}-"),
            &format!("ff{}", &TEXT[2..]),
            &TEXT.to_uppercase(),
            &TEXT.replace('-', "_"),
            &TEXT.replace("4b", "ö"),
            &zeros,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ];
        for text in wrong {
            assert_eq!(text.parse::<TraceParent>(), Err(InvalidTraceParent), "{text}");
        }
    }
}
