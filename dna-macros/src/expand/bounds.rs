//! One check an argument and an answer, on its own type, so that a missing bound is reported there.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::{
    expand::{Names, at, attributes, span_of},
    model::Model,
};

/// Generates the checks.
pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names { private, item, .. } = names;
    let checks = model.messages().map(|method| {
        let cfgs = attributes(&method.cfgs());
        let types = method.arguments.iter().map(|argument| &argument.ty).chain([&method.answer]);
        let checks = types.map(|ty| quote_spanned!(at(span_of(ty))=> carried::<#ty>();));
        quote!(#cfgs { #(#checks)* })
    });
    quote! {
        #item
        const _: () = {
            fn carried<T>()
            where
                T: #private::serde::Serialize
                    + #private::serde::de::DeserializeOwned
                    + ::core::marker::Send
                    + 'static,
            {
            }
            fn check() { #(#checks)* }
        };
    }
}
