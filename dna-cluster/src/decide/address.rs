//! The short cut of the same address: a process that listens where a member did has the proof that the member is gone.

use dna_core::NodeId;

use crate::view::{Member, View};

/// The members whose process is gone for certain, since `me` has bound their address, exclusively, on the same boot of
/// the same machine and in the same network: a node keeps its listener until its last activation is dropped. Their
/// leases need not be waited for.
pub fn gone_from_this_address(view: &View, me: &Member) -> Vec<NodeId> {
    let is_here = |member: &&Member| {
        member.id != me.id && member.address == me.address && me.machine.is_some() && member.machine == me.machine
    };
    view.members().filter(is_here).map(|member| member.id).collect()
}
