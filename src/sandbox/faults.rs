//! Faults that a test injects: into which call, how often, and what goes wrong.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use super::store::Staleness;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallKind {
    /// `GET /snapshots/`
    List,
    /// `POST /snapshots/`
    Create,
    /// `DELETE /snapshots/{id}/`
    Delete,
    /// `POST /snapshots/{id}/restore/`
    Restore,
    /// `GET /account/me/`
    Account,
    /// `GET /servers/`
    Servers,
    /// `GET /servers/{id}/`
    Server,
    /// `POST /servers/{id}/power/`
    Power,
    /// In a fault: any call. In the log: a request that the API does not define.
    Any,
}

/// The effect of a request whose answer is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultEffect {
    /// It has none.
    Never,
    /// It happens before the bad answer.
    Done,
    /// It happens this much later by the clock, if the provider's rules allow it then.
    Late(SignedDuration),
}

/// A fault of a snapshot that is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateFault {
    /// It stays `in_progress` for ever.
    Stuck,
    /// Its final status is `failed`.
    Failed,
    /// It ends with this status word.
    Ends(String),
    /// It completes after this long.
    Takes(SignedDuration),
    /// It disappears when it should have been completed.
    Vanishes,
    /// Two snapshots with its name are made, if there is room for both.
    Twice,
    /// It is stored under this name, which the answer gives too.
    Named(String),
    /// It is stored with this date.
    Dated(Timestamp),
    /// Nothing is made, but the answer reports a success with this id.
    Another(u64),
}

/// A fault of a listing. Unless the variant says otherwise, "a row" is the last row of the page, or
/// the last one of the fault's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingFault {
    /// A row is left out; `count` still counts it.
    Short,
    /// A row is left out, and `count` agrees.
    Lacking,
    /// No rows, and `count` agrees.
    Empty,
    /// The listing is an earlier one.
    Stale(Staleness),
    /// A row appears twice, and `count` agrees.
    Duplicate,
    /// The filter is ignored: all servers' rows, and `count` agrees.
    OtherServers,
    /// A row names its server but has no usable id.
    Unreadable,
    /// A row is not an object at all, so its server is unknown.
    Nameless,
    /// `count` is off by this much.
    Count(i64),
    /// A field of a row has another value or is missing.
    Field {
        /// The id of the row; `None`: the newest row.
        snapshot: Option<u64>,
        /// The field's name.
        field: &'static str,
        /// The value that is shown; `None`: the field is missing.
        value: Option<Value>,
    },
    /// The newest row is dated this far ahead of the clock.
    Ahead(SignedDuration),
    /// `next` is this address.
    Next(String),
}

impl ListingFault {
    /// Returns a fault that removes `created_at` from the newest row.
    pub fn undated() -> Self {
        Self::Field {
            snapshot: None,
            field: "created_at",
            value: None,
        }
    }

    /// Returns a fault that gives the newest row a `created_at` that is not a date.
    pub fn misdated() -> Self {
        Self::Field {
            snapshot: None,
            field: "created_at",
            value: Some(Value::from("the day before yesterday")),
        }
    }

    /// Returns a fault that gives the newest row this status word.
    pub fn status(word: &str) -> Self {
        Self::Field {
            snapshot: None,
            field: "status",
            value: Some(Value::from(word)),
        }
    }
}

/// The effect of a [`Fault`] on an answer, or on the snapshot that is made.
#[derive(Clone, Debug)]
pub(super) enum FaultKind {
    Answer {
        status: u16,
        retry_after: Option<String>,
        location: Option<String>,
        html: bool,
        body: String,
    },
    Hang,
    Cut,
    CutBody,
    Drip(Duration),
    Huge(u64),
    Listing(ListingFault),
    Made(CreateFault),
}

/// An injected fault. Unless its constructor or a method says otherwise, it applies once, to any
/// server, and the request has no effect.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) call: CallKind,
    pub(super) server: Option<u64>,
    pub(super) what: FaultKind,
    pub(super) outcome: FaultEffect,
    let_pass: usize,
    /// How many more times it applies; `None`: no limit.
    left: Option<usize>,
}

impl Fault {
    fn new(call: CallKind, what: FaultKind) -> Self {
        Self {
            call,
            server: None,
            what,
            outcome: FaultEffect::Never,
            let_pass: 0,
            left: Some(1),
        }
    }

    /// Answers with this status and a short JSON body.
    pub fn status(call: CallKind, status: u16) -> Self {
        let body = format!(r#"{{"detail":"ordered answer {status}"}}"#);
        let (retry_after, location) = (None, None);
        Self::new(
            call,
            FaultKind::Answer {
                status,
                retry_after,
                location,
                html: false,
                body,
            },
        )
    }

    /// Answers 200 with a page of HTML.
    pub fn html(call: CallKind) -> Self {
        let mut fault = Self::status(call, 200).body("<!doctype html><title>Maintenance</title>");
        if let FaultKind::Answer { html, .. } = &mut fault.what {
            *html = true;
        }
        fault
    }

    /// Answers with a redirect to this address.
    pub fn redirect(call: CallKind, to: &str) -> Self {
        let mut fault = Self::status(call, 307);
        if let FaultKind::Answer { location, .. } = &mut fault.what {
            *location = Some(to.to_owned());
        }
        fault
    }

    /// Gives no answer and keeps the connection open.
    pub fn hang(call: CallKind) -> Self {
        Self::new(call, FaultKind::Hang)
    }

    /// Cuts the connection before the first byte of an answer.
    pub fn cut(call: CallKind) -> Self {
        Self::new(call, FaultKind::Cut)
    }

    /// Lets the request take effect, then cuts the true answer off in the middle of its body.
    pub fn cut_body(call: CallKind) -> Self {
        Self::new(call, FaultKind::CutBody).done()
    }

    /// Lets the request take effect, then sends the true answer a byte at a time, with this pause
    /// (in real time) before each byte.
    pub fn drip(call: CallKind, pause: Duration) -> Self {
        Self::new(call, FaultKind::Drip(pause)).done()
    }

    /// Answers 200 with a body of this many bytes, generated as they are read.
    pub fn huge(call: CallKind, bytes: u64) -> Self {
        Self::new(call, FaultKind::Huge(bytes))
    }

    /// Applies this fault to the answer to a listing.
    pub fn listing(how: ListingFault) -> Self {
        Self::new(CallKind::List, FaultKind::Listing(how)).done()
    }

    /// Applies this fault to the next snapshot that is made, whatever the answer.
    pub fn made(fate: CreateFault) -> Self {
        Self::new(CallKind::Create, FaultKind::Made(fate)).done()
    }

    /// Adds this `Retry-After` if the fault replaces the whole answer.
    #[must_use]
    pub fn retry_after(mut self, value: &str) -> Self {
        if let FaultKind::Answer { retry_after, .. } = &mut self.what {
            *retry_after = Some(value.to_owned());
        }
        self
    }

    /// Sets this body if the fault replaces the whole answer.
    #[must_use]
    pub fn body(mut self, text: &str) -> Self {
        if let FaultKind::Answer { body, .. } = &mut self.what {
            text.clone_into(body);
        }
        self
    }

    /// Restricts it to calls about this server; account-wide listings are about every server.
    #[must_use]
    pub fn server(mut self, id: u64) -> Self {
        self.server = Some(id);
        self
    }

    /// Applies it to this many matching calls instead of one.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.left = Some(times);
        self
    }

    /// Applies it to every matching call until the faults are cleared.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.left = None;
        self
    }

    /// Leaves this many matching calls unaffected first.
    #[must_use]
    pub fn after(mut self, calls: usize) -> Self {
        self.let_pass = calls;
        self
    }

    /// Lets the request take effect before the bad answer.
    #[must_use]
    pub fn done(mut self) -> Self {
        self.outcome = FaultEffect::Done;
        self
    }

    /// Lets the request take effect this much later by the clock.
    #[must_use]
    pub fn late(mut self, after: SignedDuration) -> Self {
        self.outcome = FaultEffect::Late(after);
        self
    }

    fn matches(&self, call: CallKind, server: Option<u64>) -> bool {
        let account_wide = call == CallKind::List && server.is_none();
        (self.call == call || self.call == CallKind::Any)
            && (account_wide || self.server.is_none() || self.server == server)
    }
}

/// The injected faults that are left, in the order in which they were added.
#[derive(Default)]
pub(super) struct FaultQueue(Vec<Fault>);

impl FaultQueue {
    pub fn add(&mut self, fault: Fault) {
        if fault.left != Some(0) {
            self.0.push(fault);
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the number of faults that are left, including those without a limit.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Uses up one application of the first fault that affects this call's answer, if any.
    pub fn answer(&mut self, call: CallKind, server: Option<u64>) -> Option<Fault> {
        self.take(call, server, |what| !matches!(what, FaultKind::Made(_)))
    }

    /// Uses up one application of the first fault for a snapshot made on this server, if any.
    pub fn fate(&mut self, server: u64) -> Option<CreateFault> {
        let fault = self.take(CallKind::Create, Some(server), |what| {
            matches!(what, FaultKind::Made(_))
        })?;
        match fault.what {
            FaultKind::Made(fate) => Some(fate),
            _ => None,
        }
    }

    fn take(
        &mut self,
        call: CallKind,
        server: Option<u64>,
        wanted: impl Fn(&FaultKind) -> bool,
    ) -> Option<Fault> {
        for (index, fault) in self.0.iter_mut().enumerate() {
            if !wanted(&fault.what) || !fault.matches(call, server) {
                continue;
            }
            if fault.let_pass > 0 {
                fault.let_pass -= 1;
                continue;
            }
            let taken = fault.clone();
            if let Some(left) = &mut fault.left {
                *left -= 1;
                if *left == 0 {
                    self.0.remove(index);
                }
            }
            return Some(taken);
        }
        None
    }
}
