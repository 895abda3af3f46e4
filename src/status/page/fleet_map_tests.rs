use jiff::SignedDuration;
use jiff::tz::TimeZone;
use sha2::Digest as _;

use crate::core::health::Health;
use crate::core::recent_slots::RecentSlot;
use crate::core::server_event::SlotOutcome;
use crate::core::snapshot::ServerId;
use crate::status::page::fleet;
use crate::status::page::tests::{asked, at, server_view, snapshot, view};
use crate::status::view::{FleetView, NextSlot};

/// Returns a fleet in which one server in fifty needs somebody, with ids that don't compress.
fn large(count: u64) -> FleetView {
    let servers = (1..=count).map(|id| {
        let health = if id % 50 == 0 {
            Health::Failing
        } else {
            Health::Ok
        };
        let mut server = server_view(id, &format!("web-server-{id:05}"), health);
        let hash = sha2::Sha256::digest(id.to_be_bytes());
        let bytes = hash[..16].try_into().expect("16 bytes");
        let hex = format!("{:032x}", u128::from_be_bytes(bytes));
        let uuid = format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        );
        server.id = uuid.parse().expect("an id");
        server.file.clone_from(&server.name);
        let seconds = i64::from(hash[16]) * 61;
        let made = at("2026-11-25T03:00:00Z") - SignedDuration::from_secs(seconds);
        server.newest_copy = Some(made);
        for nth in 0..4 {
            let mut own = snapshot(id * 5 + nth, "daily-snapshot", "completed", Some("daily"));
            own.created_at = Some(made);
            server.snapshots.push(own);
        }
        server.rotations[0].recent = (0..14)
            .map(|back| RecentSlot {
                slot: made - SignedDuration::from_hours(24 * back),
                ending: Some(SlotOutcome::Completed),
                retried: back == i64::from(hash[17] % 30),
            })
            .collect();
        server.rotations[0].next = Some(NextSlot {
            snapshot: "n".into(),
            at: made + SignedDuration::from_hours(24),
        });
        server
    });
    view(servers.collect())
}

#[test]
fn the_map_of_a_large_fleet_has_a_cell_with_a_link_and_a_title_for_each_server() {
    let all = large(150);
    let html = fleet(&all, &asked(""), &TimeZone::UTC);
    let (_, map) = html.split_once("id=\"cells\"").expect("a map");
    let (map, _) = map.split_once("</div>").expect("its end");
    assert_eq!(map.matches("<a ").count(), 150);
    for server in &all.servers {
        let class = if server.health == Health::Ok {
            "ok"
        } else {
            "bad"
        };
        let cell = format!(
            "<a class=\"{class}\" href=\"/server/{}\" tabindex=\"-1\" title=\"{}: {}\"></a>",
            server.file,
            server.name,
            server.health.word()
        );
        assert!(map.contains(&cell), "{cell}: {map}");
    }
    assert!(
        html.contains("147 ok") && html.contains("3 no fresh copy"),
        "{html}"
    );
    let small = fleet(&large(99), &asked(""), &TimeZone::UTC);
    assert!(!small.contains("id=\"cells\"") && !small.contains("#map"));
}

#[test]
fn a_cell_links_by_the_id_if_its_files_name_is_that_of_another_server() {
    let mut all = large(100);
    all.servers[0].name = all.servers[1].file.clone();
    all.servers[2].id = ServerId::from(7);
    let html = fleet(&all, &asked(""), &TimeZone::UTC);
    let (_, map) = html.split_once("id=\"cells\"").expect("a map");
    for (server, word) in [
        (0, all.servers[0].file.clone()),
        (1, all.servers[1].id.to_string()),
        (2, "7".to_owned()),
    ] {
        let name = &all.servers[server].name;
        let cell = format!("href=\"/server/{word}\" tabindex=\"-1\" title=\"{name}: ");
        assert!(map.contains(&cell), "{cell}: {map}");
    }
}

#[test]
fn the_page_of_5000_servers_is_sent_in_at_most_60_kb() {
    let html = fleet(&large(5000), &asked(""), &TimeZone::UTC);
    let size = crate::status::http_answer::sent(&html);
    assert!(size <= 60_000, "{size} of {} bytes", html.len());
    assert_eq!(html.matches("id=\"row-").count(), 100);
}
