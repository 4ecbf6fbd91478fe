//! `Kv`: what a message sees of its own writes, of earlier ones, and what is left of it when it fails.

use std::collections::BTreeMap;

use bytes::Bytes;
use dna_core::{
    CallError, Error, ErrorKind, WriteError,
    limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX},
};
use dna_storage::modules::limits::LIST_PAGE_ROWS;

use crate::support::{Probe, Probed, Unwilling};

fn rows<const N: usize>(rows: [(&str, u32); N]) -> Vec<(String, u32)> {
    rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[tokio::test]
async fn a_put_is_seen_by_its_own_message_by_later_ones_and_after_a_restart() {
    let probed = Probed::new().await;
    let written = probed.write(|probe| {
        Box::pin(async move {
            assert_eq!(probe.lines.get("apple").await?, None);
            probe.lines.put("apple", 3);
            assert_eq!(probe.lines.get("apple").await?, Some(3));
            assert_eq!(probe.lines.list().await?, rows([("apple", 3)]));
            Ok(())
        })
    });
    written.await.unwrap();
    probed.read(|probe| Box::pin(async move { expect_apple(probe, Some(3)).await })).await.unwrap();
    let probed = probed.restart().await;
    probed.read(|probe| Box::pin(async move { expect_apple(probe, Some(3)).await })).await.unwrap();
}

async fn expect_apple(probe: &Probe, count: Option<u32>) -> Result<(), Error> {
    assert_eq!(probe.lines.get("apple").await?, count);
    Ok(())
}

#[tokio::test]
async fn a_delete_hides_the_value_and_deleting_nothing_is_no_error() {
    let probed = Probed::new().await;
    probed
        .write(|probe| {
            Box::pin(async move {
                probe.lines.put("apple", 3);
                Ok(())
            })
        })
        .await
        .unwrap();
    let deleted = probed.write(|probe| {
        Box::pin(async move {
            probe.lines.delete("apple");
            probe.lines.delete("pear");
            assert_eq!(probe.lines.get("apple").await?, None);
            assert!(probe.lines.list().await?.is_empty());
            Ok(())
        })
    });
    deleted.await.unwrap();
    probed.read(|probe| Box::pin(async move { expect_apple(probe, None).await })).await.unwrap();
}

#[tokio::test]
async fn many_keys_are_answered_in_their_own_order() {
    let probed = Probed::new().await;
    let written = probed.write(|probe| {
        Box::pin(async move {
            probe.lines.put_many((0..100).map(|n| (format!("{n:03}"), n)));
            probe.lines.put_many([("001", 7), ("001", 8)]);
            probe.lines.delete_many(["002", "missing"]);
            let read = probe.lines.get_many(["050", "002", "001", "050", "missing"]).await?;
            assert_eq!(read, [Some(50), None, Some(8), Some(50), None]);
            assert!(probe.lines.get_many(Vec::<String>::new()).await?.is_empty());
            Ok(())
        })
    });
    written.await.unwrap();
    let read = probed.read(|probe| {
        Box::pin(async move {
            let read = probe.lines.get_many((0..101).rev().map(|n| format!("{n:03}"))).await?;
            let expected = (0..101).rev().map(|n| match n {
                100 | 2 => None,
                1 => Some(8),
                n => Some(n),
            });
            assert_eq!(read, expected.collect::<Vec<_>>());
            Ok(())
        })
    });
    read.await.unwrap();
}

#[tokio::test]
async fn a_list_merges_the_messages_own_writes_over_what_is_committed() {
    let probed = Probed::new().await;
    let key = |n: usize| format!("{n:05}");
    let count = 2 * LIST_PAGE_ROWS + 10;
    let written = probed.write(move |probe| {
        Box::pin(async move {
            probe.lines.put_many((0..count).step_by(2).map(|n| (key(n), 0)));
            Ok(())
        })
    });
    written.await.unwrap();
    let merged = probed.write(move |probe| {
        Box::pin(async move {
            let mut model: BTreeMap<String, u32> = (0..count).step_by(2).map(|n| (key(n), 0)).collect();
            for n in (0..count).filter(|n| n % 3 == 0) {
                probe.lines.put(key(n), 1);
                model.insert(key(n), 1);
            }
            for n in (0..count).filter(|n| n % 5 == 0) {
                probe.lines.delete(key(n));
                model.remove(&key(n));
            }
            for first in [0, 1, 100, count - 1, count] {
                for limit in [1, 7, LIST_PAGE_ROWS, LIST_PAGE_ROWS + 1, usize::MAX] {
                    let inside = || model.range(key(first)..key(count - 3)).map(|(key, value)| (key.clone(), *value));
                    if first < count - 3 {
                        let list = probe.lines.list().start(key(first)).end(key(count - 3)).limit(limit);
                        assert_eq!(list.await?, inside().take(limit).collect::<Vec<_>>());
                        let list = probe.lines.list().start(key(first)).end(key(count - 3)).limit(limit).reverse();
                        assert_eq!(list.await?, inside().rev().take(limit).collect::<Vec<_>>());
                    }
                    let behind = model.range(key(first)..).filter(|(found, _)| **found != key(first));
                    let behind = behind.map(|(key, value)| (key.clone(), *value)).take(limit);
                    let list = probe.lines.list().start_after(key(first)).limit(limit);
                    assert_eq!(list.await?, behind.collect::<Vec<_>>());
                }
            }
            assert_eq!(probe.lines.list().await?, model.into_iter().collect::<Vec<_>>());
            Ok(())
        })
    });
    merged.await.unwrap();
}

#[tokio::test]
async fn delete_all_takes_what_is_there_and_leaves_what_comes_after() {
    let probed = Probed::new().await;
    probed
        .write(|probe| {
            Box::pin(async move {
                probe.lines.put_many([("a", 1), ("b", 2)]);
                Ok(())
            })
        })
        .await
        .unwrap();
    let deleted = probed.write(|probe| {
        Box::pin(async move {
            probe.notes.put(("other", 1), "module".into());
            probe.lines.put("c", 3);
            probe.lines.delete_all();
            assert!(probe.lines.list().await?.is_empty());
            assert_eq!(probe.lines.get("a").await?, None);
            probe.lines.put("b", 4);
            assert_eq!(probe.lines.list().await?, rows([("b", 4)]));
            Ok(())
        })
    });
    deleted.await.unwrap();
    let read = probed.read(|probe| {
        Box::pin(async move {
            assert_eq!(probe.lines.list().await?, rows([("b", 4)]));
            assert_eq!(probe.notes.list().await?.len(), 1);
            Ok(())
        })
    });
    read.await.unwrap();
}

#[tokio::test]
async fn a_message_that_fails_leaves_nothing_in_any_module() {
    let probed = Probed::new().await;
    let before = probed.write(|probe| {
        Box::pin(async move {
            probe.lines.put_many([("a", 1), ("b", 2)]);
            probe.count.set(1);
            Ok(())
        })
    });
    before.await.unwrap();
    let failed = probed.write(|probe| {
        Box::pin(async move {
            probe.lines.delete_all();
            probe.lines.put("a", 9);
            probe.lines.put("c", 9);
            probe.notes.put(("alice", 1), "x".into());
            probe.count.update(|count| count.unwrap_or(0) + 1).await?;
            Err(Error::new("changed my mind"))
        })
    });
    assert!(matches!(failed.await, Err(CallError::Handler { .. })));
    let read = probed.read(|probe| {
        Box::pin(async move {
            assert_eq!(probe.lines.list().await?, rows([("a", 1), ("b", 2)]));
            assert!(probe.notes.list().await?.is_empty());
            assert_eq!(probe.count.get().await?, Some(1));
            Ok(())
        })
    });
    read.await.unwrap();
}

#[tokio::test]
async fn a_key_and_a_value_at_the_limit_are_stored_and_one_byte_more_rolls_back() {
    let probed = Probed::new().await;
    let at_the_limit = probed.write(|probe| {
        Box::pin(async move {
            probe.blobs.put(vec![7; KEY_BYTES_MAX], vec![7; VALUE_BYTES_MAX].into());
            Ok(())
        })
    });
    at_the_limit.await.unwrap();
    let long_key = probed.write(|probe| {
        Box::pin(async move {
            probe.lines.put("apple", 3);
            probe.blobs.put(vec![7; KEY_BYTES_MAX + 1], Bytes::new());
            Ok(())
        })
    });
    let Err(CallError::Write { error: WriteError::KeyTooLarge { module, bytes, .. }, .. }) = long_key.await else {
        panic!("a key of one byte too many was taken");
    };
    assert_eq!((module.as_str(), bytes), ("blobs", KEY_BYTES_MAX + 1));
    let large_value = probed.write(|probe| {
        Box::pin(async move {
            probe.lines.put("apple", 3);
            probe.blobs.put(b"k", vec![7; VALUE_BYTES_MAX + 1].into());
            Ok(())
        })
    });
    let error = large_value.await;
    assert!(matches!(error, Err(CallError::Write { error: WriteError::ValueTooLarge { .. }, .. })), "{error:?}");
    probed.read(|probe| Box::pin(async move { expect_apple(probe, None).await })).await.unwrap();
}

#[tokio::test]
async fn a_value_that_cannot_be_serialized_rolls_the_message_back() {
    let probed = Probed::new().await;
    let failed = probed.write(|probe| {
        Box::pin(async move {
            probe.lines.put("apple", 3);
            probe.unwilling.put(1, Unwilling);
            Ok(())
        })
    });
    let Err(CallError::Write { error: WriteError::Serialize { module, reason }, .. }) = failed.await else {
        panic!("a value that cannot be serialized was taken");
    };
    assert_eq!((module.as_str(), reason.as_str()), ("unwilling", "not today"));
    probed.read(|probe| Box::pin(async move { expect_apple(probe, None).await })).await.unwrap();
}

#[tokio::test]
async fn rows_of_another_type_are_named_in_the_error() {
    let probed = Probed::new().await;
    probed
        .write(|probe| {
            Box::pin(async move {
                probe.views.words.put("apple", "three".into());
                Ok(())
            })
        })
        .await
        .unwrap();
    let read = probed.read(|probe| {
        Box::pin(async move {
            let views = &probe.views;
            let errors = [
                views.numbers.get("apple").await.unwrap_err(),
                views.numbers.get_many(["pear", "apple"]).await.unwrap_err(),
                views.numbers.list().await.unwrap_err(),
                views.by_number.list().await.unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Storage);
                for part in ["`views`", "`apple`", "`u32`"] {
                    assert!(error.to_string().contains(part), "{part}: {error}");
                }
            }
            Ok(())
        })
    });
    read.await.unwrap();
}

#[tokio::test]
async fn contradictory_options_of_a_list_are_an_error_that_names_them() {
    let probed = Probed::new().await;
    let read = probed.read(|probe| {
        Box::pin(async move {
            let both = probe.lines.list().start("a").start_after("b").await.unwrap_err();
            assert!(both.to_string().contains("`start` and `start_after`"), "{both}");
            let none = probe.lines.list().limit(0).await.unwrap_err();
            assert!(none.to_string().contains("`limit`"), "{none}");
            Ok(())
        })
    });
    read.await.unwrap();
}

#[tokio::test]
async fn keys_order_as_their_types_do() {
    let probed = Probed::new().await;
    let listed = probed.write(|probe| {
        Box::pin(async move {
            probe.scores.put_many([3, -1, 0, i64::MIN, i64::MAX].map(|n| (n, n.to_string())));
            let scores = probe.scores.list().await?.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
            assert_eq!(scores, [i64::MIN, -1, 0, 3, i64::MAX]);
            let negative = probe.scores.list().end(0).reverse().limit(1).await?;
            assert_eq!(negative, [(-1, "-1".to_owned())]);

            probe.notes.put_many([("a", 2), ("a\0", 1), ("aa", 0), ("a", 1)].map(|key| (key, String::new())));
            let notes = probe.notes.list().await?.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
            assert_eq!(notes, [("a", 1), ("a", 2), ("a\0", 1), ("aa", 0)].map(|(name, n)| (name.to_owned(), n)));
            let of_a = probe.notes.list().prefix(("a",)).await?;
            assert_eq!(of_a.len(), 2);
            Ok(())
        })
    });
    listed.await.unwrap();
}

#[tokio::test]
async fn bytes_go_through_untouched_and_so_does_the_empty_key() {
    let probed = Probed::new().await;
    let value = Bytes::from_static(b"\xc1 not MessagePack \x00\xff");
    let written = value.clone();
    probed
        .write(|probe| {
            Box::pin(async move {
                probe.blobs.put(b"", written);
                Ok(())
            })
        })
        .await
        .unwrap();
    let probed = probed.restart().await;
    let read = probed.read(|probe| {
        Box::pin(async move {
            assert_eq!(probe.blobs.get(b"").await?, Some(value.clone()));
            assert_eq!(probe.blobs.list().await?, [(vec![], value)]);
            Ok(())
        })
    });
    read.await.unwrap();
}
