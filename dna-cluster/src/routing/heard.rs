//! What other nodes say of newer views: one task at a time reads what was heard of.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{limits::VIEW_PAUSE, seam};

/// The newest version that was heard of, while somebody is about reading it; else 0.
#[derive(Debug, Default)]
pub(super) struct Heard(AtomicU64);

impl Heard {
    /// Of a view that is not known here. Whether somebody has to [read](Heard::read) it, since nobody is about it.
    pub(super) fn of(&self, version: u64) -> bool {
        self.0.fetch_max(version, Ordering::SeqCst) == 0
    }

    /// Reads until that is found which was heard of. What is not found is forgotten, after a pause: who says that there is a
    /// view that there is not costs a read in a pause and no more.
    pub(super) async fn read<R: Future<Output = bool>>(&self, mut finds: impl FnMut(u64) -> R) {
        loop {
            let version = self.0.load(Ordering::SeqCst);
            if !finds(version).await {
                seam::sleep(VIEW_PAUSE).await;
            }
            if self.0.compare_exchange(version, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, task::Poll};

    use futures_util::poll;
    use tokio::time::{advance, pause};

    use super::*;

    #[tokio::test]
    async fn of_many_who_tell_of_newer_views_one_has_them_read_and_the_newest_last() {
        let heard = Heard::default();
        assert!(heard.of(5));
        assert!(!heard.of(5) && !heard.of(7) && !heard.of(6));
        let reads = Cell::new(0);
        let read = heard.read(|version| {
            reads.set(reads.get() + 1);
            // What is heard of meanwhile is read behind it.
            assert!(version == 9 || (version == 7 && !heard.of(9)));
            async { true }
        });
        let mut read = Box::pin(read);
        assert_eq!(poll!(&mut read), Poll::Ready(()));
        assert_eq!(reads.get(), 2);
        assert!(heard.of(10), "nobody is about it any more");
    }

    #[tokio::test]
    async fn a_view_that_is_not_found_is_not_read_again_before_a_pause() {
        pause();
        let (heard, reads) = (Heard::default(), Cell::new(0));
        for read in 1..4 {
            assert!(heard.of(u64::MAX));
            let mut reading = Box::pin(heard.read(|_| {
                reads.set(reads.get() + 1);
                async { false }
            }));
            for _ in 0..100 {
                assert!(poll!(&mut reading).is_pending());
                assert!(!heard.of(u64::MAX) && !heard.of(3), "somebody is about it");
            }
            assert_eq!(reads.get(), read);
            advance(VIEW_PAUSE).await;
            reading.await;
            assert_eq!(reads.get(), read);
        }
    }
}
