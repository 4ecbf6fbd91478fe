//! The rules of the port that can be taken out, to see that the conformance suite misses them.

/// A rule that a [`MemoryCluster`](crate::MemoryCluster) keeps unless it is made
/// [without](crate::MemoryCluster::without) it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// A swap is applied only where the version is the expected one.
    SwapNeedsItsVersion,
    /// A swap that was not applied is `Lost`.
    LostSwapSaysSo,
    /// A view past its limit is refused.
    ViewIsBounded,
    /// Of two beats the higher number stands.
    HigherBeatStands,
    /// Each node has its own beats.
    BeatsArePerNode,
    /// The journals of a node are opened once.
    JournalsOpenOnce,
    /// A node without journals, or with too many, is refused.
    LanesAreBounded,
    /// A floor far ahead of the database's clock is refused.
    FloorIsChecked,
    /// A sealed journal takes nothing.
    SealedRefuses,
    /// A sealed journal cannot be claimed.
    SealedIsNotClaimed,
    /// Timestamps are above the floor of the view.
    StampsAboveFloor,
    /// Timestamps are above what they were raised to.
    StampsAreRaised,
    /// The last timestamp covers what was committed.
    LastTimestampCovers,
    /// Rows go by timestamp, not by arrival.
    RowsGoByTimestamp,
    /// What waits to be stored is merged over what is read.
    ReadsMergeWhatWaits,
    /// Every lane is sealed.
    EveryLaneIsSealed,
    /// What is not stored is replayed.
    Replay,
    /// What is replayed keeps its timestamps.
    ReplayKeepsStamps,
    /// The last timestamp of a replay includes what was stored before.
    ReplayLastIncludesStored,
    /// A missing journal is an error.
    MissingIsAnAlarm,
    /// An entry that cannot be read is an error.
    DamageIsAnError,
    /// A drain waits for rows.
    DrainWaits,
    /// A drain releases what is stored.
    DrainReleases,
    /// The first registration of a name stands.
    FirstNameStands,
    /// The parts of a name are told apart.
    NamePartsStayApart,
    /// Each lane has a journal of its own.
    LanesAreApart,
    /// A group that was in doubt once is never said not to be applied.
    DoubtStays,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 27] = [
        Rule::SwapNeedsItsVersion,
        Rule::LostSwapSaysSo,
        Rule::ViewIsBounded,
        Rule::HigherBeatStands,
        Rule::BeatsArePerNode,
        Rule::JournalsOpenOnce,
        Rule::LanesAreBounded,
        Rule::FloorIsChecked,
        Rule::SealedRefuses,
        Rule::SealedIsNotClaimed,
        Rule::StampsAboveFloor,
        Rule::StampsAreRaised,
        Rule::LastTimestampCovers,
        Rule::RowsGoByTimestamp,
        Rule::ReadsMergeWhatWaits,
        Rule::EveryLaneIsSealed,
        Rule::Replay,
        Rule::ReplayKeepsStamps,
        Rule::ReplayLastIncludesStored,
        Rule::MissingIsAnAlarm,
        Rule::DamageIsAnError,
        Rule::DrainWaits,
        Rule::DrainReleases,
        Rule::FirstNameStands,
        Rule::NamePartsStayApart,
        Rule::LanesAreApart,
        Rule::DoubtStays,
    ];
}
