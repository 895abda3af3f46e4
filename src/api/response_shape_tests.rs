use super::*;

const PAGE: &str = r#"{"count": 40, "next": "https://a.example/?page=2", "previous": null, "results": [
    {"id": 1, "server": {"id": 7, "name": "web"}, "name": "w-1", "status": "completed", "size_mb": 5, "created_at": "2026-11-22T03:00:00Z"},
    {"id": 2, "server": {"id": 7, "name": "web"}, "name": "w-2", "status": "in_progress", "size_mb": null, "created_at": "2026-11-22T04:00:00Z"}
]}"#;

fn of(text: &str) -> ResponseShape {
    ResponseShape::of(text.as_bytes()).expect("a page")
}

fn learnt(from: &str) -> ResponseShape {
    let mut known = ResponseShape::default();
    assert_eq!(
        known.learn(&of(from)),
        [""; 0],
        "the first shape reports nothing new"
    );
    known
}

#[test]
fn a_shape_that_was_seen_before_is_not_reported() {
    let mut known = learnt(PAGE);
    assert_eq!(known.learn(&of(PAGE)), [""; 0]);
    assert_eq!(known.page, Some(2));
    assert_eq!(known.lacks(), None);
    let again: ResponseShape =
        serde_json::from_str(&serde_json::to_string(&known).unwrap()).unwrap();
    assert_eq!(again, known);
}

#[test]
fn new_fields_types_statuses_page_sizes_and_codes_are_reported_once() {
    let mut known = learnt(PAGE);
    let other = PAGE
        .replace("\"size_mb\": 5", "\"size_mb\": \"5 GB\", \"label\": \"x\"")
        .replace("in_progress", "queued")
        .replace("\"previous\": null, ", "");
    let mut seen = of(&other);
    seen.codes.insert("create".to_owned(), [202].into());
    seen.page = Some(20);
    known.codes.insert("create".to_owned(), [201].into());
    let told = known.learn(&seen);
    assert_eq!(
        told,
        [
            "results[].label is new: a string",
            "results[].size_mb can also be a string",
            "previous is missing",
            "a snapshot can have the status \"queued\"",
            "a page has 20 rows",
            "create is answered with 202",
        ]
    );
    assert_eq!(known.learn(&seen), [""; 0]);
}

#[test]
fn a_listing_without_rows_reports_no_missing_fields() {
    let mut known = learnt(PAGE);
    let empty = r#"{"count": 0, "next": null, "previous": null, "results": []}"#;
    assert_eq!(known.learn(&of(empty)), ["next can also be null"]);
    assert_eq!(of(empty).lacks(), None);
}

#[test]
fn missing_fields_that_rotation_needs_are_named() {
    for (from, to, lacking) in [
        ("\"created_at\"", "\"created\"", "created_at"),
        ("\"status\": \"completed\"", "\"status\": 3", "status"),
        ("\"id\": 1,", "", ""),
        (
            "\"server\": {\"id\": 7, \"name\": \"web\"}",
            "\"server\": 7",
            "server, server.id",
        ),
    ] {
        let lacks = of(&PAGE.replace(from, to)).lacks();
        // The other row has the field.
        let Some(said) = lacks else {
            assert_eq!(lacking, "");
            continue;
        };
        assert!(
            said.contains(&format!("readable form: {lacking};")),
            "{said}"
        );
    }
    let uuids = PAGE
        .replace("\"id\": 7", "\"uuid\": \"6f1c\"")
        .replace("\"id\"", "\"uuid\"");
    assert_eq!(of(&uuids).lacks(), None);
}

#[test]
fn a_page_of_any_size_yields_a_shape_of_bounded_size() {
    let rows = vec!["{\"id\": 1}"; 5000].join(",");
    let shape = of(&format!("{{\"next\": \"x\", \"results\": [{rows}]}}"));
    assert_eq!(shape.page, Some(5000));
    let fields: Vec<String> = (0..5000).map(|nth| format!("\"f{nth}\": 1")).collect();
    let shape = of(&format!("{{\"results\": [{{{}}}]}}", fields.join(",")));
    assert!(shape.fields.len() <= MOST + 1, "{}", shape.fields.len());
    assert_eq!(ResponseShape::of(b"[1, 2]"), None);
}

#[test]
fn a_shape_is_sampled_only_on_request_and_only_from_the_next_listing() {
    let sampler = ShapeSampler::default();
    sampler.look(PAGE.as_bytes());
    assert_eq!(sampler.take(), None);
    sampler.want();
    sampler.answered(Call::Create, 201);
    sampler.look(PAGE.as_bytes());
    let seen = sampler.take().expect("a shape");
    assert_eq!(seen.codes["create"], [201].into());
    assert_eq!(sampler.take(), None);
}
