//! The disk alone: the same bytes, in as many writes as DNA had groups, each synced before the next one. Nothing that
//! syncs each group can be faster.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{Shape, blocking};
use crate::{
    error::Error,
    load::nanoseconds,
    measure::{Measured, Percentiles},
    store::name_of,
};

/// What the probe of the disk writes before each sync.
pub(crate) const PROBE_BYTES: usize = 4096;

/// Writes and syncs the shape's bytes. An operation is a put; a latency is that of a group.
pub(crate) async fn same_groups(path: PathBuf, shape: Shape) -> Result<Measured, Error> {
    let mut measured = blocking(move || {
        let bytes = entry_bytes(shape.puts_a_group(), shape.actors);
        series(&path, bytes, shape.groups)
    })
    .await?;
    measured.operations = shape.puts;
    Ok(measured)
}

/// The latency of one sync, now.
pub(crate) async fn probe(path: PathBuf, syncs: u64) -> Result<Option<Percentiles>, Error> {
    Ok(blocking(move || series(&path, PROBE_BYTES, syncs)).await?.percentiles())
}

fn series(path: &Path, bytes: usize, syncs: u64) -> Result<Measured, Error> {
    let failed = || Error::file(path);
    let mut file = File::create(path).map_err(failed())?;
    let block = vec![0x5a; bytes];
    file.sync_all().map_err(failed())?;
    let start = Instant::now();
    let mut measured = Measured { operations: syncs, groups: syncs, ..Measured::default() };
    for _ in 0..syncs {
        let before = Instant::now();
        file.write_all(&block).map_err(failed())?;
        file.sync_data().map_err(failed())?;
        measured.latencies.push(nanoseconds(before.elapsed()));
    }
    measured.elapsed = start.elapsed();
    Ok(measured)
}

/// The bytes of a group in the journal, as `dna-storage/src/journaled/entry.rs` lays them out.
fn entry_bytes(puts: u64, actors: u64) -> usize {
    let labels = 1 + "default".len() + 1 + "Table".len() + 1 + "rows".len() + 1;
    let frame = 1 + 8 + 8 + labels + 1 + 8;
    let actor = 2 + 1 + name_of(0).len() + 1;
    // The module and the kind; a key of eight bytes and a value of five behind their lengths.
    let put = 1 + 1 + 9 + 6;
    let times = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    frame + times(actors.min(puts)) * actor + times(puts) * put
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_frame_its_actors_and_its_puts() {
        assert_eq!(entry_bytes(1, 1), 46 + 16 + 17);
        assert_eq!(entry_bytes(1000, 1) - entry_bytes(1, 1), 999 * 17);
        assert_eq!(entry_bytes(64, 10_000), 46 + 64 * (16 + 17));
    }
}
