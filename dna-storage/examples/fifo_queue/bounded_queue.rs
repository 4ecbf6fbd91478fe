//! A first-in-first-out queue that holds at most `CAPACITY` items: a storage module as a user writes one.
//!
//! It needs nothing of DNA but the partition. An item stands under its number, and the empty key holds the numbers of
//! the two ends:
//!
//! | key | value |
//! |---|---|
//! | (empty) | [`Ends`] |
//! | `u64`: the item's number | the item |
//!
//! Every access is a read of the ends and of one row by its key. A queue that looks for its first item with a scan
//! walks over everything that it has ever deleted, since a store keeps the marks of deletions for a while.

use std::marker::PhantomData;

use bytes::Bytes;
use dna_core::{Error, ErrorKind, Partition, StorageModule};
use dna_storage::modules::{ModuleError, encode_key, get_value, put_value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The key of the ends: shorter than any number, so no item has it.
const ENDS: Bytes = Bytes::new();

/// A durable queue. It keeps nothing in its fields, so a rolled-back push or pop leaves no trace in it.
pub struct BoundedQueue<T, const CAPACITY: u64> {
    partition: Partition,
    items: PhantomData<fn() -> T>,
}

/// Which numbers are in the queue: from `head`, the oldest, up to `tail`, which the next item gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ends {
    head: u64,
    tail: u64,
}

/// Why an item could not be pushed or popped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The queue holds as many items as it may. Nothing was pushed: pop first.
    #[error("the queue `{module}` is full: it holds {capacity} items; take one out first")]
    Full {
        /// The queue's name.
        module: String,
        /// How many items it holds at most.
        capacity: u64,
    },
    /// An item is not where it must be: something else wrote to the module.
    #[error("item {number} of the queue `{module}` is missing; was the module opened as another type?")]
    Missing {
        /// The queue's name.
        module: String,
        /// The item's number.
        number: u64,
    },
    /// The queue could not be read.
    #[error(transparent)]
    Module(#[from] ModuleError),
}

/// So that a handler can use `?`.
impl From<QueueError> for Error {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Module(error) => error.into(),
            QueueError::Full { .. } | QueueError::Missing { .. } => Error::with_kind(ErrorKind::Storage, error),
        }
    }
}

impl Ends {
    fn len(self) -> u64 {
        self.tail.saturating_sub(self.head)
    }

    /// The number for one more item, unless that is one too many.
    fn push(&mut self, capacity: u64) -> Option<u64> {
        let number = self.tail;
        if self.len() >= capacity {
            return None;
        }
        self.tail += 1;
        Some(number)
    }

    /// The number of the oldest item.
    fn front(self) -> Option<u64> {
        (self.head < self.tail).then_some(self.head)
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static, const CAPACITY: u64> BoundedQueue<T, CAPACITY> {
    /// How many items are in the queue.
    #[allow(clippy::len_without_is_empty, reason = "`peek` answers that, too")]
    pub async fn len(&self) -> Result<u64, QueueError> {
        Ok(self.ends().await?.len())
    }

    /// The oldest item, which stays in the queue.
    pub async fn peek(&self) -> Result<Option<T>, QueueError> {
        match self.ends().await?.front() {
            Some(number) => self.item(number).await.map(Some),
            None => Ok(None),
        }
    }

    /// Adds an item behind all others.
    pub async fn push(&mut self, item: T) -> Result<(), QueueError> {
        let mut ends = self.ends().await?;
        let Some(number) = ends.push(CAPACITY) else {
            return Err(QueueError::Full { module: self.partition.module().to_owned(), capacity: CAPACITY });
        };
        put_value(&self.partition, encode_key::<u64>(&number), &item);
        put_value(&self.partition, ENDS, &ends);
        Ok(())
    }

    /// Takes the oldest item out.
    pub async fn pop(&mut self) -> Result<Option<T>, QueueError> {
        let mut ends = self.ends().await?;
        let Some(number) = ends.front() else { return Ok(None) };
        let item = self.item(number).await?;
        ends.head += 1;
        self.partition.delete(encode_key::<u64>(&number));
        put_value(&self.partition, ENDS, &ends);
        Ok(Some(item))
    }

    async fn ends(&self) -> Result<Ends, QueueError> {
        Ok(get_value(&self.partition, &ENDS).await?.unwrap_or_default())
    }

    async fn item(&self, number: u64) -> Result<T, QueueError> {
        let item = get_value(&self.partition, &encode_key::<u64>(&number)).await?;
        item.ok_or_else(|| QueueError::Missing { module: self.partition.module().to_owned(), number })
    }
}

impl<T, const CAPACITY: u64> StorageModule for BoundedQueue<T, CAPACITY> {
    fn open(partition: Partition) -> Self {
        BoundedQueue { partition, items: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_in_the_order_in_which_they_went_in() {
        let mut ends = Ends::default();
        assert_eq!(ends.front(), None);
        assert_eq!([ends.push(3), ends.push(3)], [Some(0), Some(1)]);
        assert_eq!((ends.front(), ends.len()), (Some(0), 2));
        ends.head += 1;
        assert_eq!((ends.front(), ends.len()), (Some(1), 1));
    }

    #[test]
    fn a_full_queue_takes_no_more_until_one_is_out() {
        let mut ends = Ends { head: 7, tail: 9 };
        assert_eq!(ends.push(3), Some(9));
        assert_eq!(ends.push(3), None);
        ends.head += 1;
        assert_eq!(ends.push(3), Some(10));
    }

    #[test]
    fn a_queue_with_no_capacity_is_always_full() {
        assert_eq!(Ends::default().push(0), None);
    }
}
