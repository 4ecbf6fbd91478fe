//! What every store may rely on in a group, so that no row can be refused after its commit.

use std::collections::HashSet;

use bytes::Bytes;

use super::{
    error::Refusal,
    group::{Group, Write, WriteKind},
    range::KeyRange,
};
use crate::limits::{GROUP_BYTES_MAX, KEY_BYTES_MAX, LABEL_BYTES_MAX, VALUE_BYTES_MAX};

/// Longest bound of a range: the first key behind the longest one has a byte more.
const BOUND_BYTES_MAX: usize = KEY_BYTES_MAX + 1;

impl Group {
    /// Whether the group keeps every limit: of its size, of each module name, key, value and bound of a range in it; and
    /// whether the range deletes of each actor come first.
    ///
    /// A store calls this before it appends anything, and answers `NotApplied` with the error.
    ///
    /// That no actor, and no key of it, stands in the group twice is left to the committer: it would cost every commit
    /// more than all the rest.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] where a limit is passed, or a range delete comes late.
    ///
    /// # Panics
    /// With debug assertions, if an actor stands in the group twice, or a (module, key) in the puts and deletes of one.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut bytes = 0_usize;
        for actor in &self.actors {
            let mut rows_begun = false;
            for write in &actor.writes {
                write.check()?;
                bytes = bytes.saturating_add(write.cost());
                let is_range = matches!(write.kind, WriteKind::DeleteRange { .. });
                if is_range && rows_begun {
                    return Err(Refusal::Invalid);
                }
                rows_begun = !is_range;
            }
        }
        if bytes > GROUP_BYTES_MAX {
            return Err(Refusal::Invalid);
        }
        debug_assert!(self.names_nothing_twice(), "an actor or a key stands twice in group {}", self.number);
        Ok(())
    }

    fn names_nothing_twice(&self) -> bool {
        let mut actors = HashSet::new();
        self.actors.iter().all(|actor| {
            let mut keys = HashSet::new();
            let keys_differ = actor.writes.iter().all(|write| match &write.kind {
                WriteKind::Put { key, .. } | WriteKind::Delete { key } => keys.insert((&write.module, key)),
                WriteKind::DeleteRange { .. } => true,
            });
            keys_differ && actors.insert(&actor.actor)
        })
    }
}

impl Write {
    fn check(&self) -> Result<(), Refusal> {
        let module_fits = (1..=LABEL_BYTES_MAX).contains(&self.module.len());
        let kind_fits = match &self.kind {
            WriteKind::Put { key, value } => key.len() <= KEY_BYTES_MAX && value.len() <= VALUE_BYTES_MAX,
            WriteKind::Delete { key } => key.len() <= KEY_BYTES_MAX,
            WriteKind::DeleteRange { range: KeyRange { start, end } } => {
                start.len().max(end.as_ref().map_or(0, Bytes::len)) <= BOUND_BYTES_MAX
            }
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

    fn delete_range(start: usize, end: Option<usize>) -> Write {
        let bound = |bytes: usize| Bytes::from(vec![0; bytes]);
        let range = KeyRange { start: bound(start), end: end.map(bound) };
        Write { module: "m".into(), kind: WriteKind::DeleteRange { range } }
    }

    #[test]
    fn a_range_ends_behind_the_longest_key_at_the_most() {
        for (start, end) in [(0, None), (BOUND_BYTES_MAX, None), (0, Some(BOUND_BYTES_MAX))] {
            assert_eq!(group(vec![delete_range(start, end)]).check(), Ok(()));
        }
        for (start, end) in [(BOUND_BYTES_MAX + 1, None), (0, Some(BOUND_BYTES_MAX + 1))] {
            assert_eq!(group(vec![delete_range(start, end)]).check(), Err(Refusal::Invalid));
        }
    }

    #[test]
    fn a_range_delete_behind_a_put_of_its_actor_is_refused() {
        let (range, row) = (delete_range(0, None), put("m", 1, 1));
        assert_eq!(group(vec![range.clone(), row.clone()]).check(), Ok(()));
        assert_eq!(group(vec![row.clone(), range.clone()]).check(), Err(Refusal::Invalid));
        let mut two = group(vec![row.clone()]);
        let actor = ActorName::new("n", "T", "b").unwrap();
        two.actors.push(ActorWrites { actor, writes: vec![range, row] });
        assert_eq!(two.check(), Ok(()), "another actor's come first among its own");
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "stands twice in group 1")]
    fn a_key_that_stands_twice_is_a_mistake_of_the_committer() {
        let _ = group(vec![put("m", 1, 1), put("m", 1, 2)]).check();
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "stands twice in group 1")]
    fn an_actor_that_stands_twice_is_a_mistake_of_the_committer() {
        let mut twice = group(vec![put("m", 1, 1)]);
        twice.actors.push(ActorWrites { actor: twice.actors[0].actor.clone(), writes: vec![put("m", 2, 1)] });
        let _ = twice.check();
    }

    #[test]
    fn a_group_at_its_limit_is_taken_and_one_byte_more_is_not() {
        let quarter = GROUP_BYTES_MAX / 4 - WRITE_OVERHEAD_BYTES - 1;
        let mut writes: Vec<Write> = ["a", "b", "c", "d"].map(|module| put(module, 1, quarter)).into();
        assert_eq!(group(writes.clone()).check(), Ok(()));
        writes[0] = put("a", 2, quarter);
        assert_eq!(group(writes).check(), Err(Refusal::Invalid));
    }
}
