//! `lib.rs` is a table of contents: docs, attributes, modules and re-exports, nothing else.

use syn::{Attribute, Block, Item, ItemFn, ItemMod, ItemUse, UseTree, Visibility};

use super::{Problem, tree::Tree};
use crate::workspace::{Crate, Kind};

/// Each item of a library's `lib.rs` that does not belong there.
pub(super) fn check(tree: &Tree, crates: &[Crate]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for krate in crates.iter().filter(|krate| krate.is_library()) {
        let path = format!("{}/src/lib.rs", krate.dir);
        let Some(text) = tree.text(&path) else {
            problems.push(Problem::new(path, "a library crate without `src/lib.rs`", "add it, as a table of contents"));
            continue;
        };
        match syn::parse_file(text) {
            Ok(file) => problems.extend(file.items.iter().filter(|item| !is_contents(item, krate.kind)).map(|item| {
                let what = format!("{} in a `lib.rs`, which is a table of contents", name_of(item));
                Problem::new(path.clone(), what, "move it to a module and re-export it with `pub use`")
            })),
            Err(error) => problems.push(Problem::new(path, error.to_string(), "make it compile")),
        }
    }
    problems
}

fn is_contents(item: &Item, kind: Kind) -> bool {
    match item {
        Item::Mod(module) => is_contents_module(module),
        // The entry points of a proc-macro crate name the compiler's types.
        Item::Use(item) => is_re_export(item) || kind == Kind::ProcMacro,
        // Lets the code that the macro generates name this crate from within.
        Item::ExternCrate(item) => item.ident == "self",
        // A proc-macro crate must have its entry points in its root.
        Item::Fn(function) => kind == Kind::ProcMacro && is_entry_point(function),
        _ => false,
    }
}

/// `mod a;`, or an inline module of re-exports.
fn is_contents_module(module: &ItemMod) -> bool {
    module.content.as_ref().is_none_or(|(_, items)| {
        items.iter().all(|item| match item {
            Item::Use(item) => is_re_export(item),
            Item::Mod(module) => is_contents_module(module),
            _ => false,
        })
    })
}

fn is_re_export(item: &ItemUse) -> bool {
    let is_alias = matches!(&item.tree, UseTree::Rename(rename) if rename.rename == "_");
    !matches!(item.vis, Visibility::Inherited) || is_alias
}

/// A function that the compiler calls, and that only hands over.
fn is_entry_point(function: &ItemFn) -> bool {
    let is_marked = |attribute: &Attribute| {
        let path = attribute.path();
        ["proc_macro", "proc_macro_attribute", "proc_macro_derive"].iter().any(|name| path.is_ident(name))
    };
    let Block { stmts, .. } = &*function.block;
    function.attrs.iter().any(is_marked) && stmts.len() == 1
}

fn name_of(item: &Item) -> String {
    match item {
        Item::Const(item) => format!("the constant `{}`", item.ident),
        Item::Enum(item) => format!("the enum `{}`", item.ident),
        Item::Fn(item) => format!("the function `{}`", item.sig.ident),
        Item::Macro(_) => "a macro".to_owned(),
        Item::Mod(item) => format!("the code of the module `{}`", item.ident),
        Item::Struct(item) => format!("the struct `{}`", item.ident),
        Item::Trait(item) => format!("the trait `{}`", item.ident),
        Item::Type(item) => format!("the type `{}`", item.ident),
        Item::Impl(_) => "an `impl`".to_owned(),
        Item::Use(_) => "a private `use`".to_owned(),
        _ => "an item".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, text: &str) -> Vec<String> {
        let krate = Crate { name: "dna".to_owned(), dir: "dna".to_owned(), kind, ..Crate::default() };
        let tree = Tree::of(&[("dna/src/lib.rs", text)]);
        check(&tree, &[krate]).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_table_of_contents_passes() {
        let text = "//! Docs.\n#![warn(missing_docs)]\nextern crate self as dna;\nmod a;\npub mod b;\npub use a::A;\n\
            pub(crate) use b::B;\n#[cfg(test)]\nmod tests;\n#[doc(hidden)]\npub mod __private { pub use serde; pub mod c { pub use crate::A; } }\n";
        assert_eq!(found(Kind::Library, text), Vec::<String>::new());
    }

    #[test]
    fn everything_else_is_named() {
        for (text, expected) in [
            ("pub fn start() {}", "the function `start`"),
            ("pub struct Node;", "the struct `Node`"),
            ("enum E {}", "the enum `E`"),
            ("const A: u8 = 0;", "the constant `A`"),
            ("impl A {}", "an `impl`"),
            ("macro_rules! a { () => {} }", "a macro"),
            ("use std::fmt;", "a private `use`"),
            ("pub mod prelude { pub fn a() {} }", "the code of the module `prelude`"),
            ("#[cfg(test)] mod tests { #[test] fn a() {} }", "the code of the module `tests`"),
            ("#[proc_macro_attribute] pub fn actor(a: T, b: T) -> T { expand(a, b) }", "the function `actor`"),
        ] {
            let found = found(Kind::Library, text);
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].contains(expected), "{found:?}");
        }
    }

    #[test]
    fn a_proc_macro_crate_has_entry_points_that_hand_over() {
        let entry =
            "use proc_macro::TokenStream as T; #[proc_macro_attribute] pub fn actor(a: T, b: T) -> T { expand(a, b) }";
        assert!(found(Kind::ProcMacro, entry).is_empty());
        assert_eq!(found(Kind::ProcMacro, "fn expand(a: T, b: T) -> T { a }").len(), 1);
        assert_eq!(found(Kind::ProcMacro, "#[proc_macro] pub fn a(b: T) -> T { let c = b; c }").len(), 1);
    }

    #[test]
    fn a_library_without_a_root_is_a_problem() {
        let krate = Crate { dir: "dna".to_owned(), ..Crate::default() };
        assert_eq!(check(&Tree::default(), &[krate]).len(), 1);
    }
}
