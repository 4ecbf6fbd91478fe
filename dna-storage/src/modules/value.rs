//! The module of a single value. It lives under the empty key of its partition.

use std::{fmt, marker::PhantomData};

use bytes::Bytes;
use dna_core::{Partition, Result, StorageModule};
use serde::{Serialize, de::DeserializeOwned};

use super::access::{get_value, put_value};

/// The only key of the module.
const KEY: Bytes = Bytes::new();

/// One durable value: a counter, a setting, the whole of a small state.
///
/// Writes return at once and are committed with the message; what cannot be written (a value too large, or one whose
/// `Serialize` fails) is the message's error at its end, and rolls it back. Reads see the writes of their own message.
///
/// ```
/// use dna_core::Result;
/// use dna_storage::Value;
///
/// struct Visits {
///     count: Value<u64>,
/// }
///
/// impl Visits {
///     async fn visit(&mut self) -> Result<u64> {
///         self.count.update(|count| count.unwrap_or(0) + 1).await
///     }
/// }
/// ```
pub struct Value<T> {
    partition: Partition,
    types: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Value<T> {
    /// The value, if one is set.
    ///
    /// # Errors
    /// [`ModuleError::Read`](super::ModuleError::Read) if the store cannot be read,
    /// [`ModuleError::Value`](super::ModuleError::Value) if the value is not a `T`; either as [`dna_core::Error`].
    ///
    /// # Cancel safety
    /// A dropped read has no effect.
    pub async fn get(&self) -> Result<Option<T>> {
        Ok(get_value(&self.partition, &KEY).await?)
    }

    /// Sets the value.
    ///
    /// # Panics
    /// Outside this actor's own `&mut self` handler.
    pub fn set(&mut self, value: T) {
        put_value(&self.partition, KEY, &value);
    }

    /// Sets the value to what `change` makes of the present one, and answers it.
    ///
    /// # Errors
    /// As for [`get`](Value::get); then nothing is set.
    ///
    /// # Cancel safety
    /// Dropped before it is done, it sets nothing.
    ///
    /// # Panics
    /// Outside this actor's own `&mut self` handler.
    pub async fn update(&mut self, change: impl FnOnce(Option<T>) -> T) -> Result<T> {
        let value = change(self.get().await?);
        put_value(&self.partition, KEY, &value);
        Ok(value)
    }

    /// Removes the value, if one is set.
    ///
    /// # Panics
    /// Outside this actor's own `&mut self` handler.
    pub fn delete(&mut self) {
        self.partition.delete(KEY);
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> StorageModule for Value<T> {
    fn open(partition: Partition) -> Self {
        Value { partition, types: PhantomData }
    }
}

impl<T> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("module", &self.partition.module()).finish_non_exhaustive()
    }
}
