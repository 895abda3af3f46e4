//! Tests of one receiver's loop, with time under the test's control.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::pending::PINGS;
use super::*;
use crate::alerts::{AlertChange, ServerLabel, SignedCheckpoint, SlotChange, SlotNews};
use crate::config::notify::{Address, Transport};
use crate::core::health::NewestCopy;
use crate::core::snapshot::ServerId;

/// A receiver that accepts deliveries, or fails.
#[derive(Clone, Default)]
struct Fake {
    took: Arc<Mutex<Vec<String>>>,
    tries: Arc<AtomicUsize>,
    down: Arc<Mutex<bool>>,
}

impl Deliver for Fake {
    async fn deliver(&self, parcel: &Parcel) -> Result<(), String> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        if *lock(&self.down) {
            return Err("refused".to_owned());
        }
        lock(&self.took).push(match parcel {
            Parcel::Message(message, _) => {
                format!("{} {}", message.event.word(), message.alerts.len())
            }
            Parcel::Checkpoint(signed, _) => format!("checkpoint {}", signed.record),
            Parcel::Report(news) => format!("report {}", news.report.until),
            Parcel::Ping(slot) => format!("{:?} {}", slot.turn, slot.snapshot),
        });
        Ok(())
    }
}

impl Fake {
    fn took(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.took))
    }
}

fn receiver(way: Transport) -> Receiver {
    Receiver {
        name: "test".to_owned(),
        way,
        on: None,
        servers: None,
        witness: false,
        report: None,
        repeat: Some(SignedDuration::from_hours(24)),
        timeout: Duration::from_secs(10),
    }
}

fn nowhere() -> Address {
    Address::Written("http://127.0.0.1:9/secret".parse().expect("a url"))
}

struct Scene {
    line: Arc<ReceiverLoop>,
    fake: Fake,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Scene {
    fn of(settings: Receiver) -> Self {
        let line = Arc::new(ReceiverLoop::new(settings, clock(), None));
        let (fake, stop) = (Fake::default(), CancellationToken::new());
        let task = tokio::spawn(Arc::clone(&line).run(fake.clone(), stop.clone()));
        Self {
            line,
            fake,
            stop,
            task,
        }
    }

    fn webhook() -> Self {
        Self::of(receiver(Transport::Webhook(nowhere())))
    }

    fn hears(&self, news: &[News]) {
        self.line.hear(news, self.line.clock.now().wall);
    }
}

fn clock() -> Clock {
    Clock::fast("2026-11-25T03:00:00Z".parse().expect("a time"), 1)
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

fn blocked(id: u64) -> Alert {
    Alert {
        kind: "blocked".to_owned(),
        server: Some(place(id)),
        about: id.to_string(),
        text: "full".to_owned().into(),
        copy: NewestCopy::Unknown,
        since: "2026-11-25T03:00:00Z".parse().expect("a time"),
        acknowledged: None,
    }
}

fn place(id: u64) -> ServerLabel {
    ServerLabel {
        id: id.into(),
        name: format!("web-{id}"),
        policy: format!("web-{id}"),
    }
}

fn raised(id: u64) -> News {
    News::Raised(blocked(id))
}

fn cleared(id: u64) -> News {
    News::Cleared(blocked(id).key())
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_alerts_at_once_are_sent_as_one_message() {
    let scene = Scene::webhook();
    for id in 1..=10_000 {
        scene.hears(&[raised(id)]);
    }
    pass(WINDOW * 2).await;
    assert_eq!(scene.fake.took(), ["raised 10000"]);
    let all: Vec<_> = (1..=10_000).map(cleared).collect();
    scene.hears(&all);
    pass(WINDOW * 2).await;
    assert_eq!(scene.fake.took(), ["recovered 10000"]);
}

#[tokio::test(start_paused = true)]
async fn alerts_raised_one_by_one_for_an_hour_are_sent_in_few_messages_and_none_is_lost() {
    let scene = Scene::webhook();
    for id in 0..1_200 {
        scene.hears(&[raised(id)]);
        pass(Duration::from_secs(3)).await;
    }
    pass(PACE * 2).await;
    let took = scene.fake.took();
    assert!(took.len() <= 80, "{} messages", took.len());
    let told: u32 = took
        .iter()
        .map(|line| line.rsplit(' ').next().expect("a number"))
        .map(|number| number.parse::<u32>().expect("a number"))
        .sum();
    assert_eq!(told, 1_200);
}

#[tokio::test(start_paused = true)]
async fn an_urgent_alert_does_not_wait_for_the_messages_that_are_held_back() {
    let scene = Scene::webhook();
    for id in 1..=10 {
        scene.hears(&[raised(id)]);
        pass(WINDOW * 2).await;
    }
    assert_eq!(scene.fake.took().len(), 10);
    scene.hears(&[raised(11)]);
    pass(WINDOW * 2).await;
    assert!(scene.fake.took().is_empty());
    let until = scene.line.view(0).held_until.expect("messages are held");
    let left = until.duration_since(scene.line.clock.now().wall);
    assert!(left > SignedDuration::from_mins(9) && left <= PACE.try_into().expect("a pace"));
    let rejected = Alert {
        kind: "account_refused".to_owned(),
        server: None,
        ..blocked(0)
    };
    scene.hears(&[News::Raised(rejected)]);
    pass(WINDOW * 2).await;
    assert_eq!(scene.fake.took(), ["raised 2"]);
    // The next one has no urgent alert, and waits.
    scene.hears(&[raised(12)]);
    pass(WINDOW * 2).await;
    assert!(scene.fake.took().is_empty());
    pass(PACE).await;
    assert_eq!(scene.fake.took(), ["raised 1"]);
    assert_eq!(scene.line.view(0).held_until, None);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_was_down_gets_the_active_alerts_and_none_that_cleared_meanwhile() {
    let scene = Scene::webhook();
    *lock(&scene.fake.down) = true;
    scene.hears(&[raised(1), raised(2)]);
    pass(Duration::from_mins(10)).await;
    scene.hears(&[cleared(1)]);
    assert!(scene.line.view(0).error.is_some());
    *lock(&scene.fake.down) = false;
    pass(LONGEST_PAUSE * 3).await;
    assert_eq!(scene.fake.took(), ["raised 1"]);
    let view = scene.line.view(0);
    assert_eq!((view.delivered, view.dropped, view.error), (1, 0, None));
}

#[tokio::test(start_paused = true)]
async fn after_an_hour_of_retries_an_alert_is_dropped_and_counted_and_later_alerts_are_sent() {
    let scene = Scene::webhook();
    *lock(&scene.fake.down) = true;
    scene.hears(&[raised(1)]);
    pass(GIVE_UP * 2).await;
    assert_eq!(scene.line.view(2).dropped, 1 + 2);
    let tries = scene.fake.tries.load(Ordering::Relaxed);
    assert!((10..=60).contains(&tries), "{tries} tries");
    *lock(&scene.fake.down) = false;
    scene.hears(&[raised(2)]);
    pass(LONGEST_PAUSE).await;
    assert_eq!(scene.fake.took(), ["raised 1"], "the later alert");
    pass(Duration::from_hours(25)).await;
    assert_eq!(
        scene.fake.took().first().map(String::as_str),
        Some("repeated 1")
    );
}

#[tokio::test(start_paused = true)]
async fn stopping_delivers_pending_alerts_without_waiting_for_more() {
    let scene = Scene::webhook();
    scene.hears(&[raised(1)]);
    let began = Instant::now();
    scene.stop.cancel();
    scene.task.await.expect("it ends");
    assert_eq!(scene.fake.took(), ["raised 1"]);
    assert!(began.elapsed() < WINDOW);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_down_is_tried_only_once_more_after_a_stop() {
    let scene = Scene::webhook();
    *lock(&scene.fake.down) = true;
    scene.hears(&[raised(1)]);
    pass(Duration::from_mins(30)).await;
    let before = scene.fake.tries.load(Ordering::Relaxed);
    scene.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(1), scene.task);
    ended.await.expect("at once").expect("it ends");
    assert_eq!(scene.fake.tries.load(Ordering::Relaxed), before + 1);
}

#[tokio::test(start_paused = true)]
async fn alerts_of_kinds_and_servers_outside_the_filter_are_not_sent() {
    let mut settings = receiver(Transport::Webhook(nowhere()));
    settings.on = Some(["blocked".to_owned()].into());
    settings.servers = Some([ServerId::from(1)].into());
    let scene = Scene::of(settings);
    let stuck = Alert {
        kind: "stuck".to_owned(),
        ..blocked(1)
    };
    let wide = Alert {
        server: None,
        ..blocked(1)
    };
    scene.hears(&[raised(2), News::Raised(stuck), News::Raised(wide)]);
    scene.hears(&[cleared(2)]);
    pass(WINDOW * 2).await;
    assert!(scene.fake.took().is_empty());
    scene.hears(&[raised(1)]);
    pass(WINDOW * 2).await;
    assert_eq!(scene.fake.took(), ["raised 1"]);
}

#[tokio::test(start_paused = true)]
async fn checkpoints_are_sent_only_to_witnesses_one_by_one_and_at_most_a_hundred_are_queued() {
    let checkpoint = |record| {
        News::Witness(SignedCheckpoint {
            record,
            origin: "o".to_owned(),
            note: "n".to_owned(),
        })
    };
    let other = Scene::webhook();
    other.hears(&[checkpoint(1)]);
    let mut settings = receiver(Transport::Webhook(nowhere()));
    settings.witness = true;
    // The filter by server does not apply to checkpoints.
    settings.servers = Some([ServerId::from(1)].into());
    let scene = Scene::of(settings);
    scene.hears(&[checkpoint(1), raised(1), checkpoint(2)]);
    pass(WINDOW * 2).await;
    assert!(other.fake.took().is_empty());
    let told = ["raised 1", "checkpoint 1", "checkpoint 2"];
    assert_eq!(scene.fake.took(), told);
    let all: Vec<_> = (1..=102).map(checkpoint).collect();
    scene.hears(&all);
    pass(GIVE_UP).await;
    assert_eq!(scene.fake.took().first(), Some(&"checkpoint 3".to_owned()));
    assert_eq!(scene.line.view(0).dropped, 2);
}

fn turn(id: u64, rotation: &str, turn: SlotChange) -> News {
    News::Slot(SlotNews {
        server: place(id),
        rotation: rotation.into(),
        snapshot: format!("{rotation}-{id}").into(),
        turn,
        reason: String::new(),
    })
}

#[tokio::test(start_paused = true)]
async fn a_ping_receiver_gets_each_slot_change_of_its_rotation_in_order_even_after_it_was_down() {
    let mut settings = receiver(Transport::Ping {
        address: nowhere(),
        rotations: Some(["weekly".to_owned()].into()),
    });
    settings.servers = Some([ServerId::from(1)].into());
    let scene = Scene::of(settings);
    *lock(&scene.fake.down) = true;
    scene.hears(&[
        turn(1, "weekly", SlotChange::Started),
        turn(1, "daily", SlotChange::Started),
    ]);
    pass(Duration::from_secs(30)).await;
    scene.hears(&[
        turn(2, "weekly", SlotChange::Failed),
        turn(1, "weekly", SlotChange::Completed),
    ]);
    scene.hears(&[raised(1)]);
    *lock(&scene.fake.down) = false;
    pass(LONGEST_PAUSE).await;
    assert_eq!(
        scene.fake.took(),
        ["Started weekly-1", "Completed weekly-1"]
    );
}

#[tokio::test(start_paused = true)]
async fn pings_beyond_the_queue_limit_of_a_receiver_that_is_down_are_dropped_oldest_first() {
    let scene = Scene::of(receiver(Transport::Ping {
        address: nowhere(),
        rotations: None,
    }));
    *lock(&scene.fake.down) = true;
    for _ in 0..PINGS {
        scene.hears(&[turn(1, "weekly", SlotChange::Started)]);
    }
    scene.hears(&[
        turn(2, "weekly", SlotChange::Failed),
        turn(3, "weekly", SlotChange::Failed),
    ]);
    assert_eq!(scene.line.view(0).dropped, 2);
    *lock(&scene.fake.down) = false;
    pass(LONGEST_PAUSE).await;
    assert_eq!(
        scene.fake.took().last().map(String::as_str),
        Some("Failed weekly-3")
    );
}

#[test]
fn a_receiver_keeps_its_state_across_a_reload_unless_its_filter_changed() {
    let settings = receiver(Transport::Webhook(nowhere()));
    let former = ReceiverLoop::new(settings.clone(), clock(), None);
    let now = former.clock.now().wall;
    former.stood(&[blocked(1)], now + SignedDuration::from_hours(1));
    let slack = Receiver {
        way: Transport::Slack(nowhere()),
        ..settings.clone()
    };
    let line = ReceiverLoop::new(slack, clock(), Some(&former));
    assert!(line.goes_on);
    line.hear(&[cleared(1)], now);
    assert!(
        matches!(lock(&line.inbox).due(now).as_slice(), [Parcel::Message(m, _)] if m.event == AlertChange::Recovered)
    );
    let narrow = Receiver {
        on: Some(["stuck".to_owned()].into()),
        ..settings
    };
    assert!(!ReceiverLoop::new(narrow, clock(), Some(&line)).goes_on);
}

#[path = "receiver_report_tests.rs"]
mod reports;
