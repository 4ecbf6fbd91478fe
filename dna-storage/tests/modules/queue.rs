//! The example's queue: a module of a user's own behaves as the built-in ones do.

use dna_core::{CallError, Error};

use crate::{
    bounded_queue::QueueError,
    support::{Probe, Probed},
};

async fn push_all(probe: &mut Probe, items: &[&str]) -> Result<(), Error> {
    for item in items {
        probe.queue.push((*item).to_owned()).await?;
    }
    Ok(())
}

async fn pop_all(probe: &mut Probe) -> Result<Vec<String>, Error> {
    let mut items = Vec::new();
    while let Some(item) = probe.queue.pop().await? {
        items.push(item);
    }
    Ok(items)
}

#[tokio::test]
async fn items_come_out_in_the_order_in_which_they_went_in() {
    let probed = Probed::new().await;
    probed.write(|probe| Box::pin(async move { push_all(probe, &["a", "b"]).await })).await.unwrap();
    let probed = probed.restart().await;
    let popped = probed.write(|probe| {
        Box::pin(async move {
            assert_eq!(probe.queue.pop().await?.as_deref(), Some("a"));
            push_all(probe, &["c"]).await?;
            assert_eq!(probe.queue.peek().await?.as_deref(), Some("b"));
            assert_eq!(probe.queue.len().await?, 2);
            assert_eq!(pop_all(probe).await?, ["b", "c"]);
            assert_eq!(probe.queue.peek().await?, None);
            assert_eq!(probe.queue.len().await?, 0);
            Ok(())
        })
    });
    popped.await.unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_and_keeps_what_it_has() {
    let probed = Probed::new().await;
    let pushed = probed.write(|probe| {
        Box::pin(async move {
            push_all(probe, &["a", "b", "c"]).await?;
            let full = probe.queue.push("d".into()).await.unwrap_err();
            assert_eq!(full, QueueError::Full { module: "queue".into(), capacity: 3 });
            assert_eq!(pop_all(probe).await?, ["a", "b", "c"]);
            Ok(())
        })
    });
    pushed.await.unwrap();
}

#[tokio::test]
async fn its_writes_and_those_of_a_kv_commit_together_or_not_at_all() {
    let probed = Probed::new().await;
    probed.write(|probe| Box::pin(async move { push_all(probe, &["a", "b"]).await })).await.unwrap();
    let failed = probed.write(|probe| {
        Box::pin(async move {
            let item = probe.queue.pop().await?.unwrap_or_default();
            probe.lines.put(item, 1);
            push_all(probe, &["c", "d", "e"]).await
        })
    });
    assert!(matches!(failed.await, Err(CallError::Handler { .. })), "the last one does not fit");
    let again = probed.write(|probe| {
        Box::pin(async move {
            assert!(probe.lines.list().await?.is_empty());
            let item = probe.queue.pop().await?.unwrap_or_default();
            probe.lines.put(item, 1);
            Ok(())
        })
    });
    again.await.unwrap();
    let probed = probed.restart().await;
    let read = probed.write(|probe| {
        Box::pin(async move {
            assert_eq!(probe.lines.get("a").await?, Some(1));
            assert_eq!(pop_all(probe).await?, ["b"]);
            Ok(())
        })
    });
    read.await.unwrap();
}
