//! From the attribute to what stands in its place: the user's block as it was written, what is generated beside it, and
//! all errors at once.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{
    check,
    errors::Errors,
    expand,
    model::Model,
    parse::{self, Block, Options},
};

/// Expands `#[dna::actor(options)] item`.
pub(crate) fn generate(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(options, &mut errors);
    // What the rules ask for is not to be warned of: `pub` where nothing outside can reach the type, an owned argument,
    // `&self`, a hook's name and shape.
    let mut tokens = quote! {
        #[allow(
            unreachable_pub,
            clippy::missing_const_for_fn,
            clippy::needless_pass_by_value,
            clippy::same_name_method,
            clippy::unnecessary_wraps,
            clippy::unused_async,
            clippy::unused_self
        )]
    };
    tokens.extend(parse::without_helper_attributes(item.clone()));
    match syn::parse2::<Block>(item) {
        Ok(block) => {
            let mut model = Model::new(options, block);
            if check::check(&mut model, &mut errors) {
                tokens.extend(expand::expand(&model));
            }
        }
        Err(error) => errors.push(error),
    }
    tokens.extend(errors.to_compile_errors());
    tokens
}
