//! The values that the statements of the table `actor` are bound to.

use bytes::Bytes;
use scylla::{
    serialize::{
        SerializationError,
        row::{RowSerializationContext, SerializeRow},
        writers::RowWriter,
    },
    statement::prepared::PreparedStatement,
};

use super::{answer::bigint, statements::RowStatements};
use crate::journaled::{RangeDelete, RowParts, RowWrite};

/// One write to one row or range: with its timestamp.
pub(super) struct RowValues<'a> {
    parts: RowParts<'a>,
    stamp: i64,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Put(&'a Bytes),
    Delete,
    DeleteRange(&'a [u8]),
    DeleteTail,
}

impl<'a> RowValues<'a> {
    /// `None` only for an address that this crate has not made.
    pub(super) fn of_point(point: &'a RowWrite) -> Option<Self> {
        let kind = point.value.as_ref().map_or(Kind::Delete, Kind::Put);
        Some(RowValues { parts: point.key.parts()?, stamp: bigint(point.stamp), kind })
    }

    /// `None` only for an address that this crate has not made.
    pub(super) fn of_range(delete: &'a RangeDelete) -> Option<Self> {
        let (parts, end) = delete.range.parts()?;
        let kind = end.map_or(Kind::DeleteTail, Kind::DeleteRange);
        Some(RowValues { parts, stamp: bigint(delete.stamp), kind })
    }

    /// The statement that it is for.
    pub(super) fn statement<'s>(&self, statements: &'s RowStatements) -> &'s PreparedStatement {
        match self.kind {
            Kind::Put(_) => &statements.put,
            Kind::Delete => &statements.delete,
            Kind::DeleteRange(_) => &statements.delete_range,
            Kind::DeleteTail => &statements.delete_tail,
        }
    }
}

impl SerializeRow for RowValues<'_> {
    fn serialize(
        &self,
        ctx: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let RowParts { namespace, kind, name, module, key } = self.parts;
        let stamp = self.stamp;
        match self.kind {
            Kind::Put(value) => (namespace, kind, name, module, key, value.as_ref(), stamp).serialize(ctx, writer),
            Kind::Delete | Kind::DeleteTail => (stamp, namespace, kind, name, module, key).serialize(ctx, writer),
            Kind::DeleteRange(end) => (stamp, namespace, kind, name, module, key, end).serialize(ctx, writer),
        }
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// A range that is read: from a key on, to the end of its place or to another key.
pub(super) struct ScanValues<'a> {
    pub(super) parts: RowParts<'a>,
    pub(super) end: Option<&'a [u8]>,
}

impl SerializeRow for ScanValues<'_> {
    fn serialize(
        &self,
        ctx: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let RowParts { namespace, kind, name, module, key } = self.parts;
        match self.end {
            None => (namespace, kind, name, module, key).serialize(ctx, writer),
            Some(end) => (namespace, kind, name, module, key, end).serialize(ctx, writer),
        }
    }

    fn is_empty(&self) -> bool {
        false
    }
}
