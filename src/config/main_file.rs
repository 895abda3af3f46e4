//! The main file: the provider's API, the daemon's timing, defaults for rotations, the trail, the
//! receivers and the status page.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Url;
use toml::de::DeTable;

use super::diagnostics::{Diagnostics, Position, Source};
use super::folders::{WITNESS, folders};
use super::http::RawHttp;
use super::notify::Receiver;
use super::receiver::{self, RawReceiver};
use super::rotation::RotationDefaults;
use super::table_reader::{Located, TableReader};
use super::time_checks::said;
use super::value_types::ByteSize;
use super::witness::{RawWitness, Witness};
use super::{Api, Environment, Http, api_section, defaults};
use crate::api::Proxy;
use crate::core::decide::MOST_ROWS;
use crate::core::policy::Rules;
use crate::core::retry_backoff::LONGEST_BACKOFF;

/// The main file as it is written.
#[derive(Debug, Default)]
pub(super) struct RawMain {
    /// Header of `[api]`, else the first line: where a missing token is reported.
    api_at: Option<Position>,
    base_url: Option<Located<String>>,
    token_file: Option<Located<PathBuf>>,
    snapshot_limit: Option<Located<usize>>,
    connect_timeout: Option<Located<SignedDuration>>,
    request_timeout: Option<Located<SignedDuration>>,
    max_in_flight: Option<Located<usize>>,
    requests_per_second: Option<Located<f64>>,
    burst: Option<Located<u32>>,
    max_body: Option<Located<ByteSize>>,
    ca_file: Option<Located<PathBuf>>,
    proxy: Option<Located<Proxy>>,
    pub(super) policies: Option<Located<PathBuf>>,
    state_dir: Option<Located<PathBuf>>,
    poll_interval: Option<Located<SignedDuration>>,
    settle_window: Option<Located<SignedDuration>>,
    stuck_after: Option<Located<SignedDuration>>,
    retry_after: Option<Located<SignedDuration>>,
    restore_window: Option<Located<SignedDuration>>,
    shrink_grace: Option<Located<SignedDuration>>,
    pub(super) defaults: RotationDefaults,
    audit_dir: Option<Located<PathBuf>>,
    pub(super) witness: Option<RawWitness>,
    pub(super) receivers: Vec<RawReceiver>,
    http: Option<RawHttp>,
}

/// The validated main file.
pub(super) struct Settings {
    pub(super) api: Api,
    pub(super) rules: Rules,
    pub(super) state_dir: PathBuf,
    pub(super) audit_dir: PathBuf,
    /// Set after the policies are read, since receivers may name servers and rotations.
    pub(super) receivers: Vec<Receiver>,
    pub(super) http: Option<Http>,
    pub(super) witness: Option<Witness>,
}

type Bound = (&'static str, &'static str);

const NO_TIME: Bound = (
    "must be longer than 0s",
    "write a duration such as \"30s\", or remove it to use the default",
);
const NO_COUNT: Bound = ("must be at least 1", "write a whole number such as 5");

impl RawMain {
    pub(super) fn read<'s>(
        table: DeTable<'s>,
        source: &'s Arc<Source>,
        log: &mut Diagnostics,
    ) -> Self {
        let mut root = TableReader::root(source, table);
        let mut raw = Self {
            api_at: Some(root.at().clone()),
            ..Self::default()
        };
        for key in ["hooks", "hook"] {
            let why = (
                "hooks belong to a rotation",
                "write them below [rotation.hooks] in a policy file, or below [defaults.hooks] for all",
            );
            root.refuse(key, why, log);
        }
        if let Some(section) = root.take_table("api", "[api]", log) {
            raw.api_at = Some(section.at().clone());
            raw.api(section, log);
        }
        if let Some(section) = root.take_table("daemon", "[daemon]", log) {
            raw.daemon(section, log);
        }
        if let Some(mut section) = root.take_table("defaults", "[defaults]", log) {
            for key in ["name", "schedule", "keep"] {
                let why = (
                    "name, schedule and keep have no default",
                    "write it in each [[rotation]]",
                );
                section.refuse(key, why, log);
            }
            raw.defaults = RotationDefaults::read(&mut section, "[defaults.hooks]", log);
            section.finish(log);
        }
        if let Some(mut section) = root.take_table("audit", "[audit]", log) {
            raw.audit_dir = section.take("dir", log);
            if let Some(witness) = section.take_table("witness", WITNESS, log) {
                raw.witness = Some(RawWitness::read(witness, log));
            }
            section.finish(log);
        }
        let receivers = root.take_tables("notify", receiver::TITLE, log);
        for section in receivers.unwrap_or_default() {
            raw.receivers.push(RawReceiver::read(section, log));
        }
        if let Some(section) = root.take_table("http", "[http]", log) {
            raw.http = Some(RawHttp::read(section, log));
        }
        for key in ["server", "rotation"] {
            let why = (
                "servers and rotations belong in a policy file",
                "move it to a file in the policies folder",
            );
            root.refuse(key, why, log);
        }
        root.finish(log);
        raw
    }

    fn api(&mut self, mut section: TableReader<'_>, log: &mut Diagnostics) {
        for key in ["token", "api_token", "api_key"] {
            // I13: the report names the line but doesn't show it.
            let why = (
                "the token itself must not be in this file",
                "remove it, change the token, and write token_file = \"/etc/snaprotate/api-token\"",
            );
            section.refuse(key, why, log);
        }
        let some = |n: &usize| *n > 0;
        let positive = |time: &SignedDuration| time.is_positive();
        self.base_url = section.take("base_url", log);
        self.token_file = section.take("token_file", log);
        self.snapshot_limit = section.take_if("snapshot_limit", log, some, NO_COUNT);
        self.connect_timeout = section.take_if("connect_timeout", log, positive, NO_TIME);
        self.request_timeout = section.take_if("request_timeout", log, positive, NO_TIME);
        self.max_in_flight = section.take_if("max_in_flight", log, some, NO_COUNT);
        self.requests_per_second = section.take_if(
            "requests_per_second",
            log,
            |rate: &f64| *rate >= 0.0,
            (
                "must not be negative",
                "write a number such as 5, or 0 for no limit",
            ),
        );
        self.burst = section.take_if("burst", log, |n: &u32| *n > 0, NO_COUNT);
        self.max_body = section.take_if(
            "max_body",
            log,
            |size: &ByteSize| size.0 > 0,
            ("must be more than 0", "write a size such as \"64MiB\""),
        );
        self.ca_file = section.take("ca_file", log);
        self.proxy = section.take("proxy", log);
        section.finish(log);
    }

    fn daemon(&mut self, mut section: TableReader<'_>, log: &mut Diagnostics) {
        let positive = |time: &SignedDuration| time.is_positive();
        self.policies = section.take("policies", log);
        self.state_dir = section.take("state_dir", log);
        self.poll_interval = section.take_if("poll_interval", log, positive, NO_TIME);
        self.settle_window = section.take_if("settle_window", log, positive, NO_TIME);
        self.stuck_after = section.take_if("stuck_after", log, positive, NO_TIME);
        self.retry_after = section.take_if("retry_after", log, positive, NO_TIME);
        self.restore_window = section.take("restore_window", log);
        self.shrink_grace = section.take("shrink_grace", log);
        section.finish(log);
    }

    /// Returns the number of snapshots that a server may hold.
    pub(super) fn limit(&self) -> usize {
        self.snapshot_limit
            .as_ref()
            .map_or(defaults::SNAPSHOT_LIMIT, |limit| limit.value)
    }

    /// Returns the folder of the policies; a relative path is resolved from the main file's folder.
    pub(super) fn policies(&self, folder: &Path) -> PathBuf {
        let policies = self.policies.as_ref().map(|found| found.value.as_path());
        folder.join(policies.unwrap_or(Path::new(defaults::POLICIES)))
    }

    /// Warns about values that are valid but probably unintended, and refuses a `snapshot_limit`
    /// above [`MOST_ROWS`].
    fn doubtful(&self, log: &mut Diagnostics) {
        let request = self.request_timeout.as_ref();
        let settle = self.settle_window.as_ref();
        let longest = time(request, signed(defaults::REQUEST_TIMEOUT));
        let window = time(settle, defaults::SETTLE_WINDOW);
        // Reported where settle_window is written, else where request_timeout is.
        if let Some(at) = settle.map(|s| &s.at).or(request.map(|r| &r.at))
            && window < longest
        {
            let (window, longest) = (said(window), said(longest));
            log.warn(
                at,
                format!("settle_window ({window}) is shorter than request_timeout ({longest}): a call that the provider is still working on could be mistaken for one without effect"),
                format!("write a settle_window of {longest} or more, such as \"10m\", or a shorter request_timeout"),
            );
        }
        if let Some(stuck) = &self.stuck_after
            && stuck.value < defaults::SLOWEST_CREATE
        {
            let message = format!(
                "stuck_after ({}) is below the 3 to 10 minutes that a snapshot takes: healthy snapshots will be reported as stuck",
                said(stuck.value)
            );
            log.warn(
                &stuck.at,
                message,
                "write stuck_after = \"1h\", or at least 10m",
            );
        }
        if let Some(limit) = &self.snapshot_limit
            && limit.value > MOST_ROWS
        {
            let message = format!(
                "snapshot_limit ({}) is above {MOST_ROWS}, the longest listing of one server that is accepted",
                limit.value
            );
            let remedy = format!("write snapshot_limit = {MOST_ROWS} or less");
            log.error(&limit.at, message, remedy);
        } else if let Some(limit) = &self.snapshot_limit
            && limit.value > defaults::SNAPSHOT_LIMIT
        {
            let message = format!(
                "snapshot_limit ({}) is above the {} that the provider documents: the service would assume room that a server does not have",
                limit.value,
                defaults::SNAPSHOT_LIMIT
            );
            let remedy = format!(
                "write snapshot_limit = {}, or remove it, unless the provider grants you more",
                defaults::SNAPSHOT_LIMIT
            );
            log.warn(&limit.at, message, remedy);
        }
        if let Some(retry) = &self.retry_after
            && retry.value > LONGEST_BACKOFF
        {
            let message = format!(
                "retry_after ({}) is above an hour, the longest pause between two attempts",
                said(retry.value)
            );
            log.warn(&retry.at, message, "write retry_after = \"1h\" or less");
        }
    }

    /// Validates the settings; `None` if the provider's address is invalid.
    pub(super) fn validate(
        self,
        folder: &Path,
        env: &Environment,
        log: &mut Diagnostics,
    ) -> Option<Settings> {
        let api_at = self.api_at.clone()?;
        self.doubtful(log);
        let limit = self.limit();
        let http = self.http.and_then(|http| http.validate(log));
        let request_timeout = time(
            self.request_timeout.as_ref(),
            signed(defaults::REQUEST_TIMEOUT),
        );
        let base_url = match &self.base_url {
            Some(text) => api_section::base_url(text, log),
            None => Url::parse(&format!("{}/", defaults::BASE_URL)).ok(),
        };
        let (token_file, token_is_credential) =
            api_section::token(self.token_file.as_ref(), &api_at, folder, env, log);
        let ca_file = self
            .ca_file
            .and_then(|file| api_section::ca(&file, folder, log));
        let proxy = self.proxy;
        if let (
            Some(Located {
                at,
                value: Proxy::At(_),
            }),
            Some(base),
        ) = (&proxy, &base_url)
            && base.scheme() == "http"
        {
            log.error(
                at,
                "proxy is for https only, but base_url is http",
                "remove proxy, or write a base_url that begins with https://",
            );
        }
        let api = Api {
            base_url: base_url?,
            token_file,
            token_is_credential,
            connect_timeout: unsigned(time(
                self.connect_timeout.as_ref(),
                signed(defaults::CONNECT_TIMEOUT),
            )),
            request_timeout: unsigned(request_timeout),
            max_in_flight: self
                .max_in_flight
                .map_or(defaults::MAX_IN_FLIGHT, |n| n.value),
            requests_per_second: self
                .requests_per_second
                .map_or(defaults::REQUESTS_PER_SECOND, |rate| rate.value),
            burst: self.burst.map_or(defaults::BURST, |n| n.value),
            max_body: self
                .max_body
                .map_or(defaults::MAX_BODY, |size| size.value.0),
            ca_file,
            proxy: proxy.map_or(Proxy::None, |proxy| proxy.value),
        };
        let rules = Rules {
            limit,
            poll_interval: time(self.poll_interval.as_ref(), defaults::POLL_INTERVAL),
            settle_window: time(self.settle_window.as_ref(), defaults::SETTLE_WINDOW),
            stuck_after: time(self.stuck_after.as_ref(), defaults::STUCK_AFTER),
            retry_after: time(self.retry_after.as_ref(), defaults::RETRY_AFTER),
            restore_window: time(self.restore_window.as_ref(), defaults::RESTORE_WINDOW),
            shrink_grace: time(self.shrink_grace.as_ref(), defaults::SHRINK_GRACE),
            request_timeout,
            due_until: None,
            count_all: false,
        };
        let base = folder;
        let folders = folders(self.state_dir, self.audit_dir, folder, env);
        let of_trail = [folders.audit_dir.as_path(), folders.state_dir.as_path()];
        let witness = (self.witness).map(|raw| raw.validate(base, of_trail, env, log));
        Some(Settings {
            api,
            rules,
            state_dir: folders.state_dir,
            audit_dir: folders.audit_dir,
            receivers: Vec::new(),
            http,
            witness,
        })
    }
}

fn time(found: Option<&Located<SignedDuration>>, usual: SignedDuration) -> SignedDuration {
    found.map_or(usual, |found| found.value)
}

fn signed(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)
}

fn unsigned(time: SignedDuration) -> Duration {
    time.unsigned_abs()
}
