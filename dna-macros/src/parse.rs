//! From tokens to syntax: the attribute's options and the block's items. Knows what may be written where, not what it
//! means. Bodies are not looked into: what stands in them is between the user and the compiler.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Attribute, Generics, Ident, LitInt, LitStr, Path, Signature, Token, Type, Visibility, WhereClause, braced,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    token,
};

use crate::errors::Errors;

/// The options that `#[dna::actor(…)]` knows, for the error that lists them.
pub(crate) const OPTIONS: &str =
    "`name`, `vis`, `crate`, `placement`, `version`, `max_batch_messages`, `mailbox_messages_max`";

/// What stands in `#[dna::actor(…)]`.
#[derive(Default)]
pub(crate) struct Options {
    /// The type's name in addresses.
    pub(crate) name: Option<LitStr>,
    /// The visibility of what is generated.
    pub(crate) vis: Option<Visibility>,
    /// Where the crate is found.
    pub(crate) krate: Option<Path>,
    /// How the names find their shards.
    pub(crate) placement: Option<LitStr>,
    /// The version of the messages.
    pub(crate) version: Option<LitInt>,
    /// How many messages one batch takes.
    pub(crate) max_batch_messages: Option<LitInt>,
    /// How many messages the mailbox admits.
    pub(crate) mailbox_messages_max: Option<LitInt>,
}

impl Options {
    /// Reads the options. One that cannot be read is reported and left out.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Options::default();
        for part in split_at_commas(tokens) {
            let read = |input: ParseStream<'_>| options.parse_one(input);
            if let Err(error) = read.parse2(part) {
                errors.push(error);
            }
        }
        options
    }

    fn parse_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let ident = input.call(Ident::parse_any)?;
        let name = ident.to_string();
        let again = match name.as_str() {
            "name" => self.name.is_some(),
            "vis" => self.vis.is_some(),
            "crate" => self.krate.is_some(),
            "placement" => self.placement.is_some(),
            "version" => self.version.is_some(),
            "max_batch_messages" => self.max_batch_messages.is_some(),
            "mailbox_messages_max" => self.mailbox_messages_max.is_some(),
            _ => {
                skip(input);
                let message = format!("unknown option `{name}`; `#[dna::actor]` takes {OPTIONS}");
                return Err(syn::Error::new(ident.span(), message));
            }
        };
        if again {
            skip(input);
            let message = format!("the option `{name}` stands here a second time; keep one of them");
            return Err(syn::Error::new(ident.span(), message));
        }
        if input.is_empty() {
            let example = match name.as_str() {
                "name" => "name = \"cart\"",
                "vis" => "vis = pub(crate)",
                "crate" => "crate = ::dna",
                "placement" => "placement = \"local\"",
                "version" => "version = 2",
                _ => "a number, as in `max_batch_messages = 64`",
            };
            let message = format!("the option `{name}` needs a value: {example}");
            return Err(syn::Error::new(ident.span(), message));
        }
        input.parse::<Token![=]>()?;
        match name.as_str() {
            "name" => {
                self.name = Some(parse_or(input, "`name` is a string; write it in quotes, as in `name = \"cart\"`")?)
            }
            "vis" => self.vis = Some(parse_visibility(input)?),
            "crate" => self.krate = Some(parse_path(input)?),
            "placement" => {
                let message = "`placement` is a string; write it in quotes, as in `placement = \"local\"`";
                self.placement = Some(parse_or(input, message)?);
            }
            "version" => {
                let message = "`version` is a number; write it in digits, as in `version = 2`";
                self.version = Some(parse_or(input, message)?);
            }
            "max_batch_messages" => self.max_batch_messages = Some(parse_or(input, COUNT)?),
            _ => self.mailbox_messages_max = Some(parse_or(input, COUNT)?),
        }
        if !input.is_empty() {
            let error = input.error("an option has one value; put a comma before the next option");
            skip(input);
            return Err(error);
        }
        Ok(())
    }
}

const COUNT: &str = "this option is a number of messages; write it in digits, as in `max_batch_messages = 64`";

/// Parses one value, or says what it would be.
fn parse_or<T: Parse>(input: ParseStream<'_>, message: &str) -> syn::Result<T> {
    input.parse::<T>().map_err(|error| {
        skip(input);
        syn::Error::new(error.span(), message)
    })
}

fn parse_visibility(input: ParseStream<'_>) -> syn::Result<Visibility> {
    let start = input.span();
    let vis = if input.peek(LitStr) {
        input.parse::<LitStr>()?.parse_with(Visibility::parse)?
    } else {
        input.parse::<Visibility>()?
    };
    match vis {
        Visibility::Inherited => {
            skip(input);
            let message = "`vis` is a visibility, since it stands before every generated item; write `pub`, \
                           `pub(crate)`, `pub(super)`, or `pub(self)` for this module alone";
            Err(syn::Error::new(start, message))
        }
        vis => Ok(vis),
    }
}

fn parse_path(input: ParseStream<'_>) -> syn::Result<Path> {
    let path = if input.peek(LitStr) {
        input.parse::<LitStr>()?.parse_with(Path::parse_mod_style)
    } else {
        Path::parse_mod_style(input)
    };
    path.map_err(|error| {
        skip(input);
        syn::Error::new(
            error.span(),
            "`crate` is a path, under which the crate is found; write it as in `crate = ::dna`",
        )
    })
}

/// Takes the rest, where an error has been found that says enough.
fn skip(input: ParseStream<'_>) {
    input
        .step(|cursor| {
            let mut rest = *cursor;
            while let Some((_, next)) = rest.token_tree() {
                rest = next;
            }
            Ok(((), rest))
        })
        .unwrap_or_default();
}

/// Cuts at the commas, so that an error in one part leaves the others readable.
fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![];
    let mut part = TokenStream::new();
    for token in tokens {
        if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
            parts.push(std::mem::take(&mut part));
        } else {
            part.extend([token]);
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

/// An `impl` block with its items.
pub(crate) struct Block {
    /// The attributes of the block.
    pub(crate) attrs: Vec<Attribute>,
    /// Its generic parameters and where clause.
    pub(crate) generics: Generics,
    /// The trait of a trait's `impl`.
    pub(crate) trait_: Option<Path>,
    /// The type that it is for.
    pub(crate) self_ty: Type,
    /// What stands in it.
    pub(crate) items: Vec<Item>,
}

/// An item of the block.
pub(crate) enum Item {
    /// A function, without its body.
    Fn(Box<ItemFn>),
    /// A macro call, by its tokens up to the `!`.
    Macro(TokenStream),
    /// A const or a type, by its name.
    Other(Ident),
}

/// A function of the block, without its body.
pub(crate) struct ItemFn {
    /// Its attributes.
    pub(crate) attrs: Vec<Attribute>,
    /// Its visibility.
    pub(crate) vis: Visibility,
    /// Its signature.
    pub(crate) signature: Signature,
}

impl Parse for Block {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        if input.peek(Token![unsafe]) && input.peek2(Token![impl]) {
            input.parse::<Token![unsafe]>()?;
        }
        if !input.peek(Token![impl]) {
            let error = input.error(
                "`#[dna::actor]` stands on the `impl` block with the actor's methods, since these are its messages; \
                 move it there",
            );
            skip(input);
            return Err(error);
        }
        input.parse::<Token![impl]>()?;
        let mut generics = input.parse::<Generics>()?;
        let first = input.parse::<Type>()?;
        let (trait_, self_ty) = if input.parse::<Option<Token![for]>>()?.is_some() {
            let path = match first {
                Type::Path(path) => Some(path.path),
                _ => None,
            };
            (path, input.parse()?)
        } else {
            (None, first)
        };
        generics.where_clause = input.parse::<Option<WhereClause>>()?;
        let content;
        braced!(content in input);
        content.call(Attribute::parse_inner)?;
        let mut items = vec![];
        while !content.is_empty() {
            items.push(content.parse()?);
        }
        Ok(Block { attrs, generics, trait_, self_ty, items })
    }
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse::<Visibility>()?;
        if begins_fn(&input.fork()) {
            if input.peek(Ident) && !input.peek(Token![fn]) {
                // `default` and other words that only the compiler can judge.
                input.call(Ident::parse_any)?;
            }
            let signature = input.parse::<Signature>()?;
            if input.peek(token::Brace) {
                input.parse::<TokenTree>()?;
            } else {
                input.parse::<Token![;]>()?;
            }
            return Ok(Item::Fn(Box::new(ItemFn { attrs, vis, signature })));
        }
        if input.peek(Token![const]) || input.peek(Token![type]) {
            input.call(Ident::parse_any)?;
            let ident = input.call(Ident::parse_any)?;
            while !input.peek(Token![;]) && !input.is_empty() {
                input.parse::<TokenTree>()?;
            }
            input.parse::<Option<Token![;]>>()?;
            return Ok(Item::Other(ident));
        }
        let mut tokens = TokenStream::new();
        while !input.is_empty() && !input.peek(token::Brace) && !input.peek(token::Paren) && !input.peek(token::Bracket)
        {
            tokens.extend([input.parse::<TokenTree>()?]);
        }
        let braces = input.peek(token::Brace);
        input.parse::<TokenTree>()?;
        if !braces {
            input.parse::<Option<Token![;]>>()?;
        }
        Ok(Item::Macro(tokens))
    }
}

/// Whether a function begins here: `fn`, after any of the words that may stand before it.
fn begins_fn(input: ParseStream<'_>) -> bool {
    for _ in 0..8 {
        if input.peek(Token![fn]) {
            return true;
        }
        if !input.peek(syn::Lit) && !input.peek(Ident::peek_any) {
            return false;
        }
        if input.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    false
}

/// The block as it was written, without the attributes that are meant for this macro.
pub(crate) fn without_helper_attributes(item: TokenStream) -> TokenStream {
    let mut tokens = item.into_iter().collect::<Vec<_>>();
    if let Some(TokenTree::Group(body)) = tokens.last_mut()
        && body.delimiter() == Delimiter::Brace
    {
        let span = body.span();
        *body = proc_macro2::Group::new(Delimiter::Brace, strip(body.stream()));
        body.set_span(span);
    }
    tokens.into_iter().collect()
}

fn strip(body: TokenStream) -> TokenStream {
    let mut kept = vec![];
    let mut rest = body.into_iter().peekable();
    while let Some(token) = rest.next() {
        let is_pound = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        if is_pound && rest.next_if(is_helper_attribute).is_some() {
            continue;
        }
        kept.push(token);
    }
    kept.into_iter().collect()
}

fn is_helper_attribute(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    let mut inner = group.stream().into_iter();
    let named = matches!(inner.next(), Some(TokenTree::Ident(ident)) if ident == "dna");
    // `#[dna::…]` is an attribute of its own, not ours to take away.
    let path = matches!(inner.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    group.delimiter() == Delimiter::Bracket && named && !path
}
