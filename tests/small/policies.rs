//! Every policy of a tier, for the decision and as plain numbers for the judge.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use snaprotate::core::name_pattern::Pattern;
use snaprotate::core::policy::{FormerPattern, Policy, Rotation, Rules, WhenFull};
use snaprotate::core::schedule::Schedule;
use snaprotate::core::snapshot::ServerId;

use super::space::{GRACE, POLL, PROTECTED, Policies, Tier, name};
use super::view::{ATTEMPTS, ROTATIONS, SETTLE_WINDOW, STUCK_AFTER, Wants};

/// A policy for the decision, and the same as plain numbers for the judge.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub policy: Policy,
    pub wants: Wants,
    pub rules: Rules,
}

/// Returns every policy of a tier for an inventory of `rows` rows.
pub fn policies(tier: &Tier, rows: usize) -> Vec<Wanted> {
    let few = tier.policies == Policies::Few;
    let keeps: Vec<Vec<usize>> = if tier.rotations == 1 {
        (1..=tier.limit).map(|keep| vec![keep]).collect()
    } else {
        let pairs = (1..tier.limit).flat_map(|a| (1..=tier.limit - a).map(move |b| vec![a, b]));
        pairs.collect()
    };
    let ends = |keep: &Vec<usize>| {
        let sum: usize = keep.iter().sum();
        !few || sum == tier.limit || keep.iter().all(|keep| *keep == 1)
    };
    let crowded = rows + 2 >= tier.limit;
    let both: &[bool] = &[true, false];
    let prunes = if crowded { both } else { &both[..1] };
    let stucks = if few { &both[1..] } else { both };
    let least: &[usize] = if crowded && !few { &[1, 2] } else { &[1] };
    let mut found = Vec::new();
    for keep in keeps.into_iter().filter(ends) {
        for prune_first in prunes {
            for delete_stuck in stucks {
                for min_completed in least {
                    found.push(wanted(
                        &keep,
                        *prune_first,
                        *delete_stuck,
                        *min_completed,
                        tier.limit,
                    ));
                }
            }
        }
    }
    found
}

/// Returns one policy; its rotations have a slot that was due an hour ago.
pub fn wanted(
    keep: &[usize],
    prune_first: bool,
    delete_stuck: bool,
    min_completed: usize,
    limit: usize,
) -> Wanted {
    let when_full = if prune_first {
        WhenFull::PruneFirst
    } else {
        WhenFull::Skip
    };
    let rotations = keep.iter().enumerate().map(|(index, keep)| Rotation {
        name: ROTATIONS[index].into(),
        schedule: Arc::new(
            Schedule::new(["0 3 * * *", "0 3 * * Sun"][index], TimeZone::UTC).expect("a schedule"),
        ),
        keep: *keep,
        pattern: Pattern::new("{name}-%Y-%m-%d", ROTATIONS[index]).expect("a pattern"),
        former: if index == 0 {
            vec![FormerPattern {
                pattern: Pattern::new("old-%Y-%m-%d", "a").expect("a pattern"),
                coarse: false,
            }]
        } else {
            Vec::new()
        },
        description: None,
        catch_up: None,
        splay: SignedDuration::ZERO,
        attempts: ATTEMPTS,
        when_full,
        hooks: None,
        stop: None,
    });
    Wanted {
        policy: Policy {
            file: "web".to_owned(),
            server: ServerId::from(7),
            name: Some("web".to_owned()),
            protected_names: BTreeSet::from([PROTECTED.to_owned()]),
            protected_ids: BTreeSet::new(),
            min_completed,
            delete_stuck,
            alert_after: None,
            rotations: rotations.collect(),
        },
        wants: Wants {
            keep: keep.to_vec(),
            prune_first,
            delete_stuck,
            min_completed,
            limit,
            due: (0..keep.len())
                .map(|index| name(ROTATIONS[index], 0))
                .collect(),
        },
        rules: Rules {
            limit,
            poll_interval: SignedDuration::from_secs(POLL),
            settle_window: SignedDuration::from_secs(SETTLE_WINDOW),
            stuck_after: SignedDuration::from_secs(STUCK_AFTER),
            retry_after: SignedDuration::from_mins(5),
            restore_window: SignedDuration::from_mins(30),
            shrink_grace: SignedDuration::from_mins(60),
            request_timeout: SignedDuration::from_secs(GRACE),
            due_until: None,
            count_all: false,
        },
    }
}
