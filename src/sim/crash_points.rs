//! Tries every crash point of a few short stories. The process dies at each disk change, and at
//! each stage of each mutation, of each listing and of each request for a power state. The next
//! processes must bring the server to exactly the state that it reaches without a death.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::crash::{CallCrash, CrashPhase, CrashPoint, LostEffect, PlannedCrash, ProcessProgress};
use super::scenario::tell;
pub use super::scenario::{SCENARIOS, Scenario};
use crate::audit::memory_disk::Crash;
use crate::core::deliberate_breaks::Break;

const CRASHES: [Crash; 4] = [Crash::Killed, Crash::Lost, Crash::Torn, Crash::Holes];

const EFFECTS: [LostEffect; 4] = [
    LostEffect::Never,
    LostEffect::Done,
    LostEffect::Soon,
    LostEffect::Late,
];

/// The maximum number of disk changes made by opening a trail and writing its first record.
const OPENING: u64 = 13;

/// A story that ended badly.
#[derive(Clone, Debug)]
pub struct StoryFailure {
    /// The deaths of the processes, one after another; the last process survives.
    pub deaths: Vec<PlannedCrash>,
    /// The violations.
    pub violations: Vec<String>,
    /// The events, line by line.
    pub story: Vec<String>,
}

/// The result of a sweep over one scenario.
#[derive(Clone, Debug, Default)]
pub struct SweepResult {
    /// Number of disk changes, of mutations, and of listings (which include requests for a power
    /// state) of the undisturbed process.
    pub steps: [u64; 3],
    /// Number of points at which the undisturbed process could have died.
    pub points: usize,
    /// Number of stories with one death.
    pub single: usize,
    /// Number of stories with two deaths.
    pub double: usize,
    /// The stories that ended badly.
    pub failures: Vec<StoryFailure>,
}

/// The share of the crash points that a sweep tries.
#[derive(Clone, Copy, Debug)]
pub struct PointShare {
    /// Every nth single death is tried.
    pub single: NonZeroUsize,
    /// After every nth of the tried single deaths, a second death is tried at each disk change made
    /// while the next process starts; 0: none.
    pub double: usize,
    /// A rule that is broken on purpose.
    pub broken: Option<Break>,
}

impl PointShare {
    /// Every single death, and no second one.
    pub const SINGLE: Self = Self {
        single: NonZeroUsize::MIN,
        double: 0,
        broken: None,
    };
}

/// Runs a scenario once for each death, and for each pair of deaths, in that share, on all cores.
pub fn sweep(scenario: &Scenario, part: PointShare) -> SweepResult {
    let sound = tell(scenario, &[], part.broken, false);
    let life = sound.lives.last().copied().unwrap_or_default();
    let mut swept = SweepResult {
        steps: [life.changes, life.mutations, life.listings],
        ..SweepResult::default()
    };
    if !sound.violations.is_empty() {
        swept
            .failures
            .push(again(scenario, Vec::new(), part.broken));
        return swept;
    }
    let all = points(life);
    swept.points = all.len();
    let mut first = Vec::new();
    for (nth, point) in all.iter().enumerate() {
        for kind in 0..CRASHES.len() {
            // Rotated by one at each point, so that a share of the points has all kinds of crashes.
            let crash = CRASHES[(nth + kind) % CRASHES.len()];
            if (nth * CRASHES.len() + kind).is_multiple_of(part.single.get()) {
                first.push(vec![PlannedCrash {
                    point: *point,
                    crash,
                }]);
            }
        }
    }
    let mut second = Vec::new();
    if part.double > 0 {
        for death in first.iter().flatten().step_by(part.double) {
            let lives = tell(scenario, &[*death], part.broken, false).lives;
            let next = lives.last().copied().unwrap_or_default();
            for nth in 0..OPENING.min(next.changes) {
                second.extend(CRASHES.map(|crash| {
                    let point = CrashPoint::Change(nth);
                    vec![*death, PlannedCrash { point, crash }]
                }));
            }
        }
    }
    (swept.single, swept.double) = (first.len(), second.len());
    first.extend(second);
    swept.failures = failures(scenario, &first, part.broken);
    swept
}

/// Returns the points at which the undisturbed process could have died.
fn points(life: ProcessProgress) -> Vec<CrashPoint> {
    let call = |nth, at, effect| CrashPoint::Call(CallCrash { nth, at, effect });
    let mut points: Vec<CrashPoint> = (0..life.changes).map(CrashPoint::Change).collect();
    for nth in 1..=life.mutations {
        points.push(call(nth, CrashPhase::BeforeCall, None));
        for effect in EFFECTS {
            points.push(call(nth, CrashPhase::InCall, Some(effect)));
            points.push(call(nth, CrashPhase::AfterCall, Some(effect)));
        }
    }
    for nth in 1..=life.listings {
        for at in [
            CrashPhase::BeforeListing,
            CrashPhase::InListing,
            CrashPhase::AfterListing,
        ] {
            points.push(call(nth, at, None));
        }
    }
    points
}

fn failures(
    scenario: &Scenario,
    all: &[Vec<PlannedCrash>],
    broken: Option<Break>,
) -> Vec<StoryFailure> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let mut failed: Vec<usize> = std::thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            while let Some((nth, deaths)) = {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                all.get(nth).map(|deaths| (nth, deaths))
            } {
                if !tell(scenario, deaths, broken, false).violations.is_empty() {
                    failed.push(nth);
                }
            }
            failed
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended
            .flat_map(|failed| failed.expect("no story panics"))
            .collect()
    });
    failed.sort_unstable();
    let failed = failed.into_iter();
    failed
        .map(|nth| again(scenario, all[nth].clone(), broken))
        .collect()
}

fn again(scenario: &Scenario, deaths: Vec<PlannedCrash>, broken: Option<Break>) -> StoryFailure {
    let told = tell(scenario, &deaths, broken, true);
    StoryFailure {
        deaths,
        violations: told.violations,
        story: told.story,
    }
}
