//! The real binary against the stand-in API, over HTTP: one module for each subject.
//!
//! All modules are one program, which is linked once and whose tests run side by side.
//! `cargo test --test integration hooks::` runs the tests of one module.

mod audit;
mod audit_actions;
mod audit_files;
mod canary;
mod clock;
mod completions;
mod crash;
mod demo;
mod disk;
mod docs;
mod drf;
mod erosion;
mod faults;
mod first_steps;
mod forecast;
mod front;
mod health;
mod health_states;
mod hook_releases;
mod hooks;
mod hostile;
mod identity;
mod init_refusals;
mod layout;
mod links;
mod list;
mod listing_faults;
mod load;
mod mail;
mod manual;
mod notify;
mod notify_test;
mod online;
mod order_confirmation;
mod orders;
mod output;
mod owed_starts;
mod packaging;
mod page;
mod page_listener;
mod page_transfer;
mod pauses;
mod permissions;
mod plans;
mod processes;
mod proxy;
mod recovery;
mod reference;
mod reloads;
mod report;
mod report_messages;
mod retry;
mod schema;
mod state;
mod status;
mod stop_server;
mod stop_server_order;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
mod vps_mcp;
mod witness;
mod witness_delivery;
