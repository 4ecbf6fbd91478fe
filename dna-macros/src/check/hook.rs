//! The rules for hooks: each has one shape.

use syn::{GenericArgument, PathArguments, ReturnType, Type, Visibility};

use crate::{
    check::{check_form, check_marks},
    errors::Errors,
    model::{Hook, Method, Receiver, last_segment, peel},
};

/// A hook's shape.
struct Shape {
    receiver: Receiver,
    /// The type of its argument, and why it has one.
    argument: Option<(&'static str, &'static str)>,
    /// What its `Result` has in `Ok`. `None` where it returns nothing.
    answer: Option<Answer>,
    /// How it is written.
    written: &'static str,
}

/// What stands in a hook's `Ok`.
#[derive(Clone, Copy)]
enum Answer {
    Actor,
    Unit,
}

fn shape(hook: Hook) -> Shape {
    match hook {
        Hook::Init => Shape {
            receiver: Receiver::None,
            argument: Some(("Context", "the engine gives every activation one")),
            answer: Some(Answer::Actor),
            written: "async fn init(ctx: Context) -> dna::Result<Self>",
        },
        Hook::AfterPersist => {
            Shape { receiver: Receiver::Shared, argument: None, answer: None, written: "async fn after_persist(&self)" }
        }
        Hook::HandleEvents => Shape {
            receiver: Receiver::Exclusive,
            argument: Some(("Events", "the engine gives it a batch")),
            answer: Some(Answer::Unit),
            written: "async fn handle_events(&mut self, events: Events<Self>) -> dna::Result<()>",
        },
        Hook::OnStop => Shape {
            receiver: Receiver::Exclusive,
            argument: None,
            answer: None,
            written: "async fn on_stop(&mut self)",
        },
    }
}

/// Checks one hook.
pub(super) fn check_hook(method: &Method, hook: Hook, errors: &mut Errors) {
    let shape = shape(hook);
    let name = &method.ident;
    let written = shape.written;
    if !matches!(method.vis, Visibility::Inherited) {
        errors.at(
            &method.vis,
            format!(
                "a hook has no visibility, since the engine calls `{name}` and `pub` makes a message; remove it, or \
                 rename the method if it is to be a message"
            ),
        );
    }
    check_form(method, "a hook", errors);
    check_receiver(method, &shape, errors);
    check_arguments(method, &shape, errors);
    match shape.answer {
        None => {
            if !returns_unit(&method.signature.output) {
                errors.at(
                    &method.answer,
                    format!("`{name}` returns nothing, since there is nobody to answer; write `{written}`"),
                );
            }
        }
        Some(answer) => check_result(method, answer, written, errors),
    }
    check_marks(method, errors);
}

fn check_receiver(method: &Method, shape: &Shape, errors: &mut Errors) {
    if method.receiver == shape.receiver {
        return;
    }
    let (rule, reason) = match shape.receiver {
        Receiver::None => ("takes no `self`", "it makes the actor"),
        Receiver::Shared => ("takes `&self`", "it runs beside messages and cannot write"),
        Receiver::Exclusive | Receiver::Other => ("takes `&mut self`", "it runs alone"),
    };
    let message = format!("`{}` {rule}, since {reason}; write `{}`", method.ident, shape.written);
    match method.signature.receiver() {
        Some(receiver) => errors.at(receiver, message),
        None => errors.at(&method.ident, message),
    }
}

fn check_arguments(method: &Method, shape: &Shape, errors: &mut Errors) {
    let name = &method.ident;
    let written = shape.written;
    let mut arguments = method.arguments.iter();
    if let Some((expected, reason)) = shape.argument {
        match arguments.next() {
            None => errors.at(name, format!("`{name}` takes `{expected}`, since {reason}; write `{written}`")),
            Some(argument) if matches!(peel(&argument.ty), Type::Path(_)) => {}
            Some(argument) => errors.at(
                &argument.ty,
                format!("`{name}` takes `{expected}` by value, since it is the hook's to keep; write `{written}`"),
            ),
        }
    }
    for argument in arguments {
        errors.at(
            &argument.pat,
            format!("`{name}` takes nothing more, since the engine has nothing more to give it; write `{written}`"),
        );
    }
}

fn check_result(method: &Method, answer: Answer, written: &str, errors: &mut Errors) {
    let name = &method.ident;
    if !method.answers_result {
        let message = format!("`{name}` returns a `Result`, since it may fail; write `{written}`");
        match &method.signature.output {
            ReturnType::Default => errors.at(name, message),
            ReturnType::Type(_, ty) => errors.at(ty, message),
        }
        return;
    }
    let Some(first) = first_argument(&method.answer) else {
        return;
    };
    let (fits, expected) = match answer {
        Answer::Unit => (is_unit(first), "nothing"),
        // A type of another name may be an alias of the actor's: only what is plainly not it is refused.
        Answer::Actor => (!is_unit(first) && last_segment(first).is_some(), "the actor"),
    };
    if !fits {
        errors.at(
            first,
            format!("`{name}` returns {expected} in its `Ok`, since the engine takes nothing else; write `{written}`"),
        );
    }
}

fn first_argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = peel(ty) else {
        return None;
    };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

fn returns_unit(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => is_unit(ty),
    }
}

fn is_unit(ty: &Type) -> bool {
    matches!(peel(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
}
