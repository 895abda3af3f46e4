//! Tests of the engine over a scripted provider, with time paused.

mod account_health;
mod alert_notifications;
mod hook_leases;
mod listing_lapses;
mod listings;
mod operator_orders;
mod provider;
mod scripted_hooks;
mod support;
mod trail;
mod unknown_outcomes;
mod work_queue;
