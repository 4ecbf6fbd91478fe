//! `Value`: one durable cell.

use dna_core::Error;

use crate::support::{Probe, Probed};

async fn expect(probe: &Probe, count: Option<u64>) -> Result<(), Error> {
    assert_eq!(probe.count.get().await?, count);
    Ok(())
}

#[tokio::test]
async fn a_value_is_none_until_it_is_set_and_after_it_was_deleted() {
    let probed = Probed::new().await;
    let set = probed.write(|probe| {
        Box::pin(async move {
            expect(probe, None).await?;
            probe.count.set(7);
            expect(probe, Some(7)).await
        })
    });
    set.await.unwrap();
    let probed = probed.restart().await;
    let deleted = probed.write(|probe| {
        Box::pin(async move {
            expect(probe, Some(7)).await?;
            probe.count.delete();
            expect(probe, None).await
        })
    });
    deleted.await.unwrap();
    probed.read(|probe| Box::pin(async move { expect(probe, None).await })).await.unwrap();
}

#[tokio::test]
async fn updates_of_many_messages_add_up() {
    let probed = Probed::new().await;
    for n in 1..=10 {
        let updated = probed.write(move |probe| {
            Box::pin(async move {
                assert_eq!(probe.count.update(|count| count.unwrap_or(0) + 1).await?, 2 * n - 1);
                assert_eq!(probe.count.update(|count| count.unwrap_or(0) + 1).await?, 2 * n);
                Ok(())
            })
        });
        updated.await.unwrap();
    }
    let probed = probed.restart().await;
    probed.read(|probe| Box::pin(async move { expect(probe, Some(20)).await })).await.unwrap();
}

#[tokio::test]
async fn an_update_of_a_failed_message_is_undone() {
    let probed = Probed::new().await;
    probed
        .write(|probe| {
            Box::pin(async move {
                probe.count.set(1);
                Ok(())
            })
        })
        .await
        .unwrap();
    let failed = probed.write(|probe| {
        Box::pin(async move {
            probe.count.update(|_| 2).await?;
            Err(Error::new("no"))
        })
    });
    assert!(failed.await.is_err());
    probed.read(|probe| Box::pin(async move { expect(probe, Some(1)).await })).await.unwrap();
}
