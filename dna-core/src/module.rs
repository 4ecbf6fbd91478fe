//! Storage modules: typed views of an actor's rows.

use crate::partition::Partition;

/// A typed view of one named part of an actor's rows: `Kv`, `Value`, or one of your own.
///
/// A module is a handle: it keeps nothing but its [`Partition`] (and what it can compute from it), since rolled-back
/// writes are undone in the partition, not in the module. Its writes commit together with those of every other module
/// that the same message wrote to.
///
/// To be correct:
/// - Every write goes through the partition; nothing that a write changed is kept in a field.
/// - What cannot be encoded is reported with [`Partition::fail`], which rolls the message back.
/// - Methods that write take `&mut self`, so that the compiler keeps them out of `&self` handlers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a storage module",
    note = "open a `Kv<K, V>`, a `Value<T>`, or a type of your own that implements `StorageModule`"
)]
pub trait StorageModule: Sized {
    /// Makes the view. Reads nothing: it is called in `init`, for every activation.
    fn open(partition: Partition) -> Self;
}
