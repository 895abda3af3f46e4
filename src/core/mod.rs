//! The pure core: all decisions, as functions of their arguments. It uses no clock, no I/O, no
//! random numbers, and no other module of the crate.

pub mod alert_kind;
mod alert_rows;
mod alert_rules;
pub mod alert_text;
mod announced_deletes;
mod apply;
mod apply_create_outcome;
mod apply_power;
#[cfg(feature = "proof")]
mod broken_rule_input;
pub mod copy_age_limit;
mod create_or_prune;
mod cron_parse;
pub mod decide;
mod deletion_payment_rules;
#[cfg(feature = "proof")]
pub mod deliberate_breaks;
mod downtime_alerts;
pub mod downtime_record;
pub mod dry_run;
mod dry_run_effects;
pub mod due_slot_rules;
mod ended_slot_ranges;
pub mod health;
pub mod hook_release;
pub mod id;
mod in_flight_rules;
mod inventory;
mod known_snapshots;
pub mod listing_discrepancies;
pub mod name_pattern;
pub mod name_pattern_detection;
pub mod newest_copy;
pub mod newest_slot_completed;
pub mod operator_order;
mod operator_resume;
mod outcomes;
pub mod ownership;
mod ownership_history;
mod pattern_of_dated_name;
mod pause_and_restore_rule;
pub mod payment_and_promise;
mod payment_and_promise_rules;
pub mod plan;
pub mod plan_text;
pub mod policy;
pub mod policy_id_change;
pub mod recent_slots;
pub mod recorded_settings;
pub mod recovery_ages;
pub mod retention;
pub mod retention_verdict;
pub mod retry_backoff;
pub mod rotation_and_snapshot_name;
pub mod rotation_history;
pub mod sanitize;
pub mod schedule;
mod second_ids_in_history;
pub mod second_server_id;
pub mod server_event;
pub mod server_history;
pub mod server_info;
pub mod server_start;
mod shrink_grace;
pub mod slot_intervals;
pub mod slot_record;
mod slot_record_access;
pub mod slot_retry;
mod slots_after_edit;
pub mod snapshot;
pub mod start_at_shutdown;
pub mod steady_state_forecast;
mod steady_state_simulation;
mod stop_before_create;
pub mod taken_late_text;
mod wall_and_monotonic_time;

#[cfg(test)]
mod regression_tests;
#[cfg(test)]
pub(crate) mod test_provider;
