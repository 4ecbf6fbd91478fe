//! What `#[dna::actor]` expands to. Not for use by hand: it changes without notice.

pub use serde;

pub use crate::{
    Access, Actor, ActorOptions, Call, CallError, Client, Context, Error, Event, Events, Fallible, FromContext,
    Handled, Placement,
};

/// The call of a handler that returns the `Result` type `R`.
pub type TryCall<A, R> = Call<A, <R as Fallible>::Ok, <R as Fallible>::Err>;

/// The end of an arm of the generated dispatch that the engine never enters: [`Actor::handle`](crate::Actor::handle) is given shared messages
/// only, [`Actor::handle_mut`](crate::Actor::handle_mut) exclusive ones only.
#[cold]
#[track_caller]
pub fn misrouted(kind: &str, message: &str) -> ! {
    panic!("invariant: `{kind}::{message}` is given to the dispatch of its own access only");
}
