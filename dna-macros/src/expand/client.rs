//! The client: one method a message, and the function that makes a client for a name.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::{
    expand::{Names, at, attributes, docs, span_of},
    model::{Method, Model},
};

/// Generates the client and `Actor::client`.
pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names { actor, actor_text, client, private, item, .. } = names;
    let vis = &model.vis;
    let methods = model.messages().filter_map(|method| client_method(method, model, names));
    let client_text = client.to_string();
    let client_docs = format!(
        "Calls one [`{actor_text}`], by the name that it was made for: [`{actor_text}::client`].\n\n\
         Cheap to clone. A method makes a call, which is sent when it is awaited; see [`Call`]({}) for what else can \
         be done with it.",
        call_path(model)
    );
    let function_docs = format!(
        "A client of the [`{actor_text}`] called `name`, through the process's node, or through the handler's within a \
         handler.\n\n\
         Sends nothing. Where the process has no node, or several, the calls say so."
    );
    let private_client = quote!(#private::Client<#actor>);
    // A message called `name` is the user's choice; the name is then found through `AsRef`.
    let name = (!model.messages().any(|method| method.ident.unraw() == "name")).then(|| {
        quote! {
            /// The name of the actor that is called.
            #vis fn name(&self) -> &str {
                self.client.name()
            }
        }
    });
    // Where a method has taken the name, that is reported; this keeps the compiler from reporting it again.
    let function = (!model.methods.iter().any(|method| method.ident == "client")).then(|| {
        quote! {
            #item
            impl #actor {
                #[doc = #function_docs]
                #vis fn client(name: impl ::core::convert::Into<::std::sync::Arc<str>>) -> #client {
                    #client { client: #private::Client::of_process(name) }
                }
            }
        }
    });
    quote! {
        #[doc = #client_docs]
        #item
        #vis struct #client {
            client: #private_client,
        }

        #item
        impl #client {
            #name
            #(#methods)*
        }

        #item
        #[automatically_derived]
        impl ::core::clone::Clone for #client {
            fn clone(&self) -> Self {
                Self { client: ::core::clone::Clone::clone(&self.client) }
            }
        }

        #item
        #[automatically_derived]
        impl ::core::fmt::Debug for #client {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#client_text).field(&self.client).finish()
            }
        }

        #item
        #[automatically_derived]
        impl ::core::convert::From<#private_client> for #client {
            fn from(client: #private_client) -> Self {
                Self { client }
            }
        }

        #item
        #[automatically_derived]
        impl ::core::convert::AsRef<#private_client> for #client {
            fn as_ref(&self) -> &#private_client {
                &self.client
            }
        }

        #function
    }
}

fn client_method(method: &Method, model: &Model, names: &Names<'_>) -> Option<TokenStream> {
    let Names { actor, actor_text, message, reply, private, .. } = names;
    let (ident, variant, answer, vis) = (&method.ident, method.variant.as_ref()?, &method.answer, &model.vis);
    let docs = docs(method, &format!("Calls [`{actor_text}::{}`].", ident.unraw()));
    let cfgs = attributes(&method.cfgs());
    let deprecations = attributes(&method.deprecations());
    let parameters = method.arguments.iter().filter_map(|argument| {
        let (name, ty) = (argument.ident.as_ref()?, &argument.ty);
        Some(if argument.is_string() { quote!(#name: impl ::core::convert::Into<#ty>) } else { quote!(#name: #ty) })
    });
    let fields = method.arguments.iter().filter_map(|argument| {
        let name = argument.ident.as_ref()?;
        Some(if argument.is_string() {
            quote!(#name: ::core::convert::Into::into(#name))
        } else {
            quote!(#name: #name)
        })
    });
    let fields = if method.arguments.is_empty() { quote!() } else { quote!({ #(#fields,)* }) };
    let (call, result) = if method.is_fallible() {
        let span = at(span_of(answer));
        let private = names.private_at(span);
        (
            quote_spanned!(span=> #private::TryCall<#actor, #answer>),
            quote_spanned!(span=> #private::Fallible::into_result(answer)),
        )
    } else {
        (quote!(#private::Call<#actor, #answer>), quote!(::core::result::Result::Ok(answer)))
    };
    Some(quote! {
        #cfgs
        #docs
        #deprecations
        #vis fn #ident(&self, #(#parameters),*) -> #call {
            self.client.call(#message::#variant #fields, |reply| match reply {
                #reply::#variant(answer) => ::core::option::Option::Some(#result),
                _ => ::core::option::Option::None,
            })
        }
    })
}

/// Where a document finds `Call`.
fn call_path(model: &Model) -> String {
    let krate = &model.krate;
    format!("{}::__private::Call", quote!(#krate)).replace(' ', "")
}
