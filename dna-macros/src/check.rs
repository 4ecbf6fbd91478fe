//! The rules. Each broken one is reported on the token that breaks it, as "rule, reason; remedy".

mod hook;
mod types;

use syn::{Attribute, GenericParam, Generics, LitInt, LitStr, Safety, Type, Visibility, ext::IdentExt};

use crate::{
    errors::Errors,
    model::{Hook, Mark, Method, Model, PLACEMENTS, Receiver, Role, peel},
    parse::Item,
};

/// Longest name of an actor type, in bytes: the limit that `dna-core` sets for labels.
const KIND_BYTES_MAX: usize = 128;

/// Checks everything, and marks the methods that keep all rules. Answers whether the block as such keeps them, so that
/// the sound methods can be expanded.
pub(crate) fn check(model: &mut Model, errors: &mut Errors) -> bool {
    let before = errors.len();
    check_block(model, errors);
    let block_is_sound = errors.len() == before;
    check_options(model, errors);
    for at in 0..model.methods.len() {
        let (earlier, rest) = model.methods.split_at_mut(at);
        let Some((method, _)) = rest.split_first_mut() else {
            break;
        };
        let before = errors.len();
        check_clash(method, earlier, errors);
        match method.role {
            Role::Message => check_message(method, errors),
            Role::Hook(hook) => hook::check_hook(method, hook, errors),
            Role::Helper => check_marks(method, errors),
        }
        method.sound = errors.len() == before;
    }
    check_presence(model, errors);
    block_is_sound
}

fn check_block(model: &Model, errors: &mut Errors) {
    let block = &model.block;
    if let Some(path) = &block.trait_ {
        errors.at(
            path,
            "an actor's block is not a trait's, since its messages come from the block alone; put `#[dna::actor]` on \
             an `impl` block without a trait",
        );
    }
    check_generics(&block.generics, "an actor type", "its name in addresses stands for one type", errors);
    if model.actor.is_none() && block.generics.params.is_empty() {
        let remedy = "implement a struct or enum by its plain name (for a generic type: that of an alias, as in \
                      `type UserCart = Cart<User>;`)";
        let message = match peel(&block.self_ty) {
            Type::Path(_) => format!(
                "an actor type has no generic arguments here, since the generated items are named after it; {remedy}"
            ),
            _ => {
                format!("an actor type is a struct or an enum, since the generated items are named after it; {remedy}")
            }
        };
        errors.at(&block.self_ty, message);
    }
    for item in &block.items {
        match item {
            Item::Macro(tokens) => errors.at(
                tokens,
                "a macro cannot stand in an actor's block, since its methods are not seen; write them out, or move \
                 the call to an `impl` block of its own",
            ),
            Item::Other(ident) if ident == "client" => errors.at(ident, CLIENT_IS_TAKEN),
            Item::Other(_) | Item::Fn(_) => {}
        }
    }
}

fn check_options(model: &Model, errors: &mut Errors) {
    let (kind, bytes) = match (&model.name, model.actor.as_ref().and_then(|path| path.segments.last())) {
        (Some(name), _) => (quote::ToTokens::to_token_stream(name), name.value().len()),
        (None, Some(segment)) => {
            (quote::ToTokens::to_token_stream(&segment.ident), segment.ident.unraw().to_string().len())
        }
        (None, None) => return,
    };
    if bytes == 0 {
        errors.at(
            &kind,
            "the option `name` is not empty, since it is the type's part of every address; give it at least one \
             character, or leave the option out to use the type's name",
        );
    }
    if bytes > KIND_BYTES_MAX {
        errors.at(
            &kind,
            format!(
                "an actor type's name has at most {KIND_BYTES_MAX} bytes, this one has {bytes}, since it stands in \
                 every address; shorten it with the option `name`"
            ),
        );
    }
    check_placement(model.placement.as_ref(), errors);
    check_version(model.version.as_ref(), errors);
    check_count(model.max_batch_messages.as_ref(), "max_batch_messages", "a batch", errors);
    check_count(model.mailbox_messages_max.as_ref(), "mailbox_messages_max", "a mailbox", errors);
}

fn check_placement(placement: Option<&LitStr>, errors: &mut Errors) {
    let Some(literal) = placement else { return };
    let value = literal.value();
    if PLACEMENTS.iter().all(|(known, _)| *known != value) {
        errors.at(
            literal,
            format!(
                "unknown placement `{value}`; it is `hash`, by the hash of the name, or `local`, on the node where the \
                 name is first called"
            ),
        );
    }
}

fn check_version(version: Option<&LitInt>, errors: &mut Errors) {
    let Some(literal) = version else { return };
    if !literal.base10_parse::<u32>().is_ok_and(|version| version > 0) {
        errors.at(
            literal,
            format!(
                "`version` counts the versions of the type's messages; write a whole number from 1 to {}",
                u32::MAX
            ),
        );
    }
}

fn check_count(count: Option<&LitInt>, option: &str, what: &str, errors: &mut Errors) {
    let Some(literal) = count else { return };
    match literal.base10_parse::<usize>() {
        Ok(0) => errors.at(
            literal,
            format!("`{option}` is at least 1, since {what} of no messages handles none; write 1 or more"),
        ),
        Ok(_) => {}
        Err(_) => errors.at(
            literal,
            format!(
                "`{option}` is a number of messages, and this is none; write a whole number from 1 to {}",
                usize::MAX
            ),
        ),
    }
}

const CLIENT_IS_TAKEN: &str = "`client` is the name of a generated function, which makes a client for a name; choose \
                               another name";

/// Checks that a method's generated name is neither taken by the macro nor by an earlier method.
fn check_clash(method: &Method, earlier: &[Method], errors: &mut Errors) {
    if method.ident == "client" {
        errors.at(&method.ident, CLIENT_IS_TAKEN);
        return;
    }
    let Some(earlier) = earlier.iter().find(|earlier| clash_between(earlier, method)) else {
        return;
    };
    let name = &method.ident;
    let message = match (method.role, &method.variant) {
        (Role::Helper, _) => return,
        (Role::Hook(_), _) => {
            format!("the hook `{name}` stands in the block a second time, and the engine calls one; keep one of them")
        }
        (Role::Message, Some(variant)) if earlier.ident != *name => format!(
            "the messages `{}` and `{name}` would both become the variant `{variant}`, and a message is known by it; \
             rename one of them",
            earlier.ident
        ),
        (Role::Message, _) => format!(
            "the message `{name}` stands in the block a second time, and a message is known by its name; rename one \
             of them"
        ),
    };
    errors.at(name, message);
}

/// Whether both would be generated under one name. Where both carry a `#[cfg]`, the compiler judges: they may exclude
/// each other.
fn clash_between(earlier: &Method, later: &Method) -> bool {
    let either_stays = earlier.cfgs().is_empty() || later.cfgs().is_empty();
    let same = match (earlier.role, later.role) {
        (Role::Message, Role::Message) => earlier.variant.is_some() && earlier.variant == later.variant,
        (earlier, later) => earlier == later,
    };
    either_stays && same
}

fn check_presence(model: &Model, errors: &mut Errors) {
    if model.block.trait_.is_some() {
        return;
    }
    if !model.methods.iter().any(|method| method.role == Role::Hook(Hook::Init)) {
        errors.at(
            &model.block.self_ty,
            "an actor has an `init`, since its first message starts it; add `async fn init(ctx: Context) -> \
             dna::Result<Self>`",
        );
    }
    if !model.methods.iter().any(|method| method.role == Role::Message) {
        errors.at(
            &model.block.self_ty,
            "an actor has at least one message, since nothing else starts it; write `pub` before a method that others \
             may call",
        );
    }
}

fn check_message(method: &Method, errors: &mut Errors) {
    if let Visibility::Restricted(_) = &method.vis {
        errors.at(
            &method.vis,
            "a message is `pub` and a helper is not, since the client has the visibility of the option `vis`; write \
             `pub`, or nothing",
        );
    }
    check_form(method, "a message", errors);
    match method.receiver {
        Receiver::Shared | Receiver::Exclusive => {}
        Receiver::None => errors.at(
            &method.ident,
            "a message takes `&self` or `&mut self`, since an actor handles it; add one, or drop `pub` to make this a \
             helper",
        ),
        Receiver::Other => errors.at(
            method.signature.receiver(),
            "a message takes `&self` or `&mut self`, since the actor outlives it; write one of these",
        ),
    }
    for argument in &method.arguments {
        types::check_argument(argument, errors);
    }
    types::check_answer(&method.answer, errors);
    if method.variant.is_none() {
        errors.at(
            &method.ident,
            format!(
                "a message's name is in words, since it becomes a variant in `PascalCase`, and `{}` becomes none; \
                 rename it",
                method.ident
            ),
        );
    }
    check_marks(method, errors);
}

/// What neither a message nor a hook can be.
fn check_form(method: &Method, what: &str, errors: &mut Errors) {
    let signature = &method.signature;
    if let Some(token) = &signature.constness {
        errors.at(token, format!("{what} is not `const`, since it runs in an actor; remove `const`"));
    }
    if let Safety::Unsafe(token) = &signature.safety {
        errors.at(
            token,
            format!("{what} is not `unsafe`, since its caller cannot vouch for the actor's state; remove `unsafe`"),
        );
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, format!("{what} has no ABI of its own, since only the engine calls it; remove `extern`"));
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(
            variadic,
            format!("{what} has a fixed number of arguments, since each has a name on the wire; take a `Vec`"),
        );
    }
    check_generics(&signature.generics, what, "it has one form on the wire", errors);
}

fn check_generics(generics: &Generics, what: &str, reason: &str, errors: &mut Errors) {
    for parameter in &generics.params {
        let (kind, remedy) = match parameter {
            GenericParam::Type(_) => ("type", "name a concrete type"),
            GenericParam::Lifetime(_) => ("lifetime", "own what is borrowed"),
            GenericParam::Const(_) => ("const", "write the value out"),
        };
        errors.at(parameter, format!("{what} has no {kind} parameter, since {reason}; {remedy}"));
    }
    if let Some(clause) = generics.where_clause.as_ref().filter(|_| generics.params.is_empty()) {
        errors.at(clause, format!("{what} has no where clause, since {reason}; remove it"));
    }
}

fn check_marks(method: &Method, errors: &mut Errors) {
    let mut plain = false;
    for mark in &method.marks {
        match mark {
            Mark::Unknown(tokens) => {
                errors.at(tokens, "unknown attribute; `#[dna(…)]` on a method takes `plain`, as in `#[dna(plain)]`");
            }
            Mark::Plain(word) if plain => errors.at(word, "`plain` stands here a second time; keep one of them"),
            Mark::Plain(word) => {
                plain = true;
                check_plain(method, word, errors);
            }
        }
    }
}

fn check_plain(method: &Method, word: &syn::Ident, errors: &mut Errors) {
    let what = match method.role {
        Role::Hook(_) => "a hook",
        Role::Helper => "a helper",
        Role::Message if method.answers_result => return,
        Role::Message => {
            errors.at(
                word,
                "`plain` is for a return type whose name is `Result`, since every other is answered as it is already; \
                 remove it",
            );
            return;
        }
    };
    errors.at(word, format!("`plain` is for a message, since {what} answers no caller; remove it"));
}

/// An argument's attributes: `#[cfg]` cannot be followed into the generated items.
fn conditional_attribute(attrs: &[Attribute]) -> Option<&Attribute> {
    attrs.iter().find(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
}
