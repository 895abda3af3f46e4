//! Changes by an operator: `create`, `delete`, `restore`, `protect`, `unprotect`.
//!
//! A command first asks the provider for the data that it shows. The running service then makes the
//! change: it looks again, and refuses if something has changed since. Without a running service
//! this process takes the lock and does the same.

mod confirm;
mod create;
mod delete;
mod protect;
mod resolve;
mod restore;
mod wait;

pub use create::{Create, create};
pub use delete::{Delete, delete};
pub use protect::{Protect, protect, unprotect};
pub use restore::{Restore, restore};
