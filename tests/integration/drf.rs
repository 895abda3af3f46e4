//! Against Django REST framework itself: its three pagination styles, with ids of either shape.

use crate::support::drf::{self, Django};
use crate::support::{Home, QUICK, daily_name, stderr, stdout, verified};
use serde_json::Value;

#[test]
fn rotation_works_with_page_offset_and_cursor_pagination_and_with_integer_and_uuid_ids() {
    for pagination in ["page", "offset", "cursor"] {
        for ids in ["integers", "uuids"] {
            let folder = tempfile::tempdir().expect("a folder");
            let Some(django) = Django::start(folder.path(), pagination, ids, 1) else {
                return;
            };
            rotates(&django, &format!("{pagination}, {ids}"));
        }
    }
}

fn rotates(django: &Django, which: &str) {
    let home = Home::new(&django.base_url, "", QUICK);
    drf::daily(&home, &django.servers[0], "web-01");
    let output = home.run(&["once"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{which}: {}",
        stderr(&output)
    );
    let output = home.run(&["list", "web", "--json"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{which}: {}",
        stderr(&output)
    );
    let listed: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(listed["doubt"], Value::Null, "{which}: {listed}");
    let rows = listed["servers"][0]["snapshots"].as_array().expect("rows");
    let mut names: Vec<_> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names.last(), Some(&&*daily_name(0)), "{which}: {names:?}");
    assert_eq!(home.events("create_intent").len(), 1, "{which}");
    assert_eq!(
        home.events("create_result")[0]["outcome"],
        "done",
        "{which}"
    );
    verified(&home);
}
