//! Reading and writing the fields of a handshake message. Never reads behind the end.

use super::Refusal;

/// The bytes of a message that are not read yet.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(Refusal::NotThisProtocol)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Refusal> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Refusal> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Refusal> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Refusal::NotThisProtocol),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Refusal> {
        let bytes = usize::from(self.u8()?);
        let (text, rest) = self.0.split_at_checked(bytes).ok_or(Refusal::NotThisProtocol)?;
        self.0 = rest;
        str::from_utf8(text).map_err(|_| Refusal::NotThisProtocol)
    }
}

/// Appends a text; its length was checked when the transport was started.
pub(super) fn put_text(into: &mut Vec<u8>, text: &str) {
    let bytes = u8::try_from(text.len()).unwrap_or(u8::MAX);
    into.push(bytes);
    into.extend(text.bytes().take(usize::from(bytes)));
}
