//! What is to become of requests: pure data, which a seed or a script decides.

use std::{collections::VecDeque, time::Duration};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a request asks of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// Reading the view.
    ReadView,
    /// Swapping the view.
    SwapView,
    /// Noting a heartbeat.
    Beat,
    /// Reading the heartbeats.
    Beats,
    /// Reading the database's wall clock.
    ReadClock,
    /// Making a journal.
    OpenJournal,
    /// Reading the header of a journal, to claim it.
    ReadHeader,
    /// Appending a group to a journal.
    Append,
    /// Noting in a journal what has been stored.
    Release,
    /// Sealing a journal.
    Seal,
    /// Reading a sealed journal.
    ReadJournal,
    /// Storing what an actor wrote in a group as rows.
    StoreRows,
    /// Reading a row.
    Get,
    /// Reading rows.
    Scan,
    /// Registering a name.
    RegisterName,
}

impl RequestKind {
    /// Every kind.
    pub const ALL: [RequestKind; 15] = [
        RequestKind::ReadView,
        RequestKind::SwapView,
        RequestKind::Beat,
        RequestKind::Beats,
        RequestKind::ReadClock,
        RequestKind::OpenJournal,
        RequestKind::ReadHeader,
        RequestKind::Append,
        RequestKind::Release,
        RequestKind::Seal,
        RequestKind::ReadJournal,
        RequestKind::StoreRows,
        RequestKind::Get,
        RequestKind::Scan,
        RequestKind::RegisterName,
    ];
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fate {
    /// It is applied and answered.
    #[default]
    Pass,
    /// It takes its time on the way, and so does its answer.
    Delay {
        /// How long the request takes.
        request: Duration,
        /// How long the answer takes.
        answer: Duration,
    },
    /// It is never sent, and the sender knows.
    Refuse,
    /// It is never applied, and never answered.
    LoseRequest,
    /// It is applied, but never answered.
    LoseAnswer,
    /// It is given up at once, and applied after this time.
    Late(Duration),
    /// It is given up at once, and applied when the stranded ones are delivered.
    Strand,
    /// It is applied and answered, and applied once more after this time.
    Double(Duration),
    /// It is applied and answered, and applied once more when the stranded ones are delivered.
    Echo,
}

/// What becomes of the requests over one connection: first what the script says for the next ones of a kind, then what
/// holds for all of it, then chance.
///
/// ```
/// use dna_core::testing::{Fate, FaultPlan, RequestKind};
///
/// let plan = FaultPlan::random(42, 50, RequestKind::ALL, [Fate::LoseRequest, Fate::LoseAnswer, Fate::Echo])
///     .next(1, RequestKind::SwapView, Fate::LoseAnswer)
///     .always(RequestKind::Beat, Fate::Refuse);
/// # let _ = plan;
/// ```
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {
    script: VecDeque<(RequestKind, Fate)>,
    always: Vec<(RequestKind, Fate)>,
    chance: Option<Chance>,
}

#[derive(Debug, Clone)]
struct Chance {
    seed: u64,
    drawn: u64,
    per_mille: u32,
    kinds: Vec<RequestKind>,
    fates: Vec<Fate>,
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        FaultPlan::default()
    }

    /// So many of a thousand requests of these kinds meet one of these fates. The same seed and the same requests in
    /// the same order meet the same fates.
    pub fn random(
        seed: u64,
        per_mille: u32,
        kinds: impl IntoIterator<Item = RequestKind>,
        fates: impl IntoIterator<Item = Fate>,
    ) -> Self {
        let (kinds, fates) = (kinds.into_iter().collect(), fates.into_iter().collect());
        FaultPlan { chance: Some(Chance { seed, drawn: 0, per_mille, kinds, fates }), ..FaultPlan::default() }
    }

    /// The next `count` requests of this kind, after those that were named before, meet this fate.
    #[must_use]
    pub fn next(mut self, count: usize, kind: RequestKind, fate: Fate) -> Self {
        self.script.extend(std::iter::repeat_n((kind, fate), count));
        self
    }

    /// All requests of this kind meet this fate, where the script names none.
    #[must_use]
    pub fn always(mut self, kind: RequestKind, fate: Fate) -> Self {
        self.always.retain(|&(other, _)| other != kind);
        self.always.push((kind, fate));
        self
    }

    /// What becomes of the next request, which is of this kind.
    pub(super) fn fate(&mut self, kind: RequestKind) -> Fate {
        if let Some(next) = self.script.iter().position(|&(other, _)| other == kind)
            && let Some((_, fate)) = self.script.remove(next)
        {
            return fate;
        }
        if let Some(&(_, fate)) = self.always.iter().find(|&&(other, _)| other == kind) {
            return fate;
        }
        self.chance.as_mut().and_then(|chance| chance.draw(kind)).unwrap_or_default()
    }
}

impl Chance {
    fn draw(&mut self, kind: RequestKind) -> Option<Fate> {
        if !self.kinds.contains(&kind) {
            return None;
        }
        self.drawn += 1;
        let random = xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.seed);
        let (hit, which) = (random % 1000, random >> 32);
        let count = u64::try_from(self.fates.len()).ok().filter(|&count| count > 0)?;
        let index = usize::try_from(which % count).ok()?;
        (hit < u64::from(self.per_mille)).then(|| self.fates.get(index).copied())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_goes_before_what_holds_always_and_that_before_chance() {
        let mut plan = FaultPlan::random(1, 1000, [RequestKind::Beat, RequestKind::Beats], [Fate::Strand])
            .always(RequestKind::Beat, Fate::Refuse)
            .next(1, RequestKind::Beat, Fate::LoseAnswer);
        assert_eq!(plan.fate(RequestKind::Beats), Fate::Strand);
        assert_eq!(plan.fate(RequestKind::Beat), Fate::LoseAnswer);
        assert_eq!(plan.fate(RequestKind::Beat), Fate::Refuse);
        assert_eq!(plan.fate(RequestKind::Append), Fate::Pass);
    }

    #[test]
    fn a_seed_repeats_its_faults_at_about_its_rate() {
        let plan = || FaultPlan::random(7, 100, RequestKind::ALL, [Fate::LoseAnswer, Fate::Refuse]);
        let fates = |mut plan: FaultPlan| (0..10_000).map(|_| plan.fate(RequestKind::Append)).collect::<Vec<_>>();
        let drawn = fates(plan());
        assert_eq!(drawn, fates(plan()));
        let count = |fate| drawn.iter().filter(|&&other| other == fate).count();
        assert!(count(Fate::LoseAnswer).abs_diff(500) < 100 && count(Fate::Refuse).abs_diff(500) < 100);
    }
}
