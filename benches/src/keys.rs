//! The keys and values of the loads.

/// The value of every put.
pub(crate) const VALUE: &str = "test";

/// The order in which keys come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// 0, 1, 2, …
    InOrder,
    /// The same number of keys, spread over all of `u64`.
    Scattered,
}

impl Keys {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Keys::InOrder => "in order",
            Keys::Scattered => "scattered",
        }
    }

    /// The key that comes at this place; no two places have the same one.
    pub(crate) fn at(self, place: u64) -> u64 {
        match self {
            Keys::InOrder => place,
            // The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every step of it can be undone.
            Keys::Scattered => {
                let a = (place ^ (place >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                b ^ (b >> 31)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_comes_twice() {
        for keys in [Keys::InOrder, Keys::Scattered] {
            assert_eq!((0..100_000).map(|place| keys.at(place)).collect::<HashSet<_>>().len(), 100_000);
        }
    }

    #[test]
    fn scattered_keys_are_not_in_order() {
        let rising = (0..1000).filter(|place| Keys::Scattered.at(*place) < Keys::Scattered.at(place + 1)).count();
        assert!((400..600).contains(&rising), "{rising}");
    }
}
