//! Computes what a run would do now, from GETs and from files that are only read (I14).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::lock::is_held;
use crate::api::{ApiError, HttpApi, SnapshotApi as _};
use crate::audit::{Disk, RealDisk, Trail, TrailError};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::decide::Inventory;
use crate::core::dry_run::plan;
use crate::core::plan::{Plan, PlannedAction, Plans};
use crate::core::policy::{Policy, Rules};
use crate::core::server_event::ClockReading;
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::ServerId;
use crate::engine::{self, observe_once};

type Inventories = BTreeMap<ServerId, Inventory>;
type Histories = BTreeMap<ServerId, ServerHistory>;

/// Returns the history of each server from the trail, keyed by the id that its policy uses. A
/// daemon may be writing the trail meanwhile.
pub fn histories(config: &Config, now: Timestamp) -> Result<Histories, TrailError> {
    let (_unused, mut opened) = Trail::open_inline(
        Box::new(ReadOnlyDisk(RealDisk::default())),
        &config.audit_dir,
        &config.state_dir,
        "plan",
        now,
        config.rules.request_timeout,
    )?;
    // A running service has judged all slots up to now. Otherwise the last process judged those up
    // to its last record.
    let running = is_held(&config.state_dir);
    let judged = if running { Some(now) } else { opened.last };
    for history in opened.histories.values_mut() {
        history.judged = judged;
    }
    follow_id_changes(&mut opened.histories, &config.policies);
    Ok(opened.histories)
}

/// Returns the provider's inventories for these policies.
pub async fn inventories(
    api: &HttpApi,
    clock: &Clock,
    policies: &[Arc<Policy>],
) -> Result<Inventories, ApiError> {
    let mut found = match policies {
        [] => return Ok(Inventories::new()),
        [one] => return observe_once(api, clock, Some(one.server.clone())).await,
        _ => observe_once(api, clock, None).await?,
    };
    // A listing with a sound row is sound, and a server without a row in a sound listing has no
    // snapshots (docs/api.md, "Calls"). Without a sound row, each server is listed by itself.
    let sound = found.values().find(|inventory| inventory.doubt.is_none());
    let empty = sound.map(|inventory| Inventory::empty(inventory.requested));
    for policy in policies {
        let server = policy.server.clone();
        let known = found.get(&server).is_some_and(|i| i.doubt.is_none());
        match &empty {
            _ if known => {}
            Some(empty) if !found.contains_key(&server) => {
                found.insert(server, empty.clone());
            }
            _ => found.extend(observe_once(api, clock, Some(server)).await?),
        }
    }
    for inventory in found.values_mut() {
        inventory.doubt_second_policy(|id| policies.iter().any(|policy| policy.server == *id));
    }
    Ok(found)
}

/// Puts in doubt the inventories that show a snapshot of another server, as the service would.
pub fn doubt_contested(config: &Config, inventories: &mut Inventories, histories: &Histories) {
    let policies = config.policies.iter();
    let named: BTreeSet<_> = policies.map(|policy| &policy.server).collect();
    engine::doubt_contested(inventories, histories, |id| named.contains(id));
}

/// Copies a server's history to the id that its policy uses, if the trail uses another one. Applies
/// only if no other policy names the former id.
fn follow_id_changes(histories: &mut Histories, policies: &[Arc<Policy>]) {
    let named: BTreeSet<_> = policies.iter().map(|policy| &policy.server).collect();
    let is_new = |policy: &&Arc<Policy>| {
        let known = histories.get(&policy.server);
        known.is_none_or(ServerHistory::is_new)
    };
    let new: Vec<_> = policies.iter().filter(is_new).collect();
    if new.is_empty() {
        return;
    }
    let former = histories.iter().filter(|(id, _)| !named.contains(id));
    let former: Vec<_> = former.filter(|(_, history)| !history.is_empty()).collect();
    let found = new.into_iter().filter_map(|policy| {
        let mut former = former.iter();
        let (_, past) = former.find(|(id, history)| history.id_change(id, policy).is_some())?;
        Some((policy.server.clone(), (*past).clone()))
    });
    let found: Vec<_> = found.collect();
    for (server, past) in found {
        histories.entry(server).or_default().adopt(past);
    }
}

/// Returns the plans for these policies' servers.
pub fn plans(
    policies: &[Arc<Policy>],
    rules: &Rules,
    inventories: &Inventories,
    histories: &Histories,
    now: ClockReading,
) -> Plans {
    let none = ServerHistory::default();
    let servers = policies.iter().filter_map(|policy| {
        let inventory = inventories.get(&policy.server)?;
        let history = histories.get(&policy.server).unwrap_or(&none);
        Some(plan(policy, inventory, history, rules, now))
    });
    Plans {
        servers: servers.collect(),
    }
}

/// Requests the state and the names of each server whose plan depends on them: a rotation stops the
/// server for its snapshot, or the policy states a name and no row gives one.
pub async fn ask_states(
    api: &HttpApi,
    policies: &[Arc<Policy>],
    rules: &Rules,
    inventories: &mut Inventories,
    histories: &Histories,
    now: ClockReading,
) {
    let depends = |policy: &Arc<Policy>| {
        let mut rotations = policy.rotations.iter();
        let named = inventories.get(&policy.server);
        let unnamed = named.is_some_and(|inventory| inventory.server_name.is_none());
        rotations.any(|rotation| rotation.stop.is_some()) || (policy.name.is_some() && unnamed)
    };
    let depending = policies.iter().filter(|policy| depends(policy)).cloned();
    let depending: Vec<_> = depending.collect();
    let changes = |plan: &Plan| {
        let mut steps = plan.steps.iter();
        steps.any(|step| matches!(step.do_, PlannedAction::Create | PlannedAction::Stop))
    };
    let planned = plans(&depending, rules, inventories, histories, now);
    for plan in planned.servers.iter().filter(|plan| changes(plan)) {
        let Some(inventory) = inventories.get_mut(&plan.id) else {
            continue;
        };
        inventory.add_server_info(api.state_once_admitted(&plan.id).await);
        inventory.doubt_second_policy(|id| policies.iter().any(|policy| policy.server == *id));
    }
}

/// Lists the deletions of the new set that the old one would not make, and the servers on which own
/// snapshots become foreign and take up needed room, one line each.
pub(super) async fn changes(
    api: &HttpApi,
    clock: &Clock,
    old: &Config,
    new: &Config,
) -> Result<Vec<String>, String> {
    let inventories = inventories(api, clock, &new.policies)
        .await
        .map_err(|error| error.to_string())?;
    let now = clock.now();
    let (old, new) = (old.clone(), new.clone());
    let planning = tokio::task::spawn_blocking(move || {
        let histories = histories(&new, now.wall).map_err(|error| error.to_string())?;
        let before = plans(&old.policies, &old.rules, &inventories, &histories, now);
        let after = plans(&new.policies, &new.rules, &inventories, &histories, now);
        let mut lines = difference(&before, &after);
        lines.extend(orphans(&old, &new, &inventories));
        Ok(lines)
    });
    planning.await.map_err(|error| error.to_string())?
}

fn difference(before: &Plans, after: &Plans) -> Vec<String> {
    let steps = |plans: &Plans| -> Vec<_> {
        let of_all = plans.servers.iter().flat_map(|plan| {
            // Announced deletions follow when their grace period has passed. Deletions that a new
            // snapshot pays for happen under either set.
            let grace = plan
                .next
                .iter()
                .all(|step| step.do_ != PlannedAction::Create);
            let later = plan.next.iter().filter(move |_| grace);
            let steps = plan.steps.iter().chain(later);
            let deletes = steps.filter(|step| step.do_ == PlannedAction::Delete);
            deletes.map(|step| {
                (
                    step.id.clone(),
                    format!("{} (id {}): will {step}", plan.name, plan.id),
                )
            })
        });
        of_all.collect()
    };
    let known: BTreeSet<_> = steps(before).into_iter().map(|(id, _)| id).collect();
    let new = steps(after).into_iter();
    new.filter(|(id, _)| id.is_some() && !known.contains(id))
        .map(|(_, line)| line)
        .collect()
}

/// Returns a line for each server on which own snapshots become foreign, for example after a
/// rotation was renamed, and leave too little room for `keep`.
fn orphans(old: &Config, new: &Config, inventories: &Inventories) -> Vec<String> {
    let former: BTreeMap<_, _> = old.policies.iter().map(|p| (p.server.clone(), p)).collect();
    let mut lines = Vec::new();
    for policy in &new.policies {
        let server = policy.server.clone();
        let (Some(former), Some(inventory)) = (former.get(&server), inventories.get(&server))
        else {
            continue;
        };
        let rows = &inventory.snapshots;
        let foreign = rows.iter().filter(|s| policy.place(&s.name).is_none());
        let left: Vec<_> = foreign
            .clone()
            .filter_map(|s| former.place(&s.name))
            .collect();
        let keep: usize = policy.rotations.iter().map(|rotation| rotation.keep).sum();
        let room = new.rules.limit.saturating_sub(foreign.count());
        if left.is_empty() || room >= keep {
            continue;
        }
        let rotations: BTreeSet<_> = left.iter().map(|place| place.rotation).collect();
        let patterns = rotations.into_iter().map(|rotation| {
            let patterns = former.rotations[rotation].patterns();
            patterns
                .map(|pattern| format!("\"{pattern}\""))
                .collect::<Vec<_>>()
                .join(", ")
        });
        lines.push(format!(
            "{} (id {server}): the own snapshots that become foreign ({}) leave room for {room} of the {keep} snapshots to keep; to keep rotating them, add former_names = [{}] to a rotation",
            policy.file,
            left.len(),
            patterns.collect::<Vec<_>>().join(", "),
        ));
    }
    lines
}

/// A disk that refuses writes, since another process may be writing the trail.
struct ReadOnlyDisk(RealDisk);

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for ReadOnlyDisk {
    fn make_dir(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Lists the folder; one that does not exist yet is treated as empty.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        match self.0.list(dir) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names,
        }
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.0.len(path)
    }

    fn read(&self, path: &Path, from: u64) -> io::Result<Box<dyn Read>> {
        self.0.read(path, from)
    }

    fn create(&mut self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn append(&mut self, _: &Path, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn overwrite(&mut self, _: &Path, _: u64, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn sync(&mut self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn truncate(&mut self, _: &Path, _: u64) -> io::Result<()> {
        refused()
    }

    fn rename(&mut self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove(&mut self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn sync_dir(&mut self, _: &Path) -> io::Result<()> {
        refused()
    }
}
