//! What an expansion contains that no compiled test can see: documents, lints, and that the block stays as it was.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, File, ImplItem, Item, Lit, Meta};

use crate::{
    check::check,
    errors::Errors,
    generate::generate,
    model::Model,
    parse::{Block, Options},
};

fn expansion(options: TokenStream, item: TokenStream) -> File {
    syn::parse2(generate(options, item)).unwrap_or_else(|error| panic!("the expansion is not a file: {error}"))
}

fn errors(options: TokenStream, item: TokenStream) -> Vec<String> {
    let mut errors = Errors::default();
    let options = Options::parse(options, &mut errors);
    match syn::parse2::<Block>(item) {
        Ok(block) => {
            check(&mut Model::new(options, block), &mut errors);
        }
        Err(error) => errors.push(error),
    }
    errors.messages()
}

fn docs(attrs: &[Attribute]) -> Vec<String> {
    let doc = |attr: &Attribute| match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    attrs.iter().filter_map(doc).collect()
}

fn cart() -> TokenStream {
    quote! {
        impl Cart {
            async fn init(ctx: Context) -> dna::Result<Self> { Ok(Cart) }

            /// Puts it in.
            ///
            /// See [`Cart::get`].
            #[cfg(feature = "put")]
            #[deprecated]
            #[must_use]
            pub async fn put(&mut self, sku: String) {}

            pub async fn get(&self) -> u32 { 1 }
        }
    }
}

fn variant_docs(file: &File, name: &str, variant: &str) -> Vec<String> {
    let attrs = file.items.iter().find_map(|item| match item {
        Item::Enum(item) if item.ident == name => {
            item.variants.iter().find(|found| found.ident == variant).map(|found| found.attrs.clone())
        }
        _ => None,
    });
    docs(&attrs.unwrap_or_default())
}

fn client_method(file: &File, method: &str) -> Vec<Attribute> {
    let is_client = |ty: &syn::Type| matches!(ty, syn::Type::Path(path) if path.path.is_ident("CartClient"));
    let attrs = file.items.iter().find_map(|item| match item {
        Item::Impl(item) if item.trait_.is_none() && is_client(&item.self_ty) => {
            item.items.iter().find_map(|item| match item {
                ImplItem::Fn(function) if function.sig.ident == method => Some(function.attrs.clone()),
                _ => None,
            })
        }
        _ => None,
    });
    attrs.unwrap_or_default()
}

#[test]
fn documents_travel_to_the_client_and_to_the_variant() {
    let file = expansion(quote!(), cart());
    let expected = ["Puts it in.", "", "See [`Cart::get`]."];
    assert_eq!(docs(&client_method(&file, "put")), expected);
    assert_eq!(variant_docs(&file, "CartMessage", "Put"), expected);
}

#[test]
fn self_in_a_link_is_spelled_out_where_it_would_be_the_enum() {
    let block = quote! {
        impl Cart {
            async fn init(ctx: Context) -> dna::Result<Self> { Ok(Cart) }
            /// See [`Self::get`] of [`Self`], [it](Self::get). Self-service.
            pub async fn put(&mut self) {}
        }
    };
    let file = expansion(quote!(), block);
    let expected = ["See [`Cart::get`] of [`Cart`], [it](Cart::get). Self-service."];
    assert_eq!(variant_docs(&file, "CartMessage", "Put"), expected);
}

#[test]
fn what_the_user_left_undocumented_is_documented() {
    let file = expansion(quote!(), cart());
    assert_eq!(docs(&client_method(&file, "get")), ["Calls [`Cart::get`]."]);
    assert_eq!(variant_docs(&file, "CartMessage", "Get"), ["Calls [`Cart::get`]."]);
    assert_eq!(variant_docs(&file, "CartReply", "Get"), ["What [`Cart::get`] answers."]);
}

#[test]
fn of_the_other_attributes_only_cfg_and_deprecated_travel() {
    let file = expansion(quote!(), cart());
    let attrs = client_method(&file, "put");
    let names = attrs.iter().map(|attr| quote::ToTokens::to_token_stream(attr.path()).to_string());
    let names = names.filter(|name| name != "doc").collect::<Vec<_>>();
    assert_eq!(names, ["cfg", "deprecated"]);
}

#[test]
fn the_block_is_emitted_as_it_was_written_without_the_helper_attributes() {
    let item = quote! {
        #[other]
        impl Cart {
            #[dna(plain)]
            #[dna::other]
            pub async fn put(&self) -> Result<(), ()> { #[dna(kept)] { anything [at] all } }
        }
    };
    let kept = quote! {
        #[other]
        impl Cart {
            #[dna::other]
            pub async fn put(&self) -> Result<(), ()> { #[dna(kept)] { anything [at] all } }
        }
    };
    assert_eq!(crate::parse::without_helper_attributes(item).to_string(), kept.to_string());
}

#[test]
fn a_sound_block_has_no_errors() {
    assert_eq!(errors(quote!(name = "cart", vis = pub(crate), crate = a::b, max_batch_messages = 1,), cart()), [""; 0]);
}

#[test]
fn a_name_at_the_limit_is_taken_and_one_byte_more_is_not() {
    let at = "x".repeat(128);
    let past = "x".repeat(129);
    assert_eq!(errors(quote!(name = #at), cart()).len(), 0);
    assert_eq!(errors(quote!(name = #past), cart()).len(), 1);
}

#[test]
fn one_message_a_batch_is_taken_and_none_is_not() {
    assert_eq!(errors(quote!(max_batch_messages = 1, mailbox_messages_max = 1), cart()).len(), 0);
    assert_eq!(errors(quote!(max_batch_messages = 0, mailbox_messages_max = 0), cart()).len(), 2);
}

#[test]
fn a_block_with_errors_is_still_expanded_for_its_sound_methods() {
    let file = expansion(
        quote!(colour = 1),
        quote! {
            impl Cart {
                pub async fn put(&mut self, sku: &str) {}
                pub async fn get(&self) -> u32 { 1 }
            }
        },
    );
    assert!(!client_method(&file, "get").is_empty());
    assert!(client_method(&file, "put").is_empty());
}

#[test]
fn every_item_that_can_stand_in_a_block_is_read() {
    let item = quote! {
        impl Cart {
            #![allow(unused)]
            const A: [u8; { 1 + 1 }] = [1; 2];
            pub type B = Vec<fn(u32) -> u32>;
            pub(crate) const fn c() -> u32 where u32: Copy { 1 }
            async extern "C" fn d<T>(self: Box<Self>, _: impl Fn(&T)) -> ! where T: { loop {} }
            async fn init(_: Context) -> dna::Result<Self> {}
            pub fn e(&self) -> <u32 as Into<u64>>::Output {}
        }
    };
    let found = errors(quote!(), item);
    // `pub(crate) const fn c()` breaks three rules of messages; all else is read and sound.
    assert_eq!(found.len(), 4, "{found:#?}");
}
