//! Lists against a model: a `BTreeMap` that is filtered as the documentation of each option says.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    error::ListError,
    limits::LIST_PAGE_ROWS,
    list_range::{ListOptions, Pages},
};

type Rows = BTreeMap<Bytes, u32>;

/// Reads the pages as a store would.
fn read(rows: &Rows, mut pages: Pages) -> Vec<Bytes> {
    let mut list = Vec::new();
    while let Some(page) = pages.next() {
        assert!(page.limit > 0 && page.limit <= LIST_PAGE_ROWS, "a page is bounded");
        assert!(!page.range.is_empty(), "nothing is read where nothing can be");
        let inside = rows.range(page.range.bounds()).map(|(key, _)| key.clone());
        let read: Vec<_> =
            if page.reverse { inside.rev().take(page.limit).collect() } else { inside.take(page.limit).collect() };
        pages.read(read.len(), read.last());
        list.extend(read);
    }
    list
}

/// What the options mean, said again without ranges.
fn model(rows: &Rows, options: &ListOptions) -> Vec<Bytes> {
    let mut keys: Vec<_> = rows
        .keys()
        .filter(|key| options.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix)))
        .filter(|key| options.start.as_ref().is_none_or(|start| *key >= start))
        .filter(|key| options.start_after.as_ref().is_none_or(|after| *key > after))
        .filter(|key| options.end.as_ref().is_none_or(|end| *key < end))
        .cloned()
        .collect();
    if options.reverse {
        keys.reverse();
    }
    keys.truncate(options.limit.unwrap_or(usize::MAX));
    keys
}

fn rows(keys: impl IntoIterator<Item = impl Into<Bytes>>) -> Rows {
    keys.into_iter().map(Into::into).zip(0..).collect()
}

/// None, and some of these.
fn choices(keys: &[&'static [u8]]) -> Vec<Option<Bytes>> {
    std::iter::once(None).chain(keys.iter().map(|key| Some(Bytes::from_static(key)))).collect()
}

#[test]
fn every_combination_of_options_lists_what_the_model_lists() {
    let stored = [
        &b""[..],
        b"\0",
        b"a",
        b"a\0",
        b"a\0\0",
        b"a\x01",
        b"aa",
        b"ab",
        b"ab\xff",
        b"ab\xff\xff",
        b"ac",
        b"b",
        b"ba",
        b"\xff",
        b"\xff\0",
        b"\xff\xff",
    ];
    let rows = rows(stored);
    let keys = choices(&[b"", b"a", b"a\0", b"ab", b"abc", b"b", b"c", b"\xff", b"\xff\xff"]);
    let prefixes = choices(&[b"", b"a", b"ab", b"ab\xff", b"bb", b"\xff", b"\xff\xff"]);
    let mut combinations = 0;
    for prefix in &prefixes {
        for end in &keys {
            for first in &keys {
                for after in [false, true] {
                    for limit in [None, Some(1), Some(2), Some(5), Some(usize::MAX)] {
                        for reverse in [false, true] {
                            let (start, start_after) =
                                if after { (None, first.clone()) } else { (first.clone(), None) };
                            let (prefix, end) = (prefix.clone(), end.clone());
                            let options = ListOptions { prefix, start, start_after, end, limit, reverse };
                            let expected = model(&rows, &options);
                            assert_eq!(read(&rows, options.clone().pages().unwrap()), expected, "{options:?}");
                            combinations += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(combinations, 8 * 10 * 10 * 2 * 5 * 2);
}

#[test]
fn a_list_of_many_pages_loses_and_repeats_nothing() {
    for count in [LIST_PAGE_ROWS - 1, LIST_PAGE_ROWS, LIST_PAGE_ROWS + 1, 3 * LIST_PAGE_ROWS] {
        let rows = rows((0..count).map(|n| n.to_be_bytes().to_vec()));
        for limit in [None, Some(1), Some(LIST_PAGE_ROWS), Some(LIST_PAGE_ROWS + 1), Some(count), Some(count + 1)] {
            for reverse in [false, true] {
                let options = ListOptions { limit, reverse, ..ListOptions::default() };
                let expected = model(&rows, &options);
                assert_eq!(read(&rows, options.pages().unwrap()), expected, "{count} {limit:?} {reverse}");
            }
        }
    }
}

#[test]
fn the_limit_and_the_direction_go_to_the_store() {
    let options = ListOptions { limit: Some(3), reverse: true, ..ListOptions::default() };
    let pages = options.pages().unwrap();
    let page = pages.next().unwrap();
    assert_eq!((page.limit, page.reverse), (3, true));
}

#[test]
fn a_list_that_can_hold_nothing_reads_nothing() {
    let key = |key: &'static [u8]| Some(Bytes::from_static(key));
    let empty = [
        ListOptions { start: key(b"b"), end: key(b"b"), ..ListOptions::default() },
        ListOptions { start: key(b"c"), end: key(b"b"), ..ListOptions::default() },
        ListOptions { end: key(b""), ..ListOptions::default() },
        ListOptions { prefix: key(b"a"), start: key(b"b"), ..ListOptions::default() },
        ListOptions { prefix: key(b"b"), end: key(b"b"), ..ListOptions::default() },
    ];
    for options in empty {
        assert_eq!(options.clone().pages().unwrap().next(), None, "{options:?}");
    }
}

#[test]
fn a_page_that_is_not_full_is_the_last_one() {
    let mut pages = ListOptions::default().pages().unwrap();
    pages.read(LIST_PAGE_ROWS, Some(&Bytes::from_static(b"m")));
    assert_eq!(pages.next().unwrap().range.start, &b"m\0"[..]);
    pages.read(LIST_PAGE_ROWS - 1, Some(&Bytes::from_static(b"z")));
    assert_eq!(pages.next(), None);
}

#[test]
fn contradictory_options_are_an_error() {
    let both = ListOptions {
        start: Some(Bytes::from_static(b"a")),
        start_after: Some(Bytes::from_static(b"a")),
        ..ListOptions::default()
    };
    assert_eq!(both.pages(), Err(ListError::StartAndStartAfter));
    let none = ListOptions { limit: Some(0), ..ListOptions::default() };
    assert_eq!(none.pages(), Err(ListError::LimitZero));
}
