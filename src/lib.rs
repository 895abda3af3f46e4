//! Rotates the snapshots of VPS.org servers by policy.
//!
//! The engine observes a server, decides, records, acts, and looks again. A crash at any point
//! needs no repair: the next decision starts from the inventory and the trail.
//!
//! ```text
//! policy ─► slots ─┐
//! inventory ───────┼─► decide(policy, inventory, history, rules, now) ─► Step
//! trail ─► history ┘                                                      │
//!   ▲                                                                     ▼
//!   └── outcome ◄── the provider's answer ◄── call ◄── intent, synced ◄── perform
//! ```
//!
//! To find a rule, find its folder below, and then its file: here, or at the head of the folder's
//! `mod.rs`. A folder imports only folders further down (`docs/design.md`, "Layout"). Terms are
//! defined in `docs/reference/glossary.md`. I1 to I20 are the promises in `docs/invariants.md`,
//! which lists the files that keep each.
//!
//! - [`cli`]: one file per command; `main` parses, runs and returns the exit code.
//! - [`daemon`]: the process: lock, signals, systemd, startup, reload, main loop;
//!   `witness_publisher` signs checkpoints of the trail; `report_publisher` makes reports.
//! - [`status`]: the view of the running service, and the requests that it accepts.
//! - [`engine`]: performs steps. `loop_scheduler` runs each server's `server_loop`;
//!   `listing_batcher` and `listing_acceptance` list; `mutation`, `hooked_create` and `power_cycle`
//!   act; `account_health` and `trail_health` stop mutations; `order_execution`, `pauses`,
//!   `slot_retries`, `acknowledgements` and `protections` serve the operator.
//! - [`hooks`]: runs programs around a snapshot, in a process that outlives the service.
//! - [`notify`]: delivers alerts to receivers without delaying the engine; `pending`: which of them
//!   a receiver wants.
//! - [`config`]: turns TOML files into validated settings, and reports all problems at once.
//! - [`api`]: the provider's calls, their failures classified by remedy, and the rate limits;
//!   `client`: no redirect is followed, no request repeated.
//! - [`audit`]: the trail: its format, and what holds after a failure; `witness`: its checkpoints.
//! - [`sandbox`]: a stand-in for the API, for the demo and tests; shares no rule with `core`.
//! - [`alerts`]: the alerts that each receiver has been sent; `receiver_state`: when its next
//!   message is due, and when an alert is repeated; `report_message`: the forms of a report.
//! - [`clock`]: the only clock; [`child`]: external programs; `logged`: ids in the log's form.
//! - [`core`]: every rule of the rotation; pure: no clock, no I/O, no random numbers. What a rule
//!   needs from outside `core` is listed with its folder.
//!   - The decision: `decide`, with rule 1 (doubt) and which rows are own;
//!     `pause_and_restore_rule`: rule 0, with `pause` and `pause_in_history`; `in_flight_rules`:
//!     rules 2 and 3 (open calls, snapshots in progress); `due_slot_rules`: rules 4 to 6 (due
//!     slots, and those that are given up, or skipped once it is too late; surplus; rest);
//!     `missed_slots`: slots that passed without an attempt (I15); `create_or_prune`: whether a
//!     due slot has room, and what is deleted if not; `retry_backoff`: when a slot is retried.
//!   - Slots: `schedule`, `cron_parse` and `slot_intervals`: their times; `name_pattern`: their
//!     names; `policy`: which names are own; `slots_after_edit`: which slots continue after an
//!     edit; `taken_late_text`: how late a snapshot was taken. The records of slots:
//!     `rotation_history`, `slot_record`, `slot_record_access`, `ended_slot_ranges`, the
//!     `recent_slots` for readers, and the `newest_slot_completed`. `slot_retry`: a slot that an
//!     operator opens again.
//!   - Deletions: `retention`: which, and in what order; `deletion_payment_rules`: whether one is
//!     paid for (I19); `payment_and_promise`: what pays; `payment_and_promise_rules`: what becomes
//!     a payment, and when a promise is kept (I7). After an edit: `recorded_settings`: what was
//!     edited; `announced_deletes`: what the edit deletes; `shrink_grace`: when deletes may begin.
//!   - Around a create: `hook_release`: what holds the server, and its release (I18). With a
//!     stopped server (I20): `stop_before_create`, `server_start` and `start_at_shutdown`: when it
//!     is stopped and started; `downtime_record`: the downtime as the trail records it;
//!     `downtime_alerts`; `server_info`: its state at the provider.
//!   - A provider that errs: `listing_discrepancies`: snapshots that differ from the trail;
//!     `second_ids_in_history` and `second_server_id`: the second ids of snapshots and servers;
//!     `policy_id_change`: a policy that names the server by its other id; `engine::call_outcome`:
//!     an impossible id in an answer; `engine::snapshot_owners`: which of two servers owns a
//!     snapshot that both show; `engine::listing_acceptance`: which listings need a second one.
//!   - A refused call: `engine::mutation`, `api::error` (its kind), `engine::account_health` (a
//!     rejected token), `api::retry_after` and `api::rate_limit` (the pace),
//!     `engine::call_outcome`, `apply_create_outcome` (whether it counts), `retry_backoff` (when
//!     the call is repeated).
//!   - People: `operator_order`: objections to an order; `operator_resume`: what a resume ends and
//!     agrees to; `order_terms`: when an order ends, and its note; `ordered_protection` and
//!     `ordered_protection_rules`: snapshots that orders protect; `expiring_snapshot` and
//!     `expiry_rules`: manual snapshots that expire; `health`, `newest_copy` and
//!     `copy_age_limit`: whether a server has a fresh copy; `alert_rules` and `alert_kind`: which
//!     alerts of a server are active; `alert_text`: their parts; `alert_rows`: their form in the
//!     trail.
//!   - State: `server_event` is what the trail records, with its `outcomes` and its time
//!     (`wall_and_monotonic_time`); `events_by_policy`: the records that name the policy; `apply`,
//!     `apply_create_outcome`, `apply_power` and `apply_orders` turn it into a `server_history`,
//!     with its `known_snapshots` and, for snapshots that another server shows, its `ownership` and
//!     `ownership_history`; `inventory` is what a listing shows.
//!   - Previews: `plan`, `plan_text`, `dry_run`, `dry_run_effects`, `retention_verdict`;
//!     `steady_state_forecast`, `steady_state_simulation`, `recovery_ages`, `better_keeps`. For
//!     `init`: `name_pattern_detection`, `pattern_of_dated_name`.
//!   - Reports: `report_period`: which period is due for a receiver; `report_tally`: what the trail
//!     records of it; `alert_tally`: its alerts; `fresh_time`: how long there was a fresh copy;
//!     `server_report`: the row of a server; `report`: the rows and sums.
//!   - Values: `snapshot`, `id`, `rotation_and_snapshot_name`, `last_few`; `sanitize` makes foreign
//!     text safe to print.
//!   - For the proof: `deliberate_breaks`, `broken_rule_input`; for tests: `test_provider`.
//! - [`safe_fs`]: files in folders that another user may own.
//!
//! The feature `proof`, which no release enables, adds `sim` (seeded weeks of faults),
//! `core::deliberate_breaks` (deliberate violations that `sim` must detect) and `api::fuzz_entry`
//! (answers without a network).

pub mod alerts;
pub mod api;
pub mod audit;
pub mod child;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod daemon;
pub mod engine;
pub mod hooks;
mod logged;
pub mod notify;
pub mod safe_fs;
pub mod sandbox;
#[cfg(test)]
mod screen_tests;
#[cfg(feature = "proof")]
pub mod sim;
pub mod status;
