//! A list of a `Kv`'s rows: the builder, and the reading page after page. What to read is decided in `list_range`.

use std::{any::type_name, fmt, future::Future, marker::PhantomData, pin::Pin};

use dna_core::{Partition, Result};
use serde::de::DeserializeOwned;

use super::{
    access::decode,
    error::{KeyText, ModuleError},
    key::{EncodeKey, Key, decode_key, encode_key},
    key_prefix::{KeyPrefix, encode_prefix},
    list_range::ListOptions,
};

/// The rows of a [`Kv`](super::Kv) in key order, made by [`Kv::list`](super::Kv::list). Awaited, it reads them.
///
/// The options mean what they mean in the `list` of Cloudflare's Durable Objects. Together they narrow the list down:
/// only keys within all of them are in it. An option that is given twice counts as given last.
///
/// # Errors
/// [`ModuleError::List`] if both [`start`](List::start) and [`start_after`](List::start_after) are given, or a
/// [`limit`](List::limit) of 0; [`ModuleError::Read`] if the store cannot be read; [`ModuleError::Key`] or
/// [`ModuleError::Value`] if a row is not of the module's types. All of them as [`dna_core::Error`].
///
/// # Cancel safety
/// Dropping it, or its future, has no effect.
#[must_use = "a list reads nothing until it is awaited"]
pub struct List<'a, K, V> {
    partition: &'a Partition,
    options: ListOptions,
    types: PhantomData<fn() -> (K, V)>,
}

impl<'a, K: Key, V> List<'a, K, V> {
    pub(super) fn new(partition: &'a Partition) -> Self {
        List { partition, options: ListOptions::default(), types: PhantomData }
    }

    /// Only keys that begin with this: a string or byte string, or the leading components of a tuple. A key of a fixed
    /// size has no prefix:
    ///
    /// ```compile_fail,E0277
    /// async fn list(numbers: &dna_storage::Kv<u32, String>) -> dna_core::Result<Vec<(u32, String)>> {
    ///     numbers.list().prefix(1).await
    /// }
    /// ```
    pub fn prefix(mut self, prefix: impl KeyPrefix<K>) -> Self {
        self.options.prefix = Some(encode_prefix(&prefix));
        self
    }

    /// Only keys from this one on, itself included; in reverse the last one that is listed. It need not exist.
    pub fn start(mut self, key: impl EncodeKey<K>) -> Self {
        self.options.start = Some(encode_key(&key));
        self
    }

    /// Only keys behind this one, itself excluded: the last key of the former page, say. It need not exist.
    pub fn start_after(mut self, key: impl EncodeKey<K>) -> Self {
        self.options.start_after = Some(encode_key(&key));
        self
    }

    /// Only keys before this one, itself excluded, also in reverse. It need not exist.
    pub fn end(mut self, key: impl EncodeKey<K>) -> Self {
        self.options.end = Some(encode_key(&key));
        self
    }

    /// At most this many rows, at least 1: the first ones in the order of the list.
    pub fn limit(mut self, rows: usize) -> Self {
        self.options.limit = Some(rows);
        self
    }

    /// From the last key to the first. `start` still is the least key and `end` still lies behind the greatest.
    pub fn reverse(mut self) -> Self {
        self.options.reverse = true;
        self
    }
}

impl<K: Key, V: DeserializeOwned + Send + 'static> List<'_, K, V> {
    async fn read(self) -> Result<Vec<(K, V)>, ModuleError> {
        let module = self.partition.module();
        let mut pages =
            self.options.pages().map_err(|reason| ModuleError::List { module: module.to_owned(), reason })?;
        let mut list = Vec::new();
        while let Some(page) = pages.next() {
            let rows = self.partition.scan(page.range, page.limit, page.reverse).await?;
            pages.read(rows.len(), rows.last().map(|(key, _)| key));
            list.reserve(rows.len());
            for (key, value) in rows {
                let typed = decode_key(&key).map_err(|reason| ModuleError::Key {
                    module: module.to_owned(),
                    key: KeyText::new(&key),
                    expected: type_name::<K>(),
                    reason,
                })?;
                list.push((typed, decode(module, &key, value)?));
            }
        }
        Ok(list)
    }
}

impl<'a, K: Key, V: DeserializeOwned + Send + 'static> IntoFuture for List<'a, K, V> {
    type Output = Result<Vec<(K, V)>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.read().await?) })
    }
}

impl<K, V> fmt::Debug for List<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("module", &self.partition.module())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
