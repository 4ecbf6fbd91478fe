//! Messages between nodes: how one leaves for the node that serves its name, and how one that came from there is handled
//! here. What carries them is the business of a [`Router`].

mod chain;
mod inbound;
mod outbound;

pub(crate) use self::outbound::{Routed, away, give_back};
pub use self::{
    chain::Callers,
    inbound::{Delivered, Inbound, Unanswered, Undelivered},
    outbound::{Abandoned, Answered, Origin, Outbound, Router, Unrouted},
};
