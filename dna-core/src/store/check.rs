//! What every store may rely on in a group, so that no row can be refused after its commit.

use super::{
    error::Refusal,
    group::{Group, Write, WriteKind},
};
use crate::limits::{GROUP_BYTES_MAX, KEY_BYTES_MAX, LABEL_BYTES_MAX, VALUE_BYTES_MAX};

impl Group {
    /// Whether the group keeps every limit: of its size, and of each module name, key and value in it.
    ///
    /// A store calls this before it appends anything, and answers `NotApplied` with the error.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] where a limit is passed.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut bytes = 0_usize;
        for write in self.actors.iter().flat_map(|actor| &actor.writes) {
            write.check()?;
            bytes = bytes.saturating_add(write.cost());
        }
        if bytes > GROUP_BYTES_MAX { Err(Refusal::Invalid) } else { Ok(()) }
    }
}

impl Write {
    fn check(&self) -> Result<(), Refusal> {
        let module_fits = (1..=LABEL_BYTES_MAX).contains(&self.module.len());
        let kind_fits = match &self.kind {
            WriteKind::Put { key, value } => key.len() <= KEY_BYTES_MAX && value.len() <= VALUE_BYTES_MAX,
            WriteKind::Delete { key } => key.len() <= KEY_BYTES_MAX,
            WriteKind::DeleteRange { .. } => true,
        };
        if module_fits && kind_fits { Ok(()) } else { Err(Refusal::Invalid) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{ActorName, ActorWrites, limits::WRITE_OVERHEAD_BYTES};

    fn group(writes: Vec<Write>) -> Group {
        let actor = ActorName::new("n", "T", "a").unwrap();
        Group { number: 1, actors: vec![ActorWrites { actor, writes }] }
    }

    fn put(module: &str, key: usize, value: usize) -> Write {
        let kind = WriteKind::Put { key: Bytes::from(vec![0; key]), value: Bytes::from(vec![0; value]) };
        Write { module: module.into(), kind }
    }

    #[test]
    fn a_write_at_its_limits_is_taken_and_one_byte_more_is_not() {
        let longest = "m".repeat(LABEL_BYTES_MAX);
        assert_eq!(group(vec![put(&longest, KEY_BYTES_MAX, VALUE_BYTES_MAX)]).check(), Ok(()));
        assert_eq!(group(vec![put("m", KEY_BYTES_MAX + 1, 0)]).check(), Err(Refusal::Invalid));
        assert_eq!(group(vec![put("m", 0, VALUE_BYTES_MAX + 1)]).check(), Err(Refusal::Invalid));
        assert_eq!(group(vec![put(&(longest + "m"), 0, 0)]).check(), Err(Refusal::Invalid));
        assert_eq!(group(vec![put("", 0, 0)]).check(), Err(Refusal::Invalid));
    }

    #[test]
    fn a_group_at_its_limit_is_taken_and_one_byte_more_is_not() {
        let quarter = GROUP_BYTES_MAX / 4 - WRITE_OVERHEAD_BYTES - 1;
        let mut writes = vec![put("m", 1, quarter); 4];
        assert_eq!(group(writes.clone()).check(), Ok(()));
        writes[0] = put("m", 2, quarter);
        assert_eq!(group(writes).check(), Err(Refusal::Invalid));
    }
}
