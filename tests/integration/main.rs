//! The real binary against the stand-in API, over HTTP: one module for each subject.
//!
//! All modules are one program, which is linked once and whose tests run side by side.
//! `cargo test --test integration hooks::` runs the tests of one module.

mod audit;
mod canary;
mod clock;
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
mod hooks;
mod hostile;
mod identity;
mod layout;
mod links;
mod load;
mod mail;
mod manual;
mod notify;
mod notify_test;
mod online;
mod orders;
mod output;
mod packaging;
mod page;
mod permissions;
mod processes;
mod proxy;
mod recovery;
mod reference;
mod schema;
mod state;
mod status;
mod stop_server;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
mod vps_mcp;
mod witness;
