//! The implementation of `Actor`: which message needs what, and which method handles it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};

use crate::{
    expand::{Names, at, attributes, span_of},
    model::{Hook, Method, Model, PLACEMENTS, Receiver},
};

/// Generates the implementation.
pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names { actor, message, reply, client, private, kind, item, .. } = names;
    let options = options(model, names);
    let access = model.messages().filter_map(|method| {
        let (variant, cfgs) = (method.variant.as_ref()?, attributes(&method.cfgs()));
        let access = match method.receiver {
            Receiver::Exclusive => quote!(Exclusive),
            _ => quote!(Shared),
        };
        Some(quote!(#cfgs #message::#variant { .. } => #private::Access::#access))
    });
    let shared = arms(model, names, Receiver::Shared);
    let exclusive = arms(model, names, Receiver::Exclusive);
    let hooks = hooks(model, names);
    let vis_span = span_of(&model.vis);
    let message_type = quote_spanned!(vis_span=> type Message = #message;);
    let reply_type = quote_spanned!(vis_span=> type Reply = #reply;);
    let client_type = quote_spanned!(vis_span=> type Client = #client;);
    quote! {
        #item
        #[automatically_derived]
        impl #private::Actor for #actor {
            const KIND: &'static str = #kind;
            const OPTIONS: #private::ActorOptions = #options;

            #message_type
            #reply_type
            #client_type

            fn access(message: &#message) -> #private::Access {
                match *message { #(#access,)* }
            }

            async fn handle(&self, message: #message) -> #private::Handled<#reply> {
                match message { #(#shared,)* }
            }

            async fn handle_mut(&mut self, message: #message) -> #private::Handled<#reply> {
                match message { #(#exclusive,)* }
            }

            #hooks
        }
    }
}

/// The arms of one of the two dispatches. Both name every variant, so that none is forgotten; the other access's ones
/// are never given to it.
fn arms(model: &Model, names: &Names<'_>, receiver: Receiver) -> Vec<TokenStream> {
    let Names { message, private, kind, .. } = names;
    let arm = |method: &Method| {
        let (variant, cfgs) = (method.variant.as_ref()?, attributes(&method.cfgs()));
        if method.receiver != receiver {
            let text = variant.to_string();
            return Some(quote!(#cfgs #message::#variant { .. } => #private::misrouted(#kind, #text)));
        }
        handling_arm(method, names).map(|arm| quote!(#cfgs #arm))
    };
    model.messages().filter_map(arm).collect()
}

fn handling_arm(method: &Method, names: &Names<'_>) -> Option<TokenStream> {
    let Names { actor, message, reply, private, .. } = names;
    let (ident, variant) = (&method.ident, method.variant.as_ref()?);
    let span = at(ident.span());
    let bindings = (0..method.arguments.len()).map(|at| format_ident!("argument_{at}", span = Span::mixed_site()));
    let bindings = bindings.collect::<Vec<_>>();
    let fields = method.arguments.iter().zip(&bindings).filter_map(|(argument, binding)| {
        let field = argument.ident.as_ref()?;
        Some(quote!(#field: #binding))
    });
    let pattern = if bindings.is_empty() { quote!() } else { quote!({ #(#fields,)* }) };
    let wait = method.signature.asyncness.map(|_| quote_spanned!(span=> .await));
    let call = quote_spanned!(span=> #actor::#ident(self, #(#bindings),*) #wait);
    let handled = if method.is_fallible() {
        let span = at(span_of(&method.answer));
        let private = names.private_at(span);
        quote_spanned! {span=>
            match #private::Fallible::into_result(answer) {
                ::core::result::Result::Ok(value) => {
                    #private::Handled::done(#reply::#variant(::core::result::Result::Ok(value)))
                }
                ::core::result::Result::Err(error) => {
                    #private::Handled::failed(#reply::#variant(::core::result::Result::Err(error)))
                }
            }
        }
    } else {
        quote_spanned!(span=> #private::Handled::done(#reply::#variant(answer)))
    };
    let answer = quote_spanned!(span=> let answer = #call;);
    Some(quote!(#message::#variant #pattern => { #answer #handled }))
}

/// What the type sets for itself. A hook under a `#[cfg]` sets its part under the same.
fn options(model: &Model, names: &Names<'_>) -> TokenStream {
    let private = &names.private;
    let numbers = [
        (&model.max_batch_messages, quote!(with_max_batch_messages)),
        (&model.mailbox_messages_max, quote!(with_mailbox_messages_max)),
    ];
    let numbers = numbers.into_iter().filter_map(|(number, with)| {
        let number = number.as_ref()?.base10_parse::<usize>().ok()?;
        Some(quote!(.#with(#number)))
    });
    let placement = model.placement.as_ref().and_then(|placement| {
        let value = placement.value();
        let (_, variant) = PLACEMENTS.iter().find(|(known, _)| *known == value)?;
        let variant = format_ident!("{variant}");
        Some(quote!(.with_placement(#private::Placement::#variant)))
    });
    let version = model.version.as_ref().and_then(|version| {
        let version = version.base10_parse::<u32>().ok()?;
        Some(quote!(.with_version(#version)))
    });
    let set = |hook, with: TokenStream| {
        let set = move |method: &Method| {
            let cfgs = attributes(&method.cfgs());
            quote!(#cfgs let options = options.#with();)
        };
        model.hooks(hook).map(set).collect::<TokenStream>()
    };
    let after_persist = set(Hook::AfterPersist, quote!(with_after_persist));
    let handle_events = set(Hook::HandleEvents, quote!(with_handle_events));
    quote!({
        let options = #private::ActorOptions::new() #placement #version #(#numbers)*;
        #after_persist
        #handle_events
        options
    })
}

fn hooks(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names { private, kind, .. } = names;
    let mut tokens = TokenStream::new();
    for method in &model.methods {
        let crate::model::Role::Hook(hook) = method.role else {
            continue;
        };
        if method.sound {
            let cfgs = attributes(&method.cfgs());
            let delegated = delegate(hook, method, names);
            tokens.extend(quote!(#cfgs #delegated));
        }
    }
    if model.hooks(Hook::Init).next().is_none() {
        // Reported already; this keeps the compiler from reporting it again.
        tokens.extend(quote! {
            async fn init(
                _: #private::Context<Self>,
            ) -> ::core::result::Result<Self, #private::Error> {
                #private::misrouted(#kind, "init")
            }
        });
    }
    tokens
}

fn delegate(hook: Hook, method: &Method, names: &Names<'_>) -> TokenStream {
    let Names { actor, private, .. } = names;
    let ident = &method.ident;
    let span = at(ident.span());
    let answer_span = at(span_of(&method.answer));
    let wait = method.signature.asyncness.map(|_| quote_spanned!(span=> .await));
    let result = quote!(::core::result::Result);
    let into = quote_spanned!(answer_span=> ::core::result::Result::map_err(answer, ::core::convert::Into::into));
    match hook {
        Hook::Init => {
            let ty = method.arguments.first().map(|argument| argument.ty.to_token_stream());
            let place = at(ty.as_ref().map_or_else(Span::call_site, span_of));
            let from = names.private_at(place);
            let context = quote_spanned!(place=> <#ty as #from::FromContext<Self>>::from_context(context));
            let call = quote_spanned!(span=> let answer = #actor::#ident(#context) #wait;);
            quote! {
                async fn init(context: #private::Context<Self>) -> #result<Self, #private::Error> { #call #into }
            }
        }
        Hook::HandleEvents => {
            let call = quote_spanned!(span=> let answer = #actor::#ident(self, events) #wait;);
            quote! {
                async fn handle_events(
                    &mut self,
                    events: #private::Events<Self>,
                ) -> #result<(), #private::Error> { #call #into }
            }
        }
        Hook::AfterPersist => {
            let call = quote_spanned!(span=> #actor::#ident(self) #wait);
            quote!(async fn after_persist(&self) { #call })
        }
        Hook::OnStop => {
            let call = quote_spanned!(span=> #actor::#ident(self) #wait);
            quote!(async fn on_stop(&mut self) { #call })
        }
    }
}
