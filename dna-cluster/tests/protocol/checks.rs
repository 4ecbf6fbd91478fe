//! The explorations: the protocol as it is, in several sizes, and without one rule after the other.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    time::Instant,
};

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    model::{Protocol, RULES, Rule, Rules, World},
    node::Doing,
    walk::Weighted,
};

/// Two nodes and one counter.
fn small() -> Protocol {
    Protocol {
        rules: Rules { without: None },
        members: 2,
        joiners: 0,
        keys: 1,
        lanes: 1,
        count_max: 3,
        groups_max: 3,
        version_max: 4,
        pipelined: false,
        leaves: false,
    }
}

/// Two counters, each in a lane of its own.
fn lanes() -> Protocol {
    Protocol { keys: 2, lanes: 2, count_max: 2, groups_max: 2, ..small() }
}

/// Everything at once.
fn large() -> Protocol {
    Protocol {
        members: 3,
        joiners: 2,
        keys: 3,
        lanes: 2,
        count_max: 8,
        groups_max: 8,
        version_max: 12,
        pipelined: true,
        leaves: true,
        ..small()
    }
}

/// Explores a size, breadth first, up to so many steps; whether that was all.
fn explore(name: &str, protocol: Protocol, steps_max: usize) -> bool {
    let since = Instant::now();
    let checker = protocol.checker().threads(2).target_state_count(steps_max).spawn_bfs().join();
    let is_all = checker.state_count() < steps_max;
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let extent = if is_all { "all that there are" } else { "the first ones" };
    println!("{name}: {states} states, {extent}, {depth} steps deep, in {:.1?}", since.elapsed());
    checker.assert_properties();
    is_all
}

#[test]
fn the_protocol_holds_in_every_state() {
    for (name, protocol) in [
        ("one counter", small()),
        ("one counter that counts further", Protocol { count_max: 4, groups_max: 4, version_max: 5, ..small() }),
        ("pipelined groups", Protocol { pipelined: true, ..small() }),
        ("nodes that leave", Protocol { leaves: true, count_max: 2, groups_max: 2, version_max: 5, ..small() }),
        ("a node that joins", Protocol { joiners: 1, count_max: 2, groups_max: 2, ..small() }),
        ("two counters in one lane", Protocol { keys: 2, pipelined: true, count_max: 2, groups_max: 2, ..small() }),
    ] {
        assert!(explore(name, protocol, 10_000_000), "{name}: not explored to the end");
    }
}

#[test]
fn the_protocol_holds_in_the_first_states_of_a_larger_size() {
    explore("two counters in two lanes", lanes(), 2_000_000);
}

#[test]
fn the_protocol_holds_on_random_walks_of_a_large_size() {
    let since = Instant::now();
    let checker =
        large().checker().target_max_depth(300).target_state_count(500_000).spawn_simulation(1, Weighted).join();
    println!(
        "three nodes, two that join, three counters in two lanes: {} steps, up to {} deep, in {:.1?}",
        checker.state_count(),
        checker.max_depth(),
        since.elapsed()
    );
    checker.assert_properties();
}

#[test]
fn each_rule_that_is_taken_out_is_missed() {
    for rule in RULES {
        let size = if rule == Rule::EveryLaneIsSealed { lanes() } else { small() };
        let protocol = Protocol { rules: Rules { without: Some(rule) }, ..size };
        let checker = protocol.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
        let checker = checker.target_state_count(2_000_000).spawn_bfs().join();
        let path = checker.discoveries().into_values().next();
        let Some(path) = path else { panic!("{rule:?} is not missed in {} states", checker.unique_state_count()) };
        let (steps, states) = (path.clone().into_actions().len(), checker.unique_state_count());
        println!(
            "without {rule:?}: {:?} after {steps} steps, found in {states} states",
            found(&checker, path.last_state())
        );
    }
}

fn found(checker: &impl Checker<Protocol>, world: &World) -> String {
    let wrong = world.wrong.or_else(|| world.stale_answer(checker.model().rules));
    format!("{wrong:?}")
}

/// What is to be seen on the way, or the exploration would say little.
#[test]
fn an_exploration_comes_by_all_that_a_node_does() {
    type Seen = (&'static str, fn(&World) -> bool);
    let expected: [Seen; 8] = [
        ("a shard changes hands twice", |world| world.database.view.version() >= 4 && world.highest(0) >= 2),
        ("a takeover replays", |world| {
            world.nodes.iter().any(|node| matches!(&node.doing, Doing::Replaying { rows, .. } if !rows.is_empty()))
        }),
        ("a group waits behind another", |world| {
            let mut lanes = world.nodes.iter().flat_map(|node| &node.lanes);
            lanes.any(|lane| lane.under_way.is_some() && !lane.gathered.is_empty())
        }),
        ("an old owner commits when others have sealed", |world| {
            let sealed = world.database.journals.iter().map(|lanes| lanes[0].sealed);
            world.nodes.iter().zip(sealed).any(|(node, sealed)| sealed && node.lanes[0].under_way.is_some())
        }),
        ("a node has left", |world| world.database.view.view().members().count() == 1),
        ("a node that drains counts", |world| {
            world.nodes.iter().any(|node| node.up && node.draining && node.lanes[0].under_way.is_some())
        }),
        ("a shard is nobody's", |world| {
            world.database.view.view().members().count() > 0
                && world.database.view.view().shards_without_owner().count() > 0
        }),
        ("all is counted", |world| world.highest(0) == 3),
    ];
    let protocol = Protocol { pipelined: true, leaves: true, ..small() };
    let mut found = [false; 8];
    let (mut states, hasher) = (HashSet::new(), RandomState::new());
    let mut todo = VecDeque::from(protocol.init_states());
    while let Some(world) = todo.pop_front() {
        for (index, (_, is_seen)) in expected.iter().enumerate() {
            found[index] |= is_seen(&world);
        }
        if states.len() > 100_000 || found.iter().all(|found| *found) {
            break;
        }
        todo.extend(protocol.next_states(&world).into_iter().filter(|next| states.insert(hasher.hash_one(next))));
    }
    for ((name, _), found) in expected.iter().zip(found) {
        assert!(found, "never seen: {name}");
    }
}
