//! From syntax to what it means: which method is a message, which a hook, and what each is called when generated.
//! Judges nothing: what breaks a rule is in the model too, and `check` finds it there.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{
    Attribute, FnArg, Ident, LitInt, LitStr, Meta, Pat, Path, ReceiverKind, ReturnType, Signature, Token, Type,
    Visibility,
    ext::IdentExt,
    punctuated::Punctuated,
    visit_mut::{self, VisitMut},
};

use crate::parse::{Block, Item, ItemFn, Options};

/// The placements: what is written, and the variant.
pub(crate) const PLACEMENTS: [(&str, &str); 2] = [("hash", "Hash"), ("local", "Local")];

/// What one block says about its actor.
pub(crate) struct Model {
    /// Where the crate is found, as a path that names it from anywhere.
    pub(crate) krate: Path,
    /// The visibility of what is generated.
    pub(crate) vis: Visibility,
    /// The option `name`.
    pub(crate) name: Option<LitStr>,
    /// The option of that name.
    pub(crate) placement: Option<LitStr>,
    /// The option of that name.
    pub(crate) version: Option<LitInt>,
    /// The option of that name.
    pub(crate) max_batch_messages: Option<LitInt>,
    /// The option of that name.
    pub(crate) mailbox_messages_max: Option<LitInt>,
    /// The block, without its functions.
    pub(crate) block: Block,
    /// The actor's type, where it is one that can be.
    pub(crate) actor: Option<Path>,
    /// The `#[cfg]`s of the block.
    pub(crate) cfgs: Vec<Attribute>,
    /// Every function of the block.
    pub(crate) methods: Vec<Method>,
}

/// A function of the block.
pub(crate) struct Method {
    /// What it is to the actor.
    pub(crate) role: Role,
    /// Its name, as written.
    pub(crate) ident: Ident,
    /// The name of its variants. `None` where there can be none.
    pub(crate) variant: Option<Ident>,
    /// Its attributes.
    pub(crate) attrs: Vec<Attribute>,
    /// Its visibility.
    pub(crate) vis: Visibility,
    /// Its signature.
    pub(crate) signature: Signature,
    /// How it takes the actor.
    pub(crate) receiver: Receiver,
    /// What it takes beside the actor.
    pub(crate) arguments: Vec<Argument>,
    /// What it answers, with `Self` spelled out.
    pub(crate) answer: Type,
    /// Whether the last segment of what it answers is `Result`.
    pub(crate) answers_result: bool,
    /// The `#[dna(…)]` of the method.
    pub(crate) marks: Vec<Mark>,
    /// Whether it keeps all rules. Set by `check`.
    pub(crate) sound: bool,
}

/// What a function is to the actor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Called by others, by name.
    Message,
    /// Called by the engine.
    Hook(Hook),
    /// Called by the actor alone.
    Helper,
}

/// A function that the engine calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hook {
    /// Makes an activation.
    Init,
    /// Runs after commits.
    AfterPersist,
    /// Takes a whole batch.
    HandleEvents,
    /// Runs before the activation ends.
    OnStop,
}

impl Hook {
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "init" => Hook::Init,
            "after_persist" => Hook::AfterPersist,
            "handle_events" => Hook::HandleEvents,
            "on_stop" => Hook::OnStop,
            _ => return None,
        })
    }
}

/// How a function takes the actor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// Not at all.
    None,
    /// `&self`.
    Shared,
    /// `&mut self`.
    Exclusive,
    /// In a way that an actor does not offer.
    Other,
}

/// An argument.
pub(crate) struct Argument {
    /// Its name, where it has one.
    pub(crate) ident: Option<Ident>,
    /// Its pattern, as written.
    pub(crate) pat: Pat,
    /// Its attributes.
    pub(crate) attrs: Vec<Attribute>,
    /// Its type, with `Self` spelled out.
    pub(crate) ty: Type,
}

/// One word of a `#[dna(…)]`.
pub(crate) enum Mark {
    /// `plain`: what looks like a `Result` is answered as it is.
    Plain(Ident),
    /// Anything else.
    Unknown(TokenStream),
}

impl Model {
    /// Reads the model from the syntax.
    pub(crate) fn new(options: Options, mut block: Block) -> Self {
        let actor = actor_path(&block);
        let items = std::mem::take(&mut block.items);
        let mut methods = vec![];
        for item in items {
            match item {
                Item::Fn(function) => methods.push(Method::new(*function, actor.as_ref())),
                other => block.items.push(other),
            }
        }
        Model {
            krate: options.krate.unwrap_or_else(|| syn::parse_quote!(::dna)),
            vis: options.vis.unwrap_or_else(|| Visibility::Public(Token![pub](Span::call_site()))),
            name: options.name,
            placement: options.placement,
            version: options.version,
            max_batch_messages: options.max_batch_messages,
            mailbox_messages_max: options.mailbox_messages_max,
            cfgs: block.attrs.iter().filter(|attr| carries_cfg(attr)).cloned().collect(),
            block,
            actor,
            methods,
        }
    }

    /// The messages that keep all rules.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Method> {
        self.methods.iter().filter(|method| method.sound && method.role == Role::Message)
    }

    /// The hooks of one kind that keep all rules: several only where `#[cfg]` chooses between them.
    pub(crate) fn hooks(&self, hook: Hook) -> impl Iterator<Item = &Method> {
        self.methods.iter().filter(move |method| method.sound && method.role == Role::Hook(hook))
    }
}

impl Method {
    fn new(function: ItemFn, actor: Option<&Path>) -> Self {
        let ItemFn { attrs, vis, signature } = function;
        let ident = signature.ident.clone();
        let name = ident.unraw().to_string();
        let role = match Hook::of_name(&name) {
            Some(hook) => Role::Hook(hook),
            None if matches!(vis, Visibility::Inherited) => Role::Helper,
            None => Role::Message,
        };
        let arguments = signature.inputs.iter().filter_map(|input| Argument::new(input, actor)).collect();
        let mut answer = match &signature.output {
            ReturnType::Default => Type::Tuple(syn::parse_quote_spanned!(ident.span()=> ())),
            ReturnType::Type(_, ty) => (**ty).clone(),
        };
        spell_out_self(&mut answer, actor);
        Method {
            role,
            variant: variant_name(&name, ident.span()),
            receiver: receiver(&signature),
            arguments,
            answers_result: last_segment(&answer).is_some_and(|segment| segment == "Result"),
            answer,
            marks: marks(&attrs),
            ident,
            attrs,
            vis,
            signature,
            sound: false,
        }
    }

    /// Whether `Err` rolls the message back.
    pub(crate) fn is_fallible(&self) -> bool {
        self.answers_result && !self.marks.iter().any(|mark| matches!(mark, Mark::Plain(_)))
    }

    /// The attributes that say whether the method is there at all.
    pub(crate) fn cfgs(&self) -> Vec<&Attribute> {
        self.attrs.iter().filter(|attr| carries_cfg(attr)).collect()
    }

    /// The attributes that document the method.
    pub(crate) fn docs(&self) -> Vec<&Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident("doc") || conditional(attr, "doc")).collect()
    }

    /// The attributes that warn of using the method.
    pub(crate) fn deprecations(&self) -> Vec<&Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident("deprecated") || conditional(attr, "deprecated")).collect()
    }
}

impl Argument {
    fn new(input: &FnArg, actor: Option<&Path>) -> Option<Self> {
        let FnArg::Typed(typed) = input else {
            return None;
        };
        let ident = match &*typed.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(pat.ident.clone()),
            _ => None,
        };
        let mut ty = (*typed.ty).clone();
        spell_out_self(&mut ty, actor);
        Some(Argument { ident, pat: (*typed.pat).clone(), attrs: typed.attrs.clone(), ty })
    }

    /// Whether the type is spelled `String` and nothing else.
    pub(crate) fn is_string(&self) -> bool {
        matches!(peel(&self.ty), Type::Path(path) if path.qself.is_none() && path.path.is_ident("String"))
    }
}

/// The actor's path, where the block is one that can be an actor's.
fn actor_path(block: &Block) -> Option<Path> {
    let Type::Path(ty) = peel(&block.self_ty) else {
        return None;
    };
    let plain = ty.path.segments.iter().all(|segment| segment.arguments.is_none());
    (plain && ty.qself.is_none()).then(|| ty.path.clone())
}

fn receiver(signature: &Signature) -> Receiver {
    match signature.receiver().map(|receiver| &receiver.kind) {
        None => Receiver::None,
        Some(ReceiverKind::Reference(_, None, None)) => Receiver::Shared,
        Some(ReceiverKind::Reference(_, None, Some(_))) => Receiver::Exclusive,
        Some(_) => Receiver::Other,
    }
}

/// `put_all` → `PutAll`. `None` where that is no name: `__`, `self_`, `_1`.
fn variant_name(name: &str, span: Span) -> Option<Ident> {
    let mut variant = String::new();
    for word in name.split('_') {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            variant.extend(first.to_uppercase());
            variant.push_str(letters.as_str());
        }
    }
    let mut ident = syn::parse_str::<Ident>(&variant).ok()?;
    ident.set_span(span);
    Some(ident)
}

/// The type below the invisible groups that macros leave, and below parentheses.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        ty => ty,
    }
}

/// The last segment of the path that a type is.
pub(crate) fn last_segment(ty: &Type) -> Option<Ident> {
    match peel(ty) {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.clone()),
        _ => None,
    }
}

/// Puts the actor's type for `Self`, which means something else, or nothing, where the type is generated to.
fn spell_out_self(ty: &mut Type, actor: Option<&Path>) {
    struct SpellOut<'a>(&'a Path);
    impl VisitMut for SpellOut<'_> {
        fn visit_path_mut(&mut self, path: &mut Path) {
            visit_mut::visit_path_mut(self, path);
            let Some(first) = path.segments.first().filter(|first| first.ident == "Self") else {
                return;
            };
            let span = first.ident.span();
            let mut spelled = self.0.clone();
            for segment in &mut spelled.segments {
                segment.ident.set_span(span);
            }
            spelled.segments.extend(path.segments.iter().skip(1).cloned());
            *path = spelled;
        }
    }
    if let Some(actor) = actor {
        SpellOut(actor).visit_type_mut(ty);
    }
}

fn marks(attrs: &[Attribute]) -> Vec<Mark> {
    let mut marks = vec![];
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("dna")) {
        let words = match &attr.meta {
            Meta::List(list) => {
                list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).map(Vec::from_iter).ok()
            }
            _ => None,
        };
        match words.filter(|words| !words.is_empty()) {
            None => marks.push(Mark::Unknown(attr.meta.to_token_stream())),
            Some(words) => marks.extend(words.into_iter().map(|word| match word {
                Meta::Path(path) if path.is_ident("plain") => Mark::Plain(Ident::new(
                    "plain",
                    path.segments.first().map_or_else(Span::call_site, |s| s.ident.span()),
                )),
                other => Mark::Unknown(other.to_token_stream()),
            })),
        }
    }
    marks
}

fn carries_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg") || conditional(attr, "cfg")
}

/// Whether it is a `cfg_attr` of nothing but `name`.
fn conditional(attr: &Attribute, name: &str) -> bool {
    if !attr.path().is_ident("cfg_attr") {
        return false;
    }
    let Ok(parts) = attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
        return false;
    };
    parts.len() > 1 && parts.iter().skip(1).all(|part| part.path().is_ident(name))
}
