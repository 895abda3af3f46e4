//! The pure core: all decisions, as functions of their arguments. It uses no clock, no I/O, no
//! random numbers, and no other module of the crate.

mod alert_kind;
mod alert_rules;
mod apply;
mod apply_create_outcome;
mod apply_power;
mod clock_reading;
mod contested_snapshot;
mod create_or_prune;
mod cron_parse;
pub mod decide;
mod deletion_payment;
#[cfg(feature = "proof")]
mod deliberate_break_input;
#[cfg(feature = "proof")]
pub mod deliberate_breaks;
mod downtime_alerts;
pub mod downtime_state;
pub mod dry_run;
mod dry_run_effects;
pub mod due_and_surplus_rules;
mod ended_slot_ranges;
pub mod event;
mod forecast_simulation;
pub mod hook_lease;
pub mod id;
pub mod id_change;
mod inventory;
pub mod name_pattern;
mod name_pattern_candidate;
pub mod name_pattern_detection;
pub mod names;
pub mod newest_due_slot;
pub mod operator_order;
mod operator_resume;
mod other_id_records;
mod outcome;
mod pause_and_restore_rule;
pub mod payment;
mod payment_rules;
pub mod plan;
pub mod plan_text;
pub mod policy;
pub mod policy_forecast;
pub mod recorded_settings;
mod recorded_snapshots;
pub mod recovery_ages;
pub mod retention;
pub mod retention_verdict;
pub mod retry_backoff;
pub mod rotation_record;
pub mod sanitize;
pub mod schedule;
pub mod server_history;
pub mod server_info;
pub mod server_other_id;
pub mod server_start;
mod server_stop;
mod shrink_grace;
pub mod slot_record;
mod slot_record_access;
mod slots_after_edit;
pub mod snapshot;
pub mod snapshot_lateness_text;
pub mod snapshot_ownership;
pub mod start_at_shutdown;
pub mod trail_contradictions;
mod unconfirmed_call_rules;
mod unpaid_deletes;

#[cfg(test)]
mod regression_tests;
#[cfg(test)]
pub(crate) mod test_provider;
