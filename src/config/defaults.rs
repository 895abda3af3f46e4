//! Every default and bound of the configuration, in one place (DESIGN.md, section 4).

use std::time::Duration;

use jiff::SignedDuration;

/// The provider's API.
pub const BASE_URL: &str = "https://admin.vps.org/api/v1";
/// Snapshots that a server may hold: the provider's five (API.md).
pub const SNAPSHOT_LIMIT: usize = 5;
/// How long a connection may take to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one whole call may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests in flight at once.
pub const MAX_IN_FLIGHT: usize = 8;
/// Requests a second over the whole account; 0 is no limit.
pub const REQUESTS_PER_SECOND: f64 = 5.0;
/// Requests that may begin at once after a rest.
pub const BURST: u32 = 1;
/// The largest answer that is read: a listing of 50,000 snapshots is some 12 MB.
pub const MAX_BODY: usize = 64 * 1024 * 1024;

/// The folder of the policies, beside the main file.
pub const POLICIES: &str = "policies.d";
/// Where the state lies when neither the file nor `$STATE_DIRECTORY` says so.
pub const STATE_DIR: &str = "/var/lib/snaprotate";
/// Where the trail lies when neither the file nor `$LOGS_DIRECTORY` says so.
pub const AUDIT_DIR: &str = "/var/log/snaprotate";
/// Between two looks at a snapshot under way.
pub const POLL_INTERVAL: SignedDuration = SignedDuration::from_secs(15);
/// How long a mutation without an answer may still happen.
pub const SETTLE_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// From when on a snapshot in progress is stuck; the provider says 3 to 10 minutes.
pub const STUCK_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// The first pause between two attempts.
pub const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// How long a restore holds its server; the provider says 5 to 15 minutes.
pub const RESTORE_WINDOW: SignedDuration = SignedDuration::from_mins(30);
/// How long what an edit deletes is announced before it goes: time to see the alert and undo it.
pub const SHRINK_GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Own completed snapshots that a prune before a create must leave.
pub const MIN_COMPLETED: usize = 1;
/// The zone of a rotation that states none.
pub const TIMEZONE: &str = "UTC";
/// The name pattern of a rotation that states none.
pub const SNAPSHOT_NAME: &str = "{name}-snapshot-%Y-%m-%d";
/// Creates tried for a slot before it is given up.
pub const ATTEMPTS: u32 = 3;

/// After how long a receiver is told again of what still stands.
pub const REPEAT: SignedDuration = SignedDuration::from_hours(24);
/// How long one delivery to a receiver may take.
pub const DELIVERY: SignedDuration = SignedDuration::from_secs(10);

/// How long after a checkpoint of the trail the next one is signed.
pub const WITNESS: SignedDuration = SignedDuration::from_hours(24);
/// The shortest such time.
pub const SHORTEST_WITNESS: SignedDuration = SignedDuration::from_secs(1);

/// How long one run of a hook may take.
pub const HOOK: SignedDuration = SignedDuration::from_secs(60);
/// How long a server is held by `before` at most; the provider says 3 to 10 minutes for a
/// snapshot (API.md).
pub const MAX_HOLD: SignedDuration = SignedDuration::from_hours(1);

/// How long a server may take until it is seen stopped.
pub const STOP: SignedDuration = SignedDuration::from_mins(5);
/// How long a server is stopped for a snapshot at most.
pub const MAX_STOPPED: SignedDuration = SignedDuration::from_mins(15);

/// The credential's name in `$CREDENTIALS_DIRECTORY`.
pub const CREDENTIAL: &str = "api-token";
/// That of the witness's signer key.
pub const WITNESS_CREDENTIAL: &str = "witness-key";
/// The longest duration that can be meant.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// The largest file that is read; a policy is about one KiB.
pub const LARGEST_FILE: u64 = 1024 * 1024;
/// What a create takes at most, by the provider's word: 3 to 10 minutes (API.md).
pub const SLOWEST_CREATE: SignedDuration = SignedDuration::from_mins(10);
/// Slots closer together than this are warned of: creating takes 3 to 10 minutes (API.md).
pub const CLOSE_SLOTS: SignedDuration = SignedDuration::from_mins(10);
