//! Resolves a server and a snapshot from the provider's current listing.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::api::HttpApi;
use crate::cli::api_error_hint::unread;
use crate::cli::{
    Cli, absolute, block_on, caller, control_socket, of_service, printable_name, server_argument,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::decide::Inventory;
use crate::core::operator_order::{Order, objection};
use crate::core::policy::Policy;
use crate::core::retention_verdict::{RetentionVerdict, verdicts};
use crate::core::sanitize;
use crate::core::server_event::Outcome;
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::Snapshot;
use crate::daemon::{CommandError, api_settings, run_exclusive};
use crate::engine::{OrderOutcome, observe_once};
use crate::status;
use crate::status::control_requests::OrderRequest;

/// One server with a policy, and its current snapshots.
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) policy: Arc<Policy>,
    pub(super) api: HttpApi,
    pub(super) clock: Clock,
    pub(super) inventory: Inventory,
}

impl Target {
    /// Finds the server's policy and lists the server.
    pub(super) fn of(cli: &Cli, server: &str) -> Result<Self, CommandError> {
        let config = cli.load()?;
        let policy = Arc::clone(server_argument::one(&config.policies, server)?);
        let clock = Clock::system();
        let settings = api_settings(&config.api);
        let api = HttpApi::new(&settings, clock.clone()).map_err(CommandError::Settings)?;
        let mut target = Self {
            inventory: Inventory::empty(clock.now().mono),
            config,
            policy,
            api,
            clock,
        };
        target.look()?;
        Ok(target)
    }

    /// Lists the server again.
    pub(super) fn look(&mut self) -> Result<(), CommandError> {
        let server = self.policy.server.clone();
        let found = block_on(async {
            let asked = observe_once(&self.api, &self.clock, Some(server.clone())).await;
            asked.map_err(|error| unread(&error, &api_settings(&self.config.api)))
        })?;
        let inventory = found.into_iter().find(|(id, _)| *id == server);
        let (_, inventory) = inventory.ok_or_else(|| {
            CommandError::Api(format!(
                "the provider's answer does not include server {server}"
            ))
        })?;
        if let Some(doubt) = &inventory.doubt {
            return Err(CommandError::Api(format!(
                "the listing of {} can't be relied on: {doubt}",
                self.called()
            )));
        }
        self.inventory = inventory;
        Ok(())
    }

    /// Returns the policy's name for the server, else the provider's, so that an order with a wrong
    /// id is noticed. A blank name at the provider doesn't count: pressing Enter would confirm it.
    pub(super) fn called(&self) -> String {
        let shown = self.inventory.server_name.as_deref();
        let shown = shown.filter(|name| self.policy.name.is_none() && !name.trim().is_empty());
        printable_name(shown.unwrap_or(self.policy.called()))
    }

    /// Finds the snapshot by its id or name.
    pub(super) fn snapshot(&self, wanted: &str) -> Result<&Snapshot, CommandError> {
        let rows = &self.inventory.snapshots;
        let by_id = rows.iter().find(|s| s.id.to_string() == wanted);
        let named: Vec<_> = rows.iter().filter(|s| s.name == wanted).collect();
        match (by_id, named.as_slice()) {
            (Some(one), [other, ..]) if one.id != other.id => Err(CommandError::Settings(format!(
                "{wanted} is the id of {} and the name of the snapshot with id {}: give the name of the first, or the id of the second",
                printable_name(&one.name),
                other.id
            ))),
            (Some(one), _) | (None, &[one]) => Ok(one),
            (None, []) => {
                let shown = rows.iter().map(|s| printable_name(&s.name));
                let shown: Vec<_> = shown.collect();
                let there = if shown.is_empty() {
                    "no snapshot at all".to_owned()
                } else {
                    shown.join(", ")
                };
                Err(CommandError::Settings(format!(
                    "{} holds no snapshot {}; it holds {there}",
                    self.called(),
                    printable_name(wanted)
                )))
            }
            (None, several) => {
                let ids: Vec<_> = several.iter().map(|s| s.id.to_string()).collect();
                Err(CommandError::Settings(format!(
                    "{} holds more than one snapshot {}: give the id of one, {}",
                    self.called(),
                    printable_name(wanted),
                    ids.join(" or ")
                )))
            }
        }
    }

    /// Describes a snapshot in a few lines: name, id, status, date and owner.
    pub(super) fn described(&self, snapshot: &Snapshot) -> String {
        let made = snapshot
            .created_at
            .map_or("at an unknown time".to_owned(), local);
        let now = self.clock.now();
        let (none, rules) = (ServerHistory::default(), &self.config.rules);
        let verdicts = verdicts(&self.policy, &self.inventory, &none, rules, now);
        let verdict = verdicts.into_iter().find(|v| v.id == snapshot.id);
        let why = verdict.map_or(String::new(), |verdict| match verdict.fate {
            RetentionVerdict::Foreign => "\n             it is foreign to the rotation".to_owned(),
            // The trail isn't read here, so an earlier completion is unknown.
            RetentionVerdict::Failed => "\n             for the rotation: listed as failed; if it was completed before, it may be usable: ask the provider first".to_owned(),
            _ => format!("\n             for the rotation: {}", verdict.reason),
        });
        format!(
            "  server     {} (id {})\n  snapshot   {} (id {}), {}, made {made}{why}",
            self.called(),
            self.policy.server,
            printable_name(&snapshot.name),
            snapshot.id,
            snapshot.status.word().replace('_', " ")
        )
    }

    /// Returns the refusal of an order that the listing alone rules out, so that nobody confirms it
    /// in vain.
    pub(super) fn ruled_out(&self, order: &Order) -> Option<OrderOutcome> {
        let (none, rules) = (ServerHistory::default(), &self.config.rules);
        let now = self.clock.now();
        let reason = objection(&self.policy, &self.inventory, &none, rules, now, order)?;
        Some(OrderOutcome::refused(reason))
    }

    /// Sends the order to the running service, or carries it out in this process if none runs.
    pub(super) fn order(&self, order: Order) -> Result<OrderOutcome, CommandError> {
        let command = match &order {
            Order::Create { .. } => "create",
            Order::Delete { .. } => "delete",
            Order::Restore { .. } => "restore",
        };
        let server = self.policy.server.clone();
        let ordered = OrderRequest {
            server: server.clone(),
            state_dir: absolute(&self.config.state_dir),
            order,
        };
        let socket = control_socket();
        if let Some(done) = of_service(status::order(&socket, &ordered))? {
            return Ok(done);
        }
        let by = caller();
        block_on(run_exclusive(
            self.config.clone(),
            command,
            async |engine| engine.order_alone(server, ordered.order, by).await,
        ))
    }
}

/// Returns a line that reports an order that was not carried out, or whose outcome is unknown.
pub(super) fn undone(answer: &OrderOutcome, what: &str, look: &str) -> String {
    let why = answer.reason.as_deref().unwrap_or("no reason was given");
    match answer.outcome {
        None => format!("{what}: not done, nothing was sent: {why}"),
        Some(Outcome::Unknown) => {
            format!("{what}: unknown outcome ({why}). The request is not sent again: check {look}")
        }
        Some(Outcome::Later) => format!("{what}: not done, the provider can't do it now: {why}"),
        Some(_) => format!("{what}: not done, the provider refused: {why}"),
    }
}

/// Formats a time in the local zone, with the zone's name.
pub(super) fn local(at: Timestamp) -> String {
    sanitize::local(at, &TimeZone::system())
}
