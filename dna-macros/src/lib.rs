//! The attribute of DNA (durable named actors): from one `impl` block to a typed client, a message enum, the dispatch.
//!
//! Programs use it as `dna::actor`; its documentation is at [`macro@actor`]. What it expands to stands on the hidden
//! `__private` of `dna` (or of `dna-core`, with `crate = dna_core`), so the two have one version.
//!
//! ```text
//! #[dna::actor]
//! impl Cart { … }    →    CartClient, CartMessage, CartReply, impl dna::Actor for Cart
//! ```
//!
//! The way of a block, a module each: tokens to syntax (`parse`), syntax to meaning (`model`), the rules (`check`),
//! meaning to code (`expand`).

mod check;
mod errors;
mod expand;
mod generate;
mod model;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes the type of an inherent `impl` block an actor.
///
/// ```text
/// use dna::prelude::*;
///
/// struct Cart {
///     lines: Kv<String, u32>, // durable
/// }
///
/// #[dna::actor]
/// impl Cart {
///     async fn init(ctx: Context) -> dna::Result<Self> {
///         Ok(Cart { lines: ctx.open("lines")? })
///     }
///
///     /// Puts `count` pieces of `sku` into the cart.
///     pub async fn put(&mut self, sku: String, count: u32) {
///         self.lines.put(sku, count);
///     }
///
///     /// How many pieces of `sku` there are.
///     pub async fn get(&self, sku: String) -> dna::Result<Option<u32>> {
///         self.lines.get(&sku).await
///     }
/// }
///
/// // Cart::client("alice").put("apple", 3).await?;
/// ```
///
/// # Messages, hooks, helpers
///
/// **A `pub` method is a message.** It takes `&self` (runs beside other such messages, cannot write) or `&mut self`
/// (runs alone), and owned arguments, each under a name. It may be `async` or not. Arguments and what it returns are
/// `Serialize + DeserializeOwned + Send + 'static`, since they may cross to another node.
///
/// **A method without visibility is a helper**, of any shape, except for four names, which are hooks:
///
/// | hook | when |
/// |---|---|
/// | `async fn init(ctx: Context) -> dna::Result<Self>` | on the first message to a name; required |
/// | `async fn after_persist(&self)` | after commits |
/// | `async fn handle_events(&mut self, events: Events<Self>) -> dna::Result<()>` | for a batch, in place of its methods |
/// | `async fn on_stop(&mut self)` | before the activation ends |
///
/// `init` takes `Context`, or `Context<Self>` to schedule messages. The error type may be any that is
/// `Into<dna::Error>`. A hook need not be `async`.
///
/// A `#[cfg]` on a method holds for all that is generated of it. Consts may stand in the block, macro calls may not.
/// The actor type has no generic parameters and is `Send + Sync`.
///
/// # Failing
///
/// A method whose return type is called `Result` (by the last segment of its path) is fallible: `Err` rolls all of its
/// writes back and reaches the caller as `CallError::Handler`. With `#[dna(plain)]` on the method the `Result` is an
/// answer like any other: its writes stand, and the caller gets it in `Ok`.
///
/// # What is generated
///
/// For `impl Cart`:
///
/// - `CartClient`, with one method a message, of the same name and documentation. It returns a `Call`, to be awaited,
///   cast or given a time-out. An argument whose type is spelled `String` takes `impl Into<String>`. `name()` answers
///   the actor's name, unless a message has that name; `AsRef<Client<Cart>>` leads to the untyped handle.
/// - `Cart::client(name)`, which makes one.
/// - `CartMessage` and `CartReply`, one variant a message: `CartMessage::Put { sku, count }` and `CartReply::Put(())`.
///   A message without arguments is a unit variant. They serve `ctx.schedule` and `handle_events`. `Debug` shows the
///   variant's name alone.
/// - the implementation of `dna::Actor`.
///
/// The names of methods and arguments are the wire format: to rename one is to break the calls of nodes that run the
/// older program.
///
/// # Options
///
/// In `#[dna::actor(…)]`, separated by commas:
///
/// - `name = "cart"`: the type's name in addresses and in the store, 1 to 128 bytes. Without it, the name of the type,
///   and then renaming the type loses sight of what is stored.
/// - `vis = pub(crate)`: the visibility of the generated items, at least that of the actor type. Without it, `pub`.
/// - `placement = "local"`: how the names of the type are divided among the nodes of a cluster. Without it, or with `"hash"`,
///   by their hash. With `"local"` a name lives on the node where it is first called, and moves with the shard of that
///   node that it was registered for: all nodes must say the same. On a node alone it makes no difference.
/// - `version = 2`: the version of the type's messages, 1 or more. Without it, 1. A node of a cluster takes messages of its
///   own version alone; others are an error that names the nodes of either version.
/// - `max_batch_messages = 64`: how many messages one batch takes at the most, 1 or more. Without it, the node's
///   setting.
/// - `mailbox_messages_max = 4096`: how many messages the mailbox admits, 1 or more. Without it, the node's setting.
/// - `crate = ::dna`: where the crate is found, if under another name.
#[proc_macro_attribute]
pub fn actor(options: TokenStream, item: TokenStream) -> TokenStream {
    generate::generate(options.into(), item.into()).into()
}
