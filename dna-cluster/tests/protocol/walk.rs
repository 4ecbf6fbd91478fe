//! Random walks: they come to states that lie deeper than an exploration gets. Time and death are rare on them, or nothing
//! else would happen.

use stateright::Chooser;

use super::{
    actions::Action,
    model::{Protocol, World},
};

/// Chooses the next action by weight.
#[derive(Clone)]
pub struct Weighted;

impl Chooser<Protocol> for Weighted {
    type State = u64;

    fn new_state(&self, seed: u64) -> u64 {
        seed
    }

    fn choose_initial_state(&self, _: &mut u64, _: &[World]) -> usize {
        0
    }

    fn choose_action(&self, state: &mut u64, _: &World, actions: &[Action]) -> usize {
        let weights = actions.iter().map(weight);
        let mut left = random(state) % weights.clone().sum::<u64>();
        for (index, weight) in weights.enumerate() {
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }
}

fn weight(action: &Action) -> u64 {
    match action {
        Action::Die(_) | Action::LeaseEnds(_) | Action::Drain(_) => 3,
        Action::Join(_) => 10,
        Action::Arrive(_) => 30,
        _ => 100,
    }
}

/// SplitMix, by G. Steele, D. Lea and C. Flood (OOPSLA 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
