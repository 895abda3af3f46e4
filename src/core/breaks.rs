//! Deliberate breaks of the rules, so that the proof can be seen to catch each.
//!
//! Only the feature `proof` has the switch; without it every question here is answered
//! `false` at compile time, and nothing of it is in a release.

#[cfg(feature = "proof")]
use super::{
    decide::Inventory,
    policy::Policy,
    rotation_terms::Fnv,
    server_history::{ServerHistory, UnfinishedSnapshot},
    slot_log::{Payment, RotationLog},
    snapshot::{Snapshot, SnapshotId, Status},
};

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Break {
    /// A snapshot in progress counts as completed (I8).
    InProgressCounts,
    /// The newest own completed one may go (I2).
    NoFloor,
    /// Nothing waits for a snapshot under way (I8).
    PruneBeforeCompletion,
    /// A create without an answer is at once taken as not done (I9).
    NoSettleWindow,
    /// A create without an answer is sent again as if it had been refused (I9).
    BlindRetry,
    /// A listing that is incomplete or wrong is believed (I11).
    ShortListingTrusted,
    /// A listing from before a mutation justifies the next one (I4).
    StaleListingReused,
    /// The oldest is found by name instead of by date (I3).
    OldestByName,
    /// A foreign snapshot counts as own (I1).
    ForeignAsOwn,
    /// A second prune-first follows although the first wasn't made good (I7).
    NoErosionGuard,
    /// The trail is not synced before a mutation (I6).
    TrailNotSynced,
    /// A full server gets another create (I10).
    NoRoomCheck,
    /// What the trail settled is forgotten: the inventory alone is asked (I9).
    TrailForgotten,
    /// A clock behind the trail is no doubt (I11).
    ClockTrusted,
    /// Protected snapshots are pruned (I1).
    ProtectionIgnored,
    /// `min_completed` is not kept (I3).
    NoMinimum,
    /// One snapshot too few is kept (I3).
    KeepOneLess,
    /// An open delete is forgotten, and another is sent beside it (I5).
    OpenDeleteForgotten,
    /// A slot that is given up or skipped raises no alert (I15).
    SilentFailure,
    /// After a restart a due slot is never looked at again (I15).
    SlotsLost,
    /// Once its create was sent, a server that hooks hold is not released.
    HoldForgotten,
    /// An `after` that failed is not run again.
    AfterRunOnce,
    /// A create goes out although its server isn't held for it.
    BeforeLeftOut,
    /// A server that was stopped for a snapshot is not started (I20).
    StartForgotten,
    /// A snapshot that its server is to be stopped for is made of the running one (I20).
    StopLeftOut,
    /// Unpaid surplus is deleted all the same (I19).
    UnpaidDeleted,
    /// One that was made pays for any number of others (I19).
    PaysForAll,
    /// An announced shrink goes at once (I19).
    NoGrace,
    /// One that was completed and is listed as failed is a failed one (I19).
    RegressedAsFailed,
    /// Any failed one counts as made by the rotation (I19).
    FailedAsMade,
    /// One that somebody else made pays for another (I19).
    FoundPays,
    /// One that is stored otherwise than asked for is no reason to stop (I19).
    MismatchForgotten,
    /// One that was foreign is own as soon as it bears an own name (I1, I19).
    ForeignForgotten,
}

impl Break {
    /// All of them.
    pub const ALL: [Self; 33] = [
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
        Self::UnpaidDeleted,
        Self::PaysForAll,
        Self::NoGrace,
        Self::RegressedAsFailed,
        Self::FailedAsMade,
        Self::FoundPays,
        Self::MismatchForgotten,
        Self::ForeignForgotten,
    ];

    /// Returns true if only a provider that lies can do harm by it.
    #[cfg(feature = "proof")]
    pub fn needs_lies(self) -> bool {
        self >= Self::UnpaidDeleted
    }

    /// Whether this rule is broken on this thread.
    #[cfg(not(feature = "proof"))]
    pub(crate) const fn on(self) -> bool {
        false
    }

    /// Whether this rule is broken on this thread.
    #[cfg(feature = "proof")]
    pub(crate) fn on(self) -> bool {
        BROKEN.get() == Some(self)
    }
}

#[cfg(feature = "proof")]
thread_local! {
    static BROKEN: std::cell::Cell<Option<Break>> = const { std::cell::Cell::new(None) };
}

/// Breaks this rule on this thread, or mends all.
#[cfg(feature = "proof")]
pub fn set(broken: Option<Break>) {
    BROKEN.set(broken);
}

/// The decision's view where a rule of the erosion bound is broken: the rules that guard it
/// stand in one place, so they are blinded and not switched off one by one.
#[cfg(feature = "proof")]
pub(super) fn blinded(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
) -> Option<(Inventory, ServerHistory)> {
    let broken = BROKEN.get().filter(|broken| broken.needs_lies())?;
    let (inventory, mut history) = (inventory.clone(), history.clone());
    let own = inventory.snapshots.iter();
    let own: Vec<_> = own
        .filter(|s| policy.place(&s.name).is_some())
        .cloned()
        .collect();
    match broken {
        Break::UnpaidDeleted => {
            for rotation in &policy.rotations {
                let notes = history.notes(&rotation.name);
                let shrink = notes.shrink.get_or_insert_default();
                shrink.agreed = own.iter().map(|s| s.id.clone()).collect();
            }
        }
        Break::PaysForAll => {
            for notes in &mut history.rotations {
                for payment in &mut notes.payments {
                    payment.victim = None;
                }
            }
        }
        Break::NoGrace => history.rotations.iter_mut().for_each(RotationLog::agree),
        Break::RegressedAsFailed | Break::FailedAsMade => {
            if broken == Break::RegressedAsFailed {
                history.regressed.clear();
                history.completed.clear();
            }
            let failed = |s: &&Snapshot| s.status == Status::Failed;
            history
                .made
                .extend(own.iter().filter(failed).map(|row| UnfinishedSnapshot {
                    id: row.id.clone(),
                    name: row.name.as_str().into(),
                    sent: None,
                    failed: None,
                }));
        }
        Break::FoundPays => {
            for (own, place) in own.iter().filter_map(|s| Some((s, policy.place(&s.name)?))) {
                let notes = history.notes(&policy.rotations[place.rotation].name);
                if !notes.payments.iter().any(|payment| payment.by == own.id) {
                    notes.payments.push(Payment {
                        by: own.id.clone(),
                        victim: None,
                    });
                }
            }
        }
        Break::MismatchForgotten | Break::ForeignForgotten => {
            let there = |id: SnapshotId| own.iter().find(|own| own.id == id);
            history
                .foreign
                .retain(|(id, _)| there(id.clone()).is_none());
            if broken == Break::MismatchForgotten {
                history.mismatch = None;
                for (id, name) in &mut history.completed {
                    *name = there(id.clone()).map_or(*name, |own| Fnv::of(&own.name));
                }
            }
        }
        _ => return None,
    }
    Some((inventory, history))
}
