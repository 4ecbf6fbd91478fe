//! The address of an actor. Knows nothing of where the actor lives.

use std::{fmt, sync::Arc};

use crate::{
    limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX, WRITE_OVERHEAD_BYTES},
    outcome::Outcome,
};

/// The address of one actor: (namespace, type, name). Cheap to clone.
///
/// Every part is non-empty UTF-8: namespace and type up to [`LABEL_BYTES_MAX`] bytes, the name up to
/// [`NAME_BYTES_MAX`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorName(Arc<Parts>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    namespace: Arc<str>,
    kind: Arc<str>,
    name: Arc<str>,
}

impl ActorName {
    /// Makes an address of its three parts.
    ///
    /// # Errors
    /// [`NameError`] where a part is empty or too long.
    pub fn new(
        namespace: impl Into<Arc<str>>,
        kind: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Result<Self, NameError> {
        let parts = Parts { namespace: namespace.into(), kind: kind.into(), name: name.into() };
        check_part("namespace", &parts.namespace, LABEL_BYTES_MAX)?;
        check_part("actor type", &parts.kind, LABEL_BYTES_MAX)?;
        check_part("actor name", &parts.name, NAME_BYTES_MAX)?;
        Ok(ActorName(Arc::new(parts)))
    }

    /// The address of another actor of the same namespace and type, with which it shares these.
    ///
    /// # Errors
    /// [`NameError`] where the name is empty or too long.
    pub fn sibling(&self, name: impl Into<Arc<str>>) -> Result<Self, NameError> {
        let Parts { namespace, kind, .. } = &*self.0;
        ActorName::new(namespace.clone(), kind.clone(), name)
    }

    /// The namespace, a node's setting.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The actor's type, as it stands in addresses and in the store.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The name within its type.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl ActorName {
    /// What the address counts in a group, in bytes.
    pub(crate) fn cost(&self) -> usize {
        WRITE_OVERHEAD_BYTES + self.namespace().len() + self.kind().len() + self.name().len()
    }

    /// The name within its type, shared.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.0.name.clone()
    }
}

/// Says whether `value` may be the part `part` of an address (or a module's name).
pub(crate) fn check_part(part: &'static str, value: &str, max: usize) -> Result<(), NameError> {
    if value.is_empty() {
        return Err(NameError::Empty { part });
    }
    if value.len() > max {
        return Err(NameError::TooLong { part, bytes: value.len(), max });
    }
    Ok(())
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.0.namespace, self.0.kind, self.0.name)
    }
}

impl fmt::Debug for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A part of an address, or a module's name, that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The part is empty.
    #[error("the {part} is empty; give it at least one character")]
    Empty {
        /// Which part.
        part: &'static str,
    },
    /// The part is longer than its limit.
    #[error("the {part} has {bytes} bytes, at most {max} are allowed; shorten it, or use a hash of it")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// Its limit in bytes.
        max: usize,
    },
}

impl NameError {
    /// Always `NotApplied`: nothing was done.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Always `false`: the same name will never be taken.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_at_the_limit_is_taken_and_one_byte_more_is_not() {
        assert!(ActorName::new("n", "T", "x".repeat(NAME_BYTES_MAX)).is_ok());
        assert_eq!(
            ActorName::new("n", "T", "x".repeat(NAME_BYTES_MAX + 1)),
            Err(NameError::TooLong { part: "actor name", bytes: NAME_BYTES_MAX + 1, max: NAME_BYTES_MAX })
        );
    }

    #[test]
    fn a_label_at_the_limit_is_taken_and_one_byte_more_is_not() {
        assert!(ActorName::new("n".repeat(LABEL_BYTES_MAX), "T".repeat(LABEL_BYTES_MAX), "x").is_ok());
        assert!(ActorName::new("n".repeat(LABEL_BYTES_MAX + 1), "T", "x").is_err());
        assert!(ActorName::new("n", "T".repeat(LABEL_BYTES_MAX + 1), "x").is_err());
    }

    #[test]
    fn an_empty_part_is_refused_by_its_name() {
        assert_eq!(ActorName::new("", "T", "x"), Err(NameError::Empty { part: "namespace" }));
        assert_eq!(ActorName::new("n", "", "x"), Err(NameError::Empty { part: "actor type" }));
        assert_eq!(ActorName::new("n", "T", ""), Err(NameError::Empty { part: "actor name" }));
    }
}
