//! No lint fires on what is generated, however many the user denies.
#![deny(warnings, missing_docs, missing_debug_implementations, missing_copy_implementations, unreachable_pub)]
#![deny(unused_qualifications, unused_results, single_use_lifetimes, trivial_casts, unnameable_types)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery, clippy::cargo)]
#![deny(clippy::panic, clippy::unreachable, clippy::todo, clippy::unwrap_used, clippy::expect_used)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::impl_trait_in_params)]
#![deny(clippy::missing_docs_in_private_items, clippy::exhaustive_enums, clippy::exhaustive_structs)]
#![deny(clippy::wildcard_enum_match_arm, clippy::let_underscore_untyped)]
#![deny(clippy::used_underscore_binding, clippy::same_name_method, clippy::partial_pub_fields)]
#![deny(non_camel_case_types, non_snake_case, unreachable_patterns, unreachable_code, variant_size_differences)]
#![forbid(unsafe_code, missing_docs, clippy::panic, clippy::unreachable, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::cargo_common_metadata, clippy::multiple_crate_versions, reason = "the workspace's concern")]

use dna::Context;

/// A private type with messages that lints look at twice.
struct Cart {
    /// How many.
    count: u64,
}

#[dna::actor(vis = pub)]
impl Cart {
    fn init(ctx: Context) -> dna::Result<Self> {
        let count = u64::from(ctx.name().name().is_empty());
        Ok(Self { count })
    }

    /// `clippy::len_without_is_empty`, `clippy::must_use_candidate`.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count
    }

    /// As it says.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// `clippy::wrong_self_convention` on the client, where `self` is another.
    pub fn set_from(&mut self, text: String, _unused: u8) {
        self.count = u64::try_from(text.len()).unwrap_or(u64::MAX);
        drop(text);
    }

    /// `clippy::result_unit_err` and the like.
    ///
    /// # Errors
    /// Where the count is odd.
    pub fn half(&self) -> Result<u64, [u64; 8]> {
        if self.count.is_multiple_of(2) { Ok(self.count >> 1) } else { Err([self.count; 8]) }
    }

    /// A deprecated message is deprecated on the client, and nowhere else.
    #[deprecated = "use `len`"]
    #[must_use]
    pub fn size(&self) -> u64 {
        self.count
    }
}

/// One message, and a copyable one.
struct Bell {
    /// How often it rang.
    rings: u8,
}

#[dna::actor(vis = pub(self))]
impl Bell {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Self { rings: 0 })
    }

    /// A name that lints have an opinion on, an allowed number of arguments, allowed names.
    #[allow(
        clippy::wrong_self_convention,
        clippy::too_many_arguments,
        clippy::many_single_char_names,
        reason = "wanted"
    )]
    #[allow(non_snake_case, reason = "wanted")]
    pub async fn into_Ring(&mut self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, hH: u8) -> (u8, u8) {
        self.rings ^= a;
        (b ^ c ^ d, e ^ f ^ g ^ hH)
    }
}

#[test]
fn nothing_fires() {
    let message = CartMessage::Size;
    assert_eq!(format!("{message:?}"), "Size");
}
