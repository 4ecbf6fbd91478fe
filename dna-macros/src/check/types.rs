//! The rules for what a message carries: owned values with a name.

use quote::ToTokens;
use syn::{
    Lifetime, Pat, Type, TypeFnPtr, TypeImplTrait, TypeInfer, TypeNever, TypePtr, TypeReference, TypeTraitObject,
    visit::Visit,
};

use crate::{check::conditional_attribute, errors::Errors, model::Argument};

/// Checks one argument of a message.
pub(super) fn check_argument(argument: &Argument, errors: &mut Errors) {
    if argument.ident.is_none() {
        let remedy = match &argument.pat {
            Pat::Wild(_) => "name it, as in `_unused`",
            _ => "take the whole value under a name and take it apart in the body",
        };
        errors.at(
            &argument.pat,
            format!("an argument is a name, not a pattern, since it is a field of the message; {remedy}"),
        );
    }
    if let Some(attr) = conditional_attribute(&argument.attrs) {
        errors.at(
            attr,
            "an argument is there in every build, since it is a field of the message; put the `#[cfg]` on the method",
        );
    }
    Carried { what: "an argument", owned: "the message outlives the call", errors }.visit_type(&argument.ty);
}

/// Checks what a message answers.
pub(super) fn check_answer(answer: &Type, errors: &mut Errors) {
    Carried { what: "an answer", owned: "it leaves the actor", errors }.visit_type(answer);
}

/// Reports what cannot be carried in a message or a reply.
struct Carried<'a> {
    what: &'a str,
    owned: &'a str,
    errors: &'a mut Errors,
}

impl Carried<'_> {
    fn not_data(&mut self, ty: impl ToTokens, kind: &str, remedy: &str) {
        let message = format!("{} is data, not {kind}, since it may cross to another node; write {remedy}", self.what);
        self.errors.at(ty, message);
    }
}

impl<'ast> Visit<'ast> for Carried<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let remedy = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "write `String`".to_owned(),
            Type::Slice(_) => "write a `Vec`".to_owned(),
            _ => "write the type without `&`".to_owned(),
        };
        let message = format!("{} is owned, not a reference, since {}; {remedy}", self.what, self.owned);
        self.errors.at(reference, message);
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        let message = format!(
            "{} has a type with a name, since it is a variant's field on the wire; write the concrete type in place of \
             `impl …`",
            self.what
        );
        self.errors.at(ty, message);
    }

    fn visit_type_trait_object(&mut self, ty: &'ast TypeTraitObject) {
        self.not_data(ty, "a trait object", "an enum of the types it may be");
    }

    fn visit_type_fn_ptr(&mut self, ty: &'ast TypeFnPtr) {
        self.not_data(ty, "a function", "an enum of what is to be done");
    }

    fn visit_type_ptr(&mut self, ty: &'ast TypePtr) {
        self.not_data(ty, "a pointer", "the value itself");
    }

    fn visit_type_never(&mut self, ty: &'ast TypeNever) {
        self.not_data(ty, "`!`", "the type of the answer, or nothing");
    }

    fn visit_type_infer(&mut self, ty: &'ast TypeInfer) {
        let message =
            format!("{} has a type that is written out, since it is a field on the wire; replace `_`", self.what);
        self.errors.at(ty, message);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            let message = format!(
                "{} borrows nothing, since {}; write a type without the lifetime, or `'static`",
                self.what, self.owned
            );
            self.errors.at(lifetime, message);
        }
    }
}
