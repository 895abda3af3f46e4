//! `/metrics`, in the Prometheus text format.
//!
//! Times are seconds since 1970; 0 means "never", so that a rule can compare it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, prometheus_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::view::{Activity, FleetView, RotationView, ServerView};
use crate::api::call_metrics::{BUCKETS, CallCounts};
use crate::core::health::Health;
use crate::core::server_event::alert_words;
use crate::engine::EngineCounters;

const KINDS: [&str; 5] = ["own", "foreign", "in_progress", "failed", "odd"];

/// The response to one scrape.
#[derive(Debug)]
struct MetricsPage {
    view: Arc<FleetView>,
    calls: Vec<CallCounts>,
    watched: EngineCounters,
}

pub(super) fn text(
    view: Arc<FleetView>,
    calls: Vec<CallCounts>,
    watched: EngineCounters,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("snaprotate");
    registry.register_collector(Box::new(MetricsPage {
        view,
        calls,
        watched,
    }));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for MetricsPage {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        self.service(encoder)?;
        self.servers(encoder)?;
        self.rotations(encoder)?;
        self.work(encoder)
    }
}

impl MetricsPage {
    fn service(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let view = &self.view;
        let build = [("version", view.version.as_str())];
        let about = "The running version.";
        gauge(encoder, "build_info", about, [(build, 1)])?;
        let about = "When the service started.";
        alone(encoder, "start_time_seconds", about, &seconds(view.started))?;
        let stands = |kind: &str| view.alerts.iter().filter(|a| a.alert == kind).count();
        let kinds = alert_words();
        let about = "Active alerts, by kind.";
        let alerts = kinds.map(|kind| ([("kind", kind)], stands(kind)));
        gauge(encoder, "alerts", about, alerts)?;
        let refused = u32::from(stands("config_refused") > 0);
        let about = "Whether the configuration on disk is refused and an older one is in force.";
        alone(encoder, "config_refused", about, &refused)?;
        let refused = u32::from(self.watched.account_refused);
        let about = "Whether the provider rejects the token.";
        alone(encoder, "account_refused", about, &refused)?;
        let writable = u32::from(self.watched.writable);
        let about = "Whether the last record could be written to the audit trail.";
        alone(encoder, "audit_writable", about, &writable)?;
        let limit = view.servers.iter().map(|server| server.limit).max();
        let about = "Snapshots that a server may hold.";
        alone(encoder, "snapshots_limit", about, &limit.unwrap_or(0))
    }

    fn servers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let servers = &self.view.servers;
        let about = "Servers with a policy, by health.";
        let healths = Health::ALL.into_iter().map(|health| {
            let count = servers.iter().filter(|s| s.health == health).count();
            ([("health", health.word())], count)
        });
        gauge(encoder, "servers", about, healths)?;
        let about = "Servers with a policy, by activity.";
        let activities = Activity::ALL.into_iter().map(|activity| {
            let count = servers.iter().filter(|s| s.activity == activity).count();
            ([("activity", activity.word())], count)
        });
        gauge(encoder, "servers_by_activity", about, activities)?;
        let about = "The server's health, as a label; the value is always 1.";
        let healths = servers.iter();
        let healths = healths.map(|s| ((s.labels(), [("health", s.health.word())]), 1));
        gauge(encoder, "server_health", about, healths)?;
        let about = "When the server's newest copy was made; 0: there is none.";
        let copies = servers.iter().filter(|server| server.listed.is_some());
        let copies = copies.map(|s| (s.labels(), s.newest_copy.map_or(0.0, seconds)));
        gauge(encoder, "newest_copy_timestamp_seconds", about, copies)?;
        let about = "When the server's newest copy becomes too old; 0: there is none, or never.";
        let copies = servers.iter().filter(|server| server.listed.is_some());
        let copies = copies.map(|s| (s.labels(), s.fresh_until.map_or(0.0, seconds)));
        gauge(encoder, "fresh_until_timestamp_seconds", about, copies)?;
        let is = |wanted: Activity| {
            let one =
                move |server: &ServerView| (server.labels(), u32::from(server.activity == wanted));
            servers.iter().map(one)
        };
        let about = "Whether all changes on the server are blocked.";
        gauge(encoder, "server_blocked", about, is(Activity::Blocked))?;
        let about = "Whether the server is paused until resume.";
        gauge(encoder, "server_paused", about, is(Activity::Paused))?;
        let about = "Whether the server can't be listed now, or its listing is overdue.";
        let unlisted = servers.iter();
        let unlisted = unlisted.map(|s| (s.labels(), u32::from(s.unlisted.is_some())));
        gauge(encoder, "server_unlisted", about, unlisted)?;
        let listed = servers.iter().filter(|server| server.listed.is_some());
        let held = listed.flat_map(|server| {
            KINDS.iter().map(move |kind| {
                let held = server.snapshots.iter().filter(|s| s.kind() == *kind);
                ((server.labels(), [("kind", *kind)]), held.count())
            })
        });
        let about = "Snapshots that the server holds: own completed ones, foreign ones, and own ones in progress, failed, or with an odd status or date.";
        gauge(encoder, "snapshots", about, held)
    }

    fn rotations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let times = |time: fn(&RotationView) -> Option<Timestamp>| {
            self.view.servers.iter().flat_map(move |server| {
                server.rotations.iter().map(move |rotation| {
                    let labels = (server.labels(), [("rotation", rotation.name.as_str())]);
                    (labels, time(rotation).map_or(0.0, seconds))
                })
            })
        };
        let name = "last_success_timestamp_seconds";
        let about = "When the rotation's newest completed snapshot was made; 0: there is none.";
        gauge(encoder, name, about, times(|r| r.completed))?;
        let name = "last_slot_timestamp_seconds";
        let about = "The rotation's newest slot that was due; 0: none is known.";
        gauge(
            encoder,
            name,
            about,
            times(|r| r.last.as_ref().map(|last| last.slot)),
        )?;
        let name = "next_slot_timestamp_seconds";
        let about = "When the rotation's next slot is due; 0: never.";
        gauge(
            encoder,
            name,
            about,
            times(|r| r.next.as_ref().map(|next| next.at)),
        )
    }

    fn work(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let about = "Decisions, by step.";
        let counter = MetricType::Counter;
        let mut counts = encoder.encode_descriptor("decisions", about, None, counter)?;
        for (step, count) in &self.watched.decisions {
            let labels = [("step", *step)];
            let mut count_of = counts.encode_family(&labels)?;
            count_of.encode_counter::<[(&str, &str); 0], _, f64>(count, None)?;
        }
        let about = "Records that this process wrote to the audit trail.";
        let mut records = encoder.encode_descriptor("audit_records", about, None, counter)?;
        let written = self.watched.records;
        records.encode_counter::<[(&str, &str); 0], _, f64>(&written, None)?;
        let about = "Requests to the provider, by call and outcome.";
        let mut requests = encoder.encode_descriptor("api_requests", about, None, counter)?;
        for calls in &self.calls {
            for (outcome, count) in &calls.ended {
                let labels = [("call", calls.call), ("outcome", *outcome)];
                let mut count_of = requests.encode_family(&labels)?;
                count_of.encode_counter::<[(&str, &str); 0], _, f64>(count, None)?;
            }
        }
        let name = "api_request_duration_seconds";
        let about = "Duration of requests to the provider.";
        let histogram = MetricType::Histogram;
        let mut took = encoder.encode_descriptor(name, about, None, histogram)?;
        for calls in &self.calls {
            let ends = BUCKETS.iter().map(std::time::Duration::as_secs_f64);
            let ends = ends.chain([f64::INFINITY]);
            let buckets: Vec<_> = ends.zip(calls.took.iter().copied()).collect();
            let count = calls.took.iter().sum();
            let sum = calls.time.as_secs_f64();
            let labels = [("call", calls.call)];
            let mut took_by = took.encode_family(&labels)?;
            took_by.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

impl ServerView {
    /// Returns the labels of a server. Names need not be unique, so the id is a label too.
    fn labels(&self) -> Vec<(&'static str, String)> {
        vec![
            ("server", self.name.clone()),
            ("server_id", self.id.to_string()),
        ]
    }
}

/// Encodes a gauge without labels.
fn alone(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    about: &str,
    value: &impl EncodeGaugeValue,
) -> fmt::Result {
    let mut gauge = encoder.encode_descriptor(name, about, None, MetricType::Gauge)?;
    gauge.encode_gauge(value)
}

/// Encodes a gauge with a value for each set of labels.
fn gauge<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    about: &str,
    values: impl IntoIterator<Item = (L, impl EncodeGaugeValue)>,
) -> fmt::Result {
    let mut gauge = encoder.encode_descriptor(name, about, None, MetricType::Gauge)?;
    for (labels, value) in values {
        gauge.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 fit into 53 bits for millions of years"
)]
fn seconds(at: Timestamp) -> f64 {
    at.as_second() as f64
}
