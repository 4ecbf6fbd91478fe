//! A scan of the store with the uncommitted writes laid over it.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    name::ActorName,
    store::{KeyRange, ReadError, Store},
};

use super::buffer::Overlay;

/// How many rows one read of the store asks for beyond those that are wanted, since some may be hidden.
const SPARE_ROWS: usize = 16;

/// How many rows one read of the store asks for at the most.
const PAGE_ROWS_MAX: usize = 4096;

/// The first `limit` rows of the overlay's range, in key order or against it.
pub(super) async fn merged(
    store: &dyn Store,
    actor: &ActorName,
    module: &str,
    overlay: Overlay,
    limit: usize,
    reverse: bool,
) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
    let mut rows = BTreeMap::new();
    let mut rest = (!overlay.hides_all()).then(|| overlay.range.clone());
    let mut visible = 0;
    while let Some(range) = rest.take()
        && visible < limit
    {
        let ask = (limit - visible).saturating_add(SPARE_ROWS).min(PAGE_ROWS_MAX);
        let page = store.scan(actor, module, &range, ask, reverse).await?;
        if page.len() >= ask {
            rest = page.last().and_then(|(last, _)| behind(&range, last, reverse));
        }
        for (key, value) in page {
            if !overlay.hides(&key) {
                visible += 1;
                rows.insert(key, value);
            }
        }
    }
    // Where the store's rows were cut off at the limit, what the overlay has behind them is cut off below too.
    rows.extend(overlay.rows.into_iter().filter_map(|(key, value)| Some((key, value?))));
    Ok(if reverse { rows.into_iter().rev().take(limit).collect() } else { rows.into_iter().take(limit).collect() })
}

/// What is left of `range` behind the row `last`.
fn behind(range: &KeyRange, last: &Bytes, reverse: bool) -> Option<KeyRange> {
    let rest = if reverse {
        KeyRange { start: range.start.clone(), end: Some(last.clone()) }
    } else {
        KeyRange { start: super::buffer::successor(last), end: range.end.clone() }
    };
    (!rest.is_empty()).then_some(rest)
}
