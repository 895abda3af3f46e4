//! Defaults and bounds of the configuration (docs/design.md, "Configuration").

use std::time::Duration;

use jiff::SignedDuration;

/// Base address of the provider's API.
pub const BASE_URL: &str = "https://admin.vps.org/api/v1";
/// Number of snapshots that a server may hold: the provider's five (docs/api.md, "Limits and
/// durations").
pub const SNAPSHOT_LIMIT: usize = 5;
/// Longest time for opening a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for one whole call.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of requests in flight.
pub const MAX_IN_FLIGHT: usize = 8;
/// Requests per second for the whole account; 0 means no limit.
pub const REQUESTS_PER_SECOND: f64 = 5.0;
/// Number of requests that may be sent back to back after an idle period.
pub const BURST: u32 = 1;
/// Largest response that is read, in bytes; for a listing, all of its pages together. A listing of
/// 50,000 snapshots is about 12 MB.
pub const MAX_BODY: usize = 64 * 1024 * 1024;

/// Folder of the policies, beside the main file.
pub const POLICIES: &str = "policies.d";
/// State folder if neither the file nor `$STATE_DIRECTORY` names one.
pub const STATE_DIR: &str = "/var/lib/snaprotate";
/// Trail folder if neither the file nor `$LOGS_DIRECTORY` names one.
pub const AUDIT_DIR: &str = "/var/log/snaprotate";
/// Interval between listings while a snapshot is in progress.
pub const POLL_INTERVAL: SignedDuration = SignedDuration::from_secs(15);
/// How long a mutation without an answer may still take effect.
pub const SETTLE_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Age at which a snapshot in progress is considered stuck; according to the provider, a snapshot
/// takes 3 to 10 minutes.
pub const STUCK_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// The first pause between two attempts.
pub const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// How long a server is left alone after a restore; according to the provider, a restore takes 5 to
/// 15 minutes.
pub const RESTORE_WINDOW: SignedDuration = SignedDuration::from_mins(30);
/// Time from the announcement of an edit's deletions to the first delete, for an administrator to
/// see the alert and undo the edit.
pub const SHRINK_GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Number of own completed snapshots that a prune before a create must leave.
pub const MIN_COMPLETED: usize = 1;
/// Time zone of a rotation that sets none.
pub const TIMEZONE: &str = "UTC";
/// Name pattern of a rotation that sets none.
pub const SNAPSHOT_NAME: &str = "{name}-snapshot-%Y-%m-%d";
/// Number of attempts for a slot before it is given up.
pub const ATTEMPTS: u32 = 3;

/// Interval between reminders to a receiver while an alert is active.
pub const REPEAT: SignedDuration = SignedDuration::from_hours(24);
/// Longest time for one delivery to a receiver.
pub const DELIVERY: SignedDuration = SignedDuration::from_secs(10);

/// Local time at which a daily report is due.
pub const DAILY_REPORT: &str = "07:00";
/// Weekday and local time at which a weekly report is due.
pub const WEEKLY_REPORT: &str = "Mon 07:00";
/// Day of the month and local time at which a monthly report is due.
pub const MONTHLY_REPORT: &str = "1 07:00";

/// Time from one checkpoint of the trail to the next.
pub const WITNESS: SignedDuration = SignedDuration::from_hours(24);
/// Shortest time between two checkpoints.
pub const SHORTEST_WITNESS: SignedDuration = SignedDuration::from_secs(1);

/// Longest time for one run of a hook.
pub const HOOK: SignedDuration = SignedDuration::from_secs(60);
/// Longest time from the start of `before` to the start of `after`; according to the provider, a
/// snapshot takes 3 to 10 minutes (docs/api.md, "Limits and durations").
pub const MAX_HOLD: SignedDuration = SignedDuration::from_hours(1);

/// Time within which a server that is being stopped must be seen stopped.
pub const STOP: SignedDuration = SignedDuration::from_mins(5);
/// Longest time that a server is stopped for a snapshot.
pub const MAX_STOPPED: SignedDuration = SignedDuration::from_mins(15);

/// Name of the token's credential in `$CREDENTIALS_DIRECTORY`.
pub const CREDENTIAL: &str = "api-token";
/// Name of the signer key's credential in `$CREDENTIALS_DIRECTORY`.
pub const WITNESS_CREDENTIAL: &str = "witness-key";
/// Longest duration that a key accepts.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// Largest file that is read, in bytes; a policy is about one KiB.
pub const LARGEST_FILE: u64 = 1024 * 1024;
/// Longest duration of a create; according to the provider, one takes 3 to 10 minutes (docs/api.md,
/// "Limits and durations").
pub const SLOWEST_CREATE: SignedDuration = SignedDuration::from_mins(10);
/// Slots closer together than this get a warning: a create takes 3 to 10 minutes (docs/api.md,
/// "Limits and durations").
pub const CLOSE_SLOTS: SignedDuration = SignedDuration::from_mins(10);
