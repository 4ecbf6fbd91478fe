//! The enums of messages and of replies. Their variants' and fields' names are the wire format.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, LitStr, ext::IdentExt};

use crate::{
    expand::{Names, attributes, docs_beside},
    model::{Method, Model},
};

/// Generates both enums.
pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names { actor_text, message, reply, private, item, .. } = names;
    let vis = &model.vis;
    let serde = quote!(#private::serde);
    let serde_path = LitStr::new(&serde.to_string().replace(' ', ""), proc_macro2::Span::call_site());
    let derives = quote! {
        #[::core::prelude::v1::derive(#serde::Serialize, #serde::Deserialize)]
        #[serde(crate = #serde_path)]
    };
    let message_docs = format!(
        "The messages of [`{actor_text}`], one variant a `pub` method, its arguments as fields.\n\n\
         They are sent by [`{}`]; written out, they serve to schedule a message and in `handle_events`. The names of \
         variants and fields are the wire format.",
        names.client
    );
    let reply_docs =
        format!("What [`{actor_text}`] answers, one variant a message of [`{message}`], with what the method returns.");
    let messages = model.messages().filter_map(message_variant(names));
    let replies = model.messages().filter_map(|method| {
        let (variant, answer, cfgs) = (method.variant.as_ref()?, &method.answer, attributes(&method.cfgs()));
        let docs = format!("What [`{actor_text}::{}`] answers.", method.ident.unraw());
        let field = format!("As [`{actor_text}::{}`] returns it.", method.ident.unraw());
        Some(quote!(#cfgs #[doc = #docs] #variant(#[doc = #field] #answer)))
    });
    let message_debug = debug(message, model, names);
    let reply_debug = debug(reply, model, names);
    quote! {
        #[doc = #message_docs]
        #item
        #derives
        #vis enum #message { #(#messages,)* }

        #[doc = #reply_docs]
        #item
        #derives
        #vis enum #reply { #(#replies,)* }

        #message_debug
        #reply_debug
    }
}

fn message_variant(names: &Names<'_>) -> impl Fn(&Method) -> Option<TokenStream> {
    let actor_text = names.actor_text.clone();
    move |method| {
        let variant = method.variant.as_ref()?;
        let cfgs = attributes(&method.cfgs());
        let name = method.ident.unraw();
        let docs = docs_beside(method, &actor_text, &format!("Calls [`{actor_text}::{name}`]."));
        let fields = method.arguments.iter().filter_map(|argument| {
            let (ident, ty) = (argument.ident.as_ref()?, &argument.ty);
            let docs = format!("The argument `{}` of [`{actor_text}::{name}`].", ident.unraw());
            Some(quote!(#[doc = #docs] #ident: #ty))
        });
        let fields = if method.arguments.is_empty() { quote!() } else { quote!({ #(#fields,)* }) };
        Some(quote!(#cfgs #docs #variant #fields))
    }
}

/// `Debug` by the variant's name alone: what a message carries need not be printable, nor fit to be logged.
fn debug(ident: &Ident, model: &Model, names: &Names<'_>) -> TokenStream {
    let item = &names.item;
    let arms = model.messages().filter_map(|method| {
        let (variant, cfgs) = (method.variant.as_ref()?, attributes(&method.cfgs()));
        let name = variant.to_string();
        Some(quote!(#cfgs #ident::#variant { .. } => #name))
    });
    quote! {
        #item
        #[automatically_derived]
        impl ::core::fmt::Debug for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(match *self { #(#arms,)* })
            }
        }
    }
}
