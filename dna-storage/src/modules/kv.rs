//! The key-value module. It knows keys and values by their encodings only, and keeps nothing but its partition.

use std::{fmt, marker::PhantomData};

use dna_core::{KeyRange, Partition, Result, StorageModule};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    access::{get_value, put_row},
    error::ModuleError,
    key::{EncodeKey, Key, encode_key},
    limits::GET_MANY_READS_MAX,
    list::List,
};

/// A durable, ordered map.
///
/// Keys order as their type orders; values are any serde type. Where a method takes a key it takes the key itself, a
/// reference, or a borrowed form: `"apple"` for a `String`, `("alice", 3)` for a `(String, u32)`.
///
/// Writes return at once and are committed with the message; what cannot be written (a key or value too large, or one
/// whose `Serialize` fails) is the message's error at its end, and rolls it back. Reads see the writes of their own
/// message. There is no `len`: it would have to read every row. Keep a count in a [`Value`](super::Value) instead.
///
/// ```
/// use dna_core::Result;
/// use dna_storage::Kv;
///
/// struct Cart {
///     lines: Kv<String, u32>,
/// }
///
/// impl Cart {
///     async fn add(&mut self, sku: String, count: u32) -> Result<u32> {
///         let total = self.lines.get(&sku).await?.unwrap_or(0) + count;
///         self.lines.put(sku, total);
///         Ok(total)
///     }
///
///     async fn fruit(&self) -> Result<Vec<(String, u32)>> {
///         self.lines.list().prefix("fruit/").limit(100).await
///     }
/// }
/// ```
pub struct Kv<K, V> {
    partition: Partition,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Serialize + DeserializeOwned + Send + 'static> Kv<K, V> {
    /// Sets the value of a key.
    ///
    /// # Panics
    /// Outside this actor's own `&mut self` handler.
    pub fn put(&mut self, key: impl EncodeKey<K>, value: V) {
        put_row(&self.partition, &key, &value);
    }

    /// Removes a key and its value, if it is there.
    ///
    /// # Panics
    /// Outside this actor's own `&mut self` handler.
    pub fn delete(&mut self, key: impl EncodeKey<K>) {
        self.partition.delete(encode_key(&key));
    }

    /// The value of a key, if it has one.
    ///
    /// # Errors
    /// [`ModuleError::Read`] if the store cannot be read, [`ModuleError::Value`] if the value is not a `V`; either as
    /// [`dna_core::Error`].
    ///
    /// # Cancel safety
    /// A dropped read has no effect.
    pub async fn get(&self, key: impl EncodeKey<K>) -> Result<Option<V>> {
        Ok(get_value(&self.partition, &encode_key(&key)).await?)
    }

    /// The values of many keys, one for each, in the order of the keys. Reads up to [`GET_MANY_READS_MAX`] at once.
    ///
    /// # Errors
    /// As for [`get`](Kv::get): the first error is the answer.
    ///
    /// # Cancel safety
    /// A dropped read has no effect.
    pub async fn get_many(&self, keys: impl IntoIterator<Item = impl EncodeKey<K>>) -> Result<Vec<Option<V>>> {
        let keys: Vec<_> = keys.into_iter().map(|key| encode_key(&key)).collect();
        let reads = keys.into_iter().map(|key| {
            let partition = self.partition.clone();
            async move { get_value(&partition, &key).await }
        });
        let values: Result<_, ModuleError> = stream::iter(reads).buffered(GET_MANY_READS_MAX).try_collect().await;
        Ok(values?)
    }

    /// Sets the values of many keys. Of a key that comes twice the last value counts.
    ///
    /// # Panics
    /// Outside this actor's own `&mut self` handler.
    pub fn put_many(&mut self, entries: impl IntoIterator<Item = (impl EncodeKey<K>, V)>) {
        for (key, value) in entries {
            self.put(key, value);
        }
    }

    /// Removes many keys and their values.
    ///
    /// # Panics
    /// Outside this actor's own `&mut self` handler.
    pub fn delete_many(&mut self, keys: impl IntoIterator<Item = impl EncodeKey<K>>) {
        for key in keys {
            self.delete(key);
        }
    }

    /// Removes everything in this module. One write, however much there is.
    ///
    /// # Panics
    /// Outside this actor's own `&mut self` handler.
    pub fn delete_all(&mut self) {
        self.partition.delete_range(KeyRange::all());
    }

    /// The rows in key order, narrowed down by the options of [`List`]. Awaited, it answers a `Vec<(K, V)>`.
    ///
    /// Without a [`limit`](List::limit) all that matches is read into memory, in pages of
    /// [`LIST_PAGE_ROWS`](super::limits::LIST_PAGE_ROWS): give one where there may be much.
    pub fn list(&self) -> List<'_, K, V> {
        List::new(&self.partition)
    }
}

impl<K: Key, V: Serialize + DeserializeOwned + Send + 'static> StorageModule for Kv<K, V> {
    fn open(partition: Partition) -> Self {
        Kv { partition, types: PhantomData }
    }
}

impl<K, V> fmt::Debug for Kv<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kv").field("module", &self.partition.module()).finish_non_exhaustive()
    }
}
