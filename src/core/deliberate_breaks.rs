//! Deliberate violations of the rules. The proof shows that its checks detect each of them.
//!
//! The rules themselves contain no switch. A rule is broken by giving it a false input:
//! `broken_rule_input.rs` alters the listing and the history that a decision sees, and the
//! simulation alters policies, settings, the disk and answers. All of this is compiled only with
//! the feature `proof`.

use std::cell::Cell;

/// A rule to violate on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Break {
    /// A snapshot in progress counts as completed (I8).
    InProgressCounts,
    /// The newest own completed snapshot may be deleted (I2).
    NoFloor,
    /// Nothing waits for a snapshot that is in progress (I8).
    PruneBeforeCompletion,
    /// A create without an answer immediately counts as failed (I9).
    NoSettleWindow,
    /// A create without an answer is sent again as if it had been refused (I9).
    BlindRetry,
    /// An incomplete or wrong listing is accepted (I11).
    ShortListingTrusted,
    /// A listing from before a mutation justifies the next mutation (I4).
    StaleListingReused,
    /// The oldest snapshot is chosen by name instead of by date (I3).
    OldestByName,
    /// A foreign snapshot counts as own (I1).
    ForeignAsOwn,
    /// A second prune-first follows before the rotation has replaced the first victim (I7).
    NoErosionGuard,
    /// The trail is not synced before a mutation (I6).
    TrailNotSynced,
    /// A full server gets another create (I10).
    NoRoomCheck,
    /// The trail's settled slots are ignored; only the inventory counts (I9).
    TrailForgotten,
    /// A clock that is behind the trail causes no doubt (I11).
    ClockTrusted,
    /// Protected snapshots are pruned (I1).
    ProtectionIgnored,
    /// `min_completed` is ignored (I3).
    NoMinimum,
    /// A rotation keeps one snapshot too few (I3).
    KeepOneLess,
    /// An open delete is ignored, and another one is sent beside it (I5).
    OpenDeleteForgotten,
    /// A slot that is given up or skipped raises no alert (I15).
    SilentFailure,
    /// Every due slot without a record of its own counts as ended (I15).
    SlotsLost,
    /// A server held by hooks is not released after its create has been sent.
    HoldForgotten,
    /// A failed `after` is not run again.
    AfterRunOnce,
    /// A create is sent although its server is not held for it.
    BeforeLeftOut,
    /// A server that was stopped for a snapshot is not started once the create has been sent (I20).
    StartForgotten,
    /// A running server's snapshot is created although the policy asks for a stop (I20).
    StopLeftOut,
    /// A server that its policy names by the other id is taken for another server (I9).
    IdEditForgotten,
    /// An expired snapshot is deleted by its id, whatever name and date its row shows (I1).
    ExpiryByIdAlone,
    /// Surplus that nothing pays for is deleted (I19).
    UnpaidDeleted,
    /// A snapshot that the rotation made pays for any number of deletes (I19).
    PaysForAll,
    /// A snapshot that one listing shows as completed pays for a delete, whatever other listings
    /// show (I19).
    OneListingPays,
    /// An announced shrink takes effect at once (I19).
    NoGrace,
    /// A completed snapshot that is listed as failed counts as failed (I19).
    RegressedAsFailed,
    /// Any failed snapshot counts as made by the rotation (I19).
    FailedAsMade,
    /// A snapshot that somebody else made pays for a delete (I19).
    FoundPays,
    /// A snapshot that differs from what the create requested doesn't block the server (I19).
    MismatchForgotten,
    /// A foreign snapshot counts as own as soon as it has an own name (I1, I19).
    ForeignForgotten,
    /// A snapshot that another server's listing shows too causes no doubt (I1, I19).
    ContestForgotten,
}

impl Break {
    /// All breaks.
    pub const ALL: [Self; 37] = [
        Self::InProgressCounts,
        Self::NoFloor,
        Self::PruneBeforeCompletion,
        Self::NoSettleWindow,
        Self::BlindRetry,
        Self::ShortListingTrusted,
        Self::StaleListingReused,
        Self::OldestByName,
        Self::ForeignAsOwn,
        Self::NoErosionGuard,
        Self::TrailNotSynced,
        Self::NoRoomCheck,
        Self::TrailForgotten,
        Self::ClockTrusted,
        Self::ProtectionIgnored,
        Self::NoMinimum,
        Self::KeepOneLess,
        Self::OpenDeleteForgotten,
        Self::SilentFailure,
        Self::SlotsLost,
        Self::HoldForgotten,
        Self::AfterRunOnce,
        Self::BeforeLeftOut,
        Self::StartForgotten,
        Self::StopLeftOut,
        Self::IdEditForgotten,
        Self::ExpiryByIdAlone,
        Self::UnpaidDeleted,
        Self::PaysForAll,
        Self::OneListingPays,
        Self::NoGrace,
        Self::RegressedAsFailed,
        Self::FailedAsMade,
        Self::FoundPays,
        Self::MismatchForgotten,
        Self::ForeignForgotten,
        Self::ContestForgotten,
    ];

    /// Returns true if the break does harm only with a provider that gives wrong answers.
    pub fn needs_lies(self) -> bool {
        self >= Self::UnpaidDeleted
    }

    /// Returns true if this rule is broken on this thread.
    pub(crate) fn on(self) -> bool {
        broken() == Some(self)
    }
}

thread_local! {
    static BROKEN: Cell<Option<Break>> = const { Cell::new(None) };
}

/// Returns the rule that is broken on this thread.
pub(super) fn broken() -> Option<Break> {
    BROKEN.get()
}

/// Breaks this rule on this thread, or restores all rules.
pub fn set(broken: Option<Break>) {
    BROKEN.set(broken);
}
