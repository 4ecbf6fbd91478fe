//! What the engine needs of an actor. `#[dna::actor]` implements it; by hand it is a page.

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};

use crate::{client::Client, context::Context, error::Error, events::Events, placement::Placement};

/// A type of actor: its messages, its replies, and how they are handled.
///
/// `#[dna::actor]` on an `impl` block implements it. The futures must be `Send`, and the actor `Sync`, since
/// consecutive `&self` handlers of a batch run concurrently.
#[diagnostic::on_unimplemented(message = "`{Self}` is not an actor", note = "put `#[dna::actor]` on its `impl` block")]
pub trait Actor: Sized + Send + Sync + 'static {
    /// The type's name in addresses and in the store. Renaming it loses sight of what is stored.
    const KIND: &'static str;

    /// What differs from the node's settings for this type.
    const OPTIONS: ActorOptions = ActorOptions::new();

    /// One variant a message.
    type Message: Serialize + DeserializeOwned + Send + 'static;

    /// One variant a message, of the same name.
    type Reply: Serialize + DeserializeOwned + Send + 'static;

    /// The handle that users call: a wrapper of [`Client`] with one method a message.
    type Client: From<Client<Self>> + Clone + Send + Sync + 'static;

    /// Makes an activation, on the first message to a name that has none. Its writes are a transaction of their own;
    /// where it fails they are rolled back and the message that caused it fails.
    fn init(context: Context<Self>) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Whether the message needs the actor for itself.
    fn access(message: &Self::Message) -> Access;

    /// Handles a message of [`Access::Shared`]. Is never given another.
    fn handle(&self, message: Self::Message) -> impl Future<Output = Handled<Self::Reply>> + Send;

    /// Handles a message of [`Access::Exclusive`]. Is never given another.
    fn handle_mut(&mut self, message: Self::Message) -> impl Future<Output = Handled<Self::Reply>> + Send;

    /// Runs after commits, one call for several; skipped where the activation is gone. Cannot write. Only called where
    /// [`ActorOptions::after_persist`] is set.
    fn after_persist(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Handles a whole batch as one transaction, in place of the handlers. Only called where
    /// [`ActorOptions::handle_events`] is set.
    fn handle_events(&mut self, events: Events<Self>) -> impl Future<Output = Result<(), Error>> + Send {
        async move {
            for event in events {
                event.dispatch(self).await;
            }
            Ok(())
        }
    }

    /// Runs before the activation is dropped by passivation or shutdown; its writes are a transaction of their own.
    /// Not run after a panic, a refused commit, or the loss of the node.
    fn on_stop(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Whether a message needs the actor for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// `&self`: consecutive ones of a batch run concurrently. Cannot write.
    Shared,
    /// `&mut self`: runs alone.
    Exclusive,
}

/// What a handler answered, and whether its writes stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handled<R> {
    pub(crate) reply: R,
    pub(crate) failed: bool,
}

impl<R> Handled<R> {
    /// An answer whose writes stand.
    pub fn done(reply: R) -> Self {
        Handled { reply, failed: false }
    }

    /// An answer whose writes are rolled back.
    pub fn failed(reply: R) -> Self {
        Handled { reply, failed: true }
    }
}

/// What an actor type sets for itself. `None` leaves a limit to the node's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActorOptions {
    /// How many messages one batch takes at the most.
    pub max_batch_messages: Option<usize>,
    /// How many messages the mailbox admits.
    pub mailbox_messages_max: Option<usize>,
    /// Whether there is an `after_persist` to call.
    pub after_persist: bool,
    /// Whether there is a `handle_events` to call in place of the handlers.
    pub handle_events: bool,
    /// How its names find their shards, in a cluster. All nodes must say the same.
    pub placement: Placement,
    /// The version of its messages, 1 or more. A node of a cluster takes messages of its own version alone.
    pub version: u32,
}

impl ActorOptions {
    /// Nothing set.
    pub const fn new() -> Self {
        ActorOptions {
            max_batch_messages: None,
            mailbox_messages_max: None,
            after_persist: false,
            handle_events: false,
            placement: Placement::Hash,
            version: 1,
        }
    }

    /// Sets how many messages one batch takes at the most.
    #[must_use]
    pub const fn with_max_batch_messages(mut self, messages: usize) -> Self {
        self.max_batch_messages = Some(messages);
        self
    }

    /// Sets how many messages the mailbox admits.
    #[must_use]
    pub const fn with_mailbox_messages_max(mut self, messages: usize) -> Self {
        self.mailbox_messages_max = Some(messages);
        self
    }

    /// Says that there is an `after_persist` to call.
    #[must_use]
    pub const fn with_after_persist(mut self) -> Self {
        self.after_persist = true;
        self
    }

    /// Says that there is a `handle_events` to call in place of the handlers.
    #[must_use]
    pub const fn with_handle_events(mut self) -> Self {
        self.handle_events = true;
        self
    }

    /// Sets how its names find their shards.
    #[must_use]
    pub const fn with_placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Sets the version of its messages.
    #[must_use]
    pub const fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }
}

impl Default for ActorOptions {
    fn default() -> Self {
        ActorOptions::new()
    }
}

/// A return type that is a `Result`, by projection: what the macro uses to name a handler's `T` and `E`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`, though its name ends like one",
    note = "put `#[dna(plain)]` on the method to return it as it is"
)]
pub trait Fallible {
    /// The type in `Ok`.
    type Ok;
    /// The type in `Err`.
    type Err;

    /// As a `Result`.
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> Fallible for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn into_result(self) -> Result<T, E> {
        self
    }
}
