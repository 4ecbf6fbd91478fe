//! The handle that a storage module has of its part of the rows.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{
    actor::Access,
    name::ActorName,
    scope,
    store::{KeyRange, ReadError},
    write_error::WriteError,
};

use super::{ActorRows, buffer::Found, scan};

/// One module's part of one actor's rows, as the messages of that actor see it: with what they wrote and is not yet
/// committed, and without what was rolled back.
///
/// Writes belong to the message that is being handled and share its fate. Reads see them at once.
#[derive(Clone)]
pub struct Partition {
    pub(super) rows: Arc<ActorRows>,
    pub(super) name: Arc<str>,
    pub(super) module: usize,
}

impl Partition {
    pub(crate) fn new(rows: Arc<ActorRows>, name: Arc<str>) -> Self {
        let module = rows.inner.lock().buffer.module(&name);
        Partition { rows, name, module }
    }

    /// The actor whose rows these are.
    pub fn actor(&self) -> &ActorName {
        &self.rows.name
    }

    /// The module's name.
    pub fn module(&self) -> &str {
        &self.name
    }

    /// Sets the value of a key.
    ///
    /// A key of more than [`KEY_BYTES_MAX`](crate::limits::KEY_BYTES_MAX) bytes, a value of more than
    /// [`VALUE_BYTES_MAX`](crate::limits::VALUE_BYTES_MAX), or more than
    /// [`MESSAGE_WRITE_BYTES_MAX`](crate::limits::MESSAGE_WRITE_BYTES_MAX) in one message roll the message back when
    /// its handler ends, with a [`WriteError`] for its caller.
    ///
    /// # Panics
    /// Outside of a `&mut self` handler (or `init`, `handle_events`, `on_stop`) of the actor itself, such as in a task
    /// that the handler spawned: such a write would belong to no message.
    pub fn put(&self, key: Bytes, value: Bytes) {
        self.check_writer();
        self.rows.inner.lock().buffer.write(self.module, key, Some(value));
    }

    /// Removes a key. A key that is not there may be removed too.
    ///
    /// # Panics
    /// As [`put`](Partition::put).
    pub fn delete(&self, key: Bytes) {
        self.check_writer();
        self.rows.inner.lock().buffer.write(self.module, key, None);
    }

    /// Removes every key of a range. Reads no row, whatever the size of the range.
    ///
    /// # Panics
    /// As [`put`](Partition::put).
    pub fn delete_range(&self, range: KeyRange) {
        self.check_writer();
        self.rows.inner.lock().buffer.delete_range(self.module, range);
    }

    /// Rolls the running message back when its handler ends, with `error` for its caller. The first error of a message
    /// is the one that it ends with.
    ///
    /// # Panics
    /// As [`put`](Partition::put).
    pub fn fail(&self, error: WriteError) {
        self.check_writer();
        self.rows.inner.lock().buffer.fail(error);
    }

    /// Reads one key: the message's own writes, those that wait to be committed, the cache, the store, in this order.
    ///
    /// # Errors
    /// [`ReadError`] where the store had to be asked and could not answer, or outside of a handler of this actor.
    ///
    /// # Cancel safety
    /// A dropped read has no effect.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        self.check_reader()?;
        let version = match self.rows.inner.lock().buffer.get(self.module, key) {
            Found::Row(value) => return Ok(value),
            Found::Ask { version } => version,
        };
        let store = self.rows.home.lane.store().ok_or(ReadError::Closed)?;
        let value = store.get(&self.rows.name, &self.name, key).await?;
        let mut inner = self.rows.inner.lock();
        inner.buffer.keep(self.module, key, value.clone(), version);
        self.rows.count_cache(&mut inner);
        Ok(value)
    }

    /// Reads the rows of a range in key order, or against it where `reverse`; at most `limit` of them.
    ///
    /// # Errors
    /// As [`get`](Partition::get).
    ///
    /// # Cancel safety
    /// A dropped read has no effect.
    pub async fn scan(&self, range: &KeyRange, limit: usize, reverse: bool) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        self.check_reader()?;
        if limit == 0 || range.is_empty() {
            return Ok(Vec::new());
        }
        // Before the store is read: what is committed and stored meanwhile is in the snapshot, or in the store.
        let overlay = self.rows.inner.lock().buffer.overlay(self.module, range, limit, reverse);
        let store = self.rows.home.lane.store().ok_or(ReadError::Closed)?;
        scan::merged(&*store, &self.rows.name, &self.name, overlay, limit, reverse).await
    }

    fn check_writer(&self) {
        let writer = scope::with(|scope| {
            scope.is_some_and(|scope| {
                scope.wrote = true;
                scope.access == Access::Exclusive && Arc::ptr_eq(&scope.rows, &self.rows)
            })
        });
        assert!(
            writer,
            "write to module `{}` of {} outside of a `&mut self` handler of that actor: it would belong to no message, so \
             write in the handler itself, not in a task that it spawns",
            self.name, self.rows.name,
        );
    }

    fn check_reader(&self) -> Result<(), ReadError> {
        let reader = scope::with(|scope| scope.is_some_and(|scope| Arc::ptr_eq(&scope.rows, &self.rows)));
        if reader { Ok(()) } else { Err(ReadError::OutsideHandler) }
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition").field("actor", &self.rows.name).field("module", &self.name).finish_non_exhaustive()
    }
}
