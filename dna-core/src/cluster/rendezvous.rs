//! Which node a shard should be on: weighted rendezvous hashing, in whole numbers, so that every machine comes to the
//! same answer.
//!
//! Rendezvous hashing is by D. G. Thaler and C. V. Ravishankar ("Using Name-Based Mappings to Increase Hit Rates",
//! IEEE/ACM Transactions on Networking 6(1), 1998): every candidate is hashed together with the shard, the highest
//! hash wins, and a candidate that goes away moves only what it had. The weights come in as in the logarithmic method
//! of C. Schindelhauer and G. Schomaker ("Weighted Distributed Hash Tables", SPAA 2005): with the hash taken as a
//! uniform number u in (0, 1], the lowest −ln(u) ⁄ weight wins, and a candidate wins with a probability in proportion
//! to its weight. For equal weights that is the highest hash.
//!
//! A floating-point logarithm may differ in its last bit from one platform to the next, and two nodes that disagree
//! would move a shard back and forth. So it is computed in fixed point, bit by bit, by repeated squaring (C. S. Turner,
//! "A Fast Binary Logarithm Algorithm", IEEE Signal Processing Magazine 27(5), 2010); its base does not matter.

use std::cmp::{Ordering, Reverse};

use xxhash_rust::xxh3::xxh3_64;

use super::{NodeId, Shard};

/// Bits behind the binary point of a logarithm.
const FRACTION_BITS: u32 = 48;

/// The node that `shard` should be on, out of candidates and their weights; none where no candidate has a weight.
///
/// The hash of a candidate is XXH3-64 with seed 0 over the 16 bytes of its id and the shard as a little-endian `u32`.
/// Ties, which hardly occur, go to the higher hash, then to the lower id. The order of the candidates does not matter.
pub fn rendezvous(shard: Shard, candidates: impl IntoIterator<Item = (NodeId, u32)>) -> Option<NodeId> {
    candidates
        .into_iter()
        .filter(|&(_, weight)| weight > 0)
        .map(|(node, weight)| Score::new(shard, node, weight))
        .min_by(Score::compare)
        .map(|score| score.node)
}

/// How far a candidate is from being chosen.
struct Score {
    /// −log2 of the hash as a number in (0, 1].
    distance: u64,
    weight: u32,
    hash: u64,
    node: NodeId,
}

impl Score {
    fn new(shard: Shard, node: NodeId, weight: u32) -> Self {
        let mut bytes = [0; 20];
        bytes[..16].copy_from_slice(node.as_bytes());
        bytes[16..].copy_from_slice(&shard.0.to_le_bytes());
        let hash = xxh3_64(&bytes);
        Score { distance: distance(hash), weight, hash, node }
    }

    /// Compares distance ⁄ weight, without dividing.
    fn compare(&self, other: &Self) -> Ordering {
        let left = u128::from(self.distance) * u128::from(other.weight);
        let right = u128::from(other.distance) * u128::from(self.weight);
        left.cmp(&right).then_with(|| (Reverse(self.hash), self.node).cmp(&(Reverse(other.hash), other.node)))
    }
}

/// −log2((hash + 1) ⁄ 2⁶⁴) in fixed point. Never rises with the hash.
fn distance(hash: u64) -> u64 {
    const ONE: u64 = 64 << FRACTION_BITS;
    let Some(number) = hash.checked_add(1) else { return 0 };
    let whole = number.ilog2();
    // The number as 1.… with 63 bits behind the point.
    let mut mantissa = number << (63 - whole);
    let mut log = u64::from(whole);
    for _ in 0..FRACTION_BITS {
        let square = (u128::from(mantissa) * u128::from(mantissa)) >> 63;
        let carry = square >> 64;
        // At the most 4 with 63 bits behind the point: halved where it is 2 or more.
        mantissa = u64::try_from(square >> carry).unwrap_or(u64::MAX);
        log = (log << 1) | u64::from(carry > 0);
    }
    ONE - log
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 16])
    }

    /// Which of the nodes 1, 2, 3, … with these weights is chosen for the shards 0 to 31. Computed with the reference
    /// implementation of XXH3 in C, through its Python binding, and logarithms of 60 decimal digits.
    #[rustfmt::skip]
    const GOLDEN: &[(&[u32], [u8; 32])] = &[
        (&[1], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        (&[1, 1], [2, 1, 1, 1, 2, 1, 2, 1, 2, 1, 1, 2, 2, 2, 2, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 2, 2, 2, 2, 1, 1, 1]),
        (&[1, 1, 1, 1, 1], [4, 1, 1, 4, 5, 5, 4, 1, 2, 1, 1, 3, 3, 2, 5, 5, 4, 3, 2, 5, 4, 2, 1, 1, 2, 5, 4, 2, 2, 1, 5, 5]),
        (&[7, 7, 7, 7, 7], [4, 1, 1, 4, 5, 5, 4, 1, 2, 1, 1, 3, 3, 2, 5, 5, 4, 3, 2, 5, 4, 2, 1, 1, 2, 5, 4, 2, 2, 1, 5, 5]),
        (&[1, 2, 3, 4], [4, 4, 1, 4, 4, 3, 4, 3, 2, 3, 1, 3, 3, 2, 2, 4, 4, 3, 2, 4, 4, 2, 4, 3, 2, 4, 4, 2, 2, 1, 4, 4]),
        (&[100, 1, 0, 50], [4, 1, 1, 4, 4, 1, 4, 1, 1, 1, 1, 1, 1, 4, 1, 4, 4, 1, 1, 1, 1, 1, 1, 1, 4, 4, 4, 1, 1, 1, 1, 1]),
        (&[4294967295, 4294967294, 1], [2, 1, 1, 1, 2, 1, 2, 1, 2, 1, 1, 2, 2, 2, 2, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 2, 2, 2, 2, 1, 1, 1]),
    ];

    #[test]
    fn shards_are_on_the_nodes_that_they_always_were_on() {
        for (weights, expected) in GOLDEN {
            let candidates = (1..).map(node).zip(weights.iter().copied());
            let chosen = (0..32).map(|shard| rendezvous(Shard(shard), candidates.clone()).unwrap());
            assert_eq!(chosen.collect::<Vec<_>>(), expected.map(node), "weights {weights:?}");
        }
    }

    #[test]
    fn nobody_is_chosen_where_nobody_has_a_weight() {
        assert_eq!(rendezvous(Shard(1), []), None);
        assert_eq!(rendezvous(Shard(1), [(node(1), 0), (node(2), 0)]), None);
        assert_eq!(rendezvous(Shard(1), [(node(1), 0), (node(2), 1)]), Some(node(2)));
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter() {
        let candidates: Vec<_> = (1..=9).map(|byte| (node(byte), u32::from(byte % 3) + 1)).collect();
        for shard in (0..256).map(Shard) {
            let backwards = rendezvous(shard, candidates.iter().rev().copied());
            assert_eq!(rendezvous(shard, candidates.iter().copied()), backwards);
        }
    }

    #[test]
    fn a_node_that_goes_away_moves_only_what_it_had() {
        let all: Vec<_> = (1..=7).map(|byte| (node(byte), u32::from(byte))).collect();
        let fewer: Vec<_> = all.iter().copied().filter(|&(candidate, _)| candidate != node(4)).collect();
        for shard in (0..4096).map(Shard) {
            let before = rendezvous(shard, all.iter().copied()).unwrap();
            let after = rendezvous(shard, fewer.iter().copied()).unwrap();
            assert!(before == after || before == node(4), "{shard:?} moved from {before} to {after}");
        }
    }

    #[test]
    fn shares_are_in_proportion_to_the_weights() {
        let weights = [1, 2, 5];
        let mut counts = [0_u32; 3];
        for shard in (0..80_000).map(Shard) {
            let chosen = rendezvous(shard, (1..).map(node).zip(weights)).unwrap();
            counts[usize::from(chosen.as_bytes()[0]) - 1] += 1;
        }
        for (count, weight) in counts.into_iter().zip(weights) {
            assert!(count.abs_diff(10_000 * weight) < 600, "{counts:?}");
        }
    }

    #[test]
    fn the_logarithm_is_exact_at_powers_of_two_and_never_rises() {
        for power in 0..64_u32 {
            assert_eq!(distance((1_u64 << power) - 1), u64::from(64 - power) << FRACTION_BITS);
        }
        assert_eq!(distance(u64::MAX), 0);
        let mut hashes: Vec<u64> = (0..10_000_u64).map(|n| xxh3_64(&n.to_le_bytes())).collect();
        hashes.extend((0..64).flat_map(|power| [(1_u64 << power) - 1, 1 << power, (1 << power) + 1]));
        hashes.sort_unstable();
        assert!(hashes.windows(2).all(|pair| distance(pair[0]) >= distance(pair[1])));
    }

    #[test]
    #[allow(clippy::cast_precision_loss, reason = "compared to few digits")]
    fn the_logarithm_is_close_to_that_in_floating_point() {
        for hash in (0..10_000_u64).map(|n| xxh3_64(&n.to_le_bytes())) {
            let float = 64.0 - (hash as f64).log2();
            let fixed = distance(hash) as f64 / f64::from(2).powi(48);
            assert!((float - fixed).abs() < 1e-10, "{hash}: {float} and {fixed}");
        }
    }
}
