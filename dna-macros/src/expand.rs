//! From the model to code. Every path is absolute, through the crate's `__private`, and every item is documented, so
//! that the code means the same wherever it lands.

mod bounds;
mod client;
mod dispatch;
mod wire;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, MetaNameValue, Path, ext::IdentExt};

use crate::model::{Method, Model};

/// Generates everything that stands beside the user's block.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let Some(names) = Names::new(model) else {
        return TokenStream::new();
    };
    let mut tokens = bounds::expand(model, &names);
    tokens.extend(wire::expand(model, &names));
    tokens.extend(client::expand(model, &names));
    tokens.extend(dispatch::expand(model, &names));
    tokens
}

/// What is called how.
struct Names<'a> {
    /// The actor's type.
    actor: &'a Path,
    /// The same, for documents.
    actor_text: String,
    /// The enum of messages.
    message: Ident,
    /// The enum of replies.
    reply: Ident,
    /// The client.
    client: Ident,
    /// The crate's `__private`.
    private: TokenStream,
    /// The type's name in addresses.
    kind: LitStr,
    /// What every generated item carries: the block's `#[cfg]`s, and leave to be what it is.
    item: TokenStream,
}

impl<'a> Names<'a> {
    fn new(model: &'a Model) -> Option<Self> {
        let actor = model.actor.as_ref()?;
        let ident = &actor.segments.last()?.ident;
        let bare = ident.unraw();
        let krate = &model.krate;
        let cfgs = &model.cfgs;
        Some(Names {
            actor,
            actor_text: actor.to_token_stream().to_string().replace(' ', ""),
            message: format_ident!("{bare}Message", span = ident.span()),
            reply: format_ident!("{bare}Reply", span = ident.span()),
            client: format_ident!("{bare}Client", span = ident.span()),
            private: quote!(#krate::__private),
            kind: model.name.clone().unwrap_or_else(|| LitStr::new(&bare.to_string(), ident.span())),
            item: quote! {
                #(#cfgs)*
                #[allow(
                    clippy::all, clippy::pedantic, clippy::nursery, clippy::arbitrary_source_item_ordering,
                    clippy::exhaustive_enums, clippy::impl_trait_in_params, clippy::used_underscore_binding, dead_code,
                    deprecated, non_camel_case_types, non_snake_case, private_bounds, private_interfaces,
                    rustdoc::broken_intra_doc_links, rustdoc::private_intra_doc_links
                )]
            },
        })
    }
}

impl Names<'_> {
    /// The crate's `__private`, in the place of `span`.
    fn private_at(&self, span: Span) -> TokenStream {
        let place = |mut token: TokenTree| {
            token.set_span(token.span().located_at(span));
            token
        };
        self.private.clone().into_iter().map(place).collect()
    }
}

/// The documents of a generated item: the method's own, or one line.
fn docs(method: &Method, otherwise: &str) -> TokenStream {
    let docs = method.docs();
    if docs.is_empty() { quote!(#[doc = #otherwise]) } else { quote!(#(#docs)*) }
}

/// The same for a variant, where `Self` in a link would be the enum.
fn docs_beside(method: &Method, actor_text: &str, otherwise: &str) -> TokenStream {
    let mut attrs = method.docs().into_iter().cloned().collect::<Vec<_>>();
    for attr in &mut attrs {
        if let Meta::NameValue(MetaNameValue { value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }), .. }) =
            &mut attr.meta
        {
            let mut spelled = text.value();
            for (before, after) in [("[`", "`"), ("[`", "::"), ("[", "::"), ("(", "::")] {
                spelled = spelled.replace(&format!("{before}Self{after}"), &format!("{before}{actor_text}{after}"));
            }
            *text = LitStr::new(&spelled, text.span());
        }
    }
    if attrs.is_empty() { quote!(#[doc = #otherwise]) } else { quote!(#(#attrs)*) }
}

/// `attr`s, as tokens.
fn attributes(attrs: &[&Attribute]) -> TokenStream {
    quote!(#(#attrs)*)
}

/// The place of `span`, with the names of this macro: errors land on the user's token, lints do not.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// Tokens of the user's, with all of their places.
fn span_of(tokens: &impl ToTokens) -> Span {
    let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
    let Some(first) = spans.next() else {
        return Span::call_site();
    };
    spans.last().and_then(|last| first.join(last)).unwrap_or(first)
}
