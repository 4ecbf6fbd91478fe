//! What breaks when: a decision that a seed repeats. Knows of no processes and no networks.

use std::{collections::BTreeSet, fmt, time::Duration};

use crate::rng::Rng;

/// Something that breaks, and is mended behind a while. Nodes are told apart by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its process is killed, and another one is started on its address: at once, or when others have taken over.
    Kill { node: usize, at_once: bool },
    /// Its process is told to end, and started again when it has.
    Restart { node: usize },
    /// Its process stands still: for less than a lease, or so long that others take over.
    Pause { node: usize, long: bool },
    /// What these two nodes send to each other is lost.
    Part { node: usize, other: usize },
    /// What the one node sends to the other is lost; what that one sends arrives.
    Deafen { node: usize, other: usize },
    /// The node reaches no other node, but the database, and the others do not reach it.
    Shun { node: usize },
    /// What the node sends to the database is lost.
    CutOff { node: usize },
    /// The node's cable is pulled.
    Unplug { node: usize },
    /// The database stands still.
    PauseDatabase,
    /// The database is killed and started again.
    KillDatabase,
}

impl Fault {
    /// Whether it needs networks of one's own.
    fn needs_networks(self) -> bool {
        matches!(
            self,
            Fault::Part { .. }
                | Fault::Deafen { .. }
                | Fault::Shun { .. }
                | Fault::CutOff { .. }
                | Fault::Unplug { .. }
        )
    }

    /// The node whose process is broken, if it is one alone.
    pub(crate) fn node(self) -> Option<usize> {
        match self {
            Fault::Kill { node, .. }
            | Fault::Restart { node }
            | Fault::Pause { node, .. }
            | Fault::Shun { node }
            | Fault::CutOff { node }
            | Fault::Unplug { node } => Some(node),
            Fault::Part { .. } | Fault::Deafen { .. } | Fault::PauseDatabase | Fault::KillDatabase => None,
        }
    }

    /// What it is called, whomever it meets.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Fault::Kill { at_once: true, .. } => "kill, same address at once",
            Fault::Kill { at_once: false, .. } => "kill",
            Fault::Restart { .. } => "restart",
            Fault::Pause { long: false, .. } => "short pause",
            Fault::Pause { long: true, .. } => "long pause",
            Fault::Part { .. } => "two nodes parted",
            Fault::Deafen { .. } => "one-way partition",
            Fault::Shun { .. } => "cut off from the nodes",
            Fault::CutOff { .. } => "cut off from the database",
            Fault::Unplug { .. } => "unplugged",
            Fault::PauseDatabase => "database pauses",
            Fault::KillDatabase => "database killed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.node(), self) {
            (Some(node), _) => write!(f, "node {}: {}", node + 1, self.kind()),
            (None, Fault::Part { node, other } | Fault::Deafen { node, other }) => {
                write!(f, "nodes {} and {}: {}", node + 1, other + 1, self.kind())
            }
            (None, _) => f.write_str(self.kind()),
        }
    }
}

/// One step: what breaks, for how long, and how long nothing does behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) fault: Fault,
    pub(crate) lasts: Duration,
    pub(crate) rest: Duration,
}

/// Every kind of fault there is.
pub(crate) fn kinds() -> BTreeSet<&'static str> {
    Plan::new(0, 2, Duration::ZERO, true).full_deck().into_iter().map(Fault::kind).collect()
}

/// Deals the steps: every kind once, in some order, before any comes again.
pub(crate) struct Plan {
    rng: Rng,
    nodes: usize,
    lease: Duration,
    has_networks: bool,
    deck: Vec<Fault>,
}

impl Plan {
    pub(crate) fn new(seed: u64, nodes: usize, lease: Duration, has_networks: bool) -> Self {
        assert!(nodes >= 2, "a node alone has nobody to take over from it");
        Plan { rng: Rng::new(seed), nodes, lease, has_networks, deck: Vec::new() }
    }

    fn node(&mut self) -> usize {
        self.below(self.nodes)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap()
    }

    fn two(&mut self) -> (usize, usize) {
        let node = self.node();
        (node, (node + 1 + self.below(self.nodes - 1)) % self.nodes)
    }

    fn full_deck(&mut self) -> Vec<Fault> {
        let ((a, b), (c, d)) = (self.two(), self.two());
        let mut deck = vec![
            Fault::Kill { node: self.node(), at_once: false },
            Fault::Kill { node: self.node(), at_once: true },
            Fault::Restart { node: self.node() },
            Fault::Pause { node: self.node(), long: false },
            Fault::Pause { node: self.node(), long: true },
            Fault::Part { node: a, other: b },
            Fault::Deafen { node: c, other: d },
            Fault::Shun { node: self.node() },
            Fault::CutOff { node: self.node() },
            Fault::Unplug { node: self.node() },
            Fault::PauseDatabase,
            Fault::KillDatabase,
        ];
        deck.retain(|fault| self.has_networks || !fault.needs_networks());
        for at in (1..deck.len()).rev() {
            let with = self.below(at + 1);
            deck.swap(at, with);
        }
        deck
    }

    /// From `least` leases on, a lease longer at the most.
    fn leases(&mut self, least: u32) -> Duration {
        let more = self.rng.below(1 + u64::try_from(self.lease.as_millis()).unwrap());
        self.lease * least + Duration::from_millis(more)
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.deck.is_empty() {
            self.deck = self.full_deck();
        }
        let fault = self.deck.pop()?;
        let lasts = match fault {
            Fault::Kill { at_once: true, .. } | Fault::Restart { .. } | Fault::KillDatabase => Duration::ZERO,
            Fault::Pause { long: false, .. } => self.lease.mul_f64(0.5),
            // Others can take over only when the lease has run out, and it has to be seen that they do.
            _ => self.leases(2),
        };
        Some(Step { fault, lasts, rest: self.leases(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(1_500);

    #[test]
    fn a_seed_repeats_the_plan_and_another_one_does_not() {
        let plan = |seed| Plan::new(seed, 3, LEASE, true).take(40).collect::<Vec<_>>();
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn every_kind_comes_before_any_comes_again() {
        for (has_networks, kinds) in [(true, 12), (false, 7)] {
            let mut plan = Plan::new(3, 3, LEASE, has_networks);
            for _ in 0..4 {
                let round = plan.by_ref().take(kinds).map(|step| step.fault.kind()).collect::<BTreeSet<_>>();
                assert_eq!(round.len(), kinds, "{round:?}");
                assert_eq!(round == super::kinds(), has_networks, "{round:?}");
            }
        }
    }

    #[test]
    fn no_node_is_parted_from_itself_and_none_is_made_up() {
        for step in Plan::new(11, 3, LEASE, true).take(500) {
            if let Fault::Part { node, other } | Fault::Deafen { node, other } = step.fault {
                assert!(node != other && node < 3 && other < 3, "{step:?}");
            }
            let is_short = matches!(step.fault, Fault::Pause { long: false, .. });
            assert!(step.lasts == Duration::ZERO || is_short || step.lasts >= LEASE * 2, "{step:?}");
        }
    }
}
