//! The picture of the layout in docs/development.md is true: no room imports one above it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The floor of each room, by the first fenced block of the page.
fn floors() -> BTreeMap<String, u32> {
    let page = fs::read_to_string(project().join("docs/development.md")).expect("the page");
    let (_, after) = page.split_once("```text\n").expect("a picture");
    let (picture, _) = after.split_once("```").expect("its end");
    let mut floors = BTreeMap::new();
    for line in picture.lines() {
        let Some((floor, rest)) = line.trim_start().split_once("  ") else {
            continue;
        };
        let Ok(floor) = floor.parse() else { continue };
        // The names stand before the words about them, each set off by blanks.
        for name in rest.split_whitespace() {
            let name = name.trim_end_matches('/').trim_end_matches(".rs");
            let src = project().join("src");
            if src.join(name).is_dir() || src.join(format!("{name}.rs")).is_file() {
                floors.insert(name.to_owned(), floor);
            }
        }
    }
    floors
}

/// Every source that is no test, with the room that it is in.
fn sources(folder: &Path, room: Option<&str>, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name");
        if name == "tests" || name.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, Some(room.unwrap_or(name)), found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let room = room.unwrap_or(name).to_owned();
            found.push((room, fs::read_to_string(&path).expect("a source")));
        }
    }
}

/// The code without its tests' imports: tests may look anywhere.
fn code(text: &str) -> &str {
    text.split_once("#[cfg(test)]")
        .map_or(text, |(code, _)| code)
}

#[test]
fn no_room_imports_a_room_above_it() {
    let floors = floors();
    let mut files = Vec::new();
    sources(&project().join("src"), None, &mut files);
    let mut imports = 0;
    for (room, text) in &files {
        if ["lib", "main", "sim"].contains(&room.as_str()) {
            continue;
        }
        let floor = floors
            .get(room)
            .unwrap_or_else(|| panic!("docs/development.md doesn't show {room}"));
        let paths = code(text).split("crate::").skip(1);
        let rooms = paths.filter_map(|path| {
            path.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
        });
        for other in rooms.filter(|other| *other != room) {
            let Some(below) = floors.get(other) else {
                continue;
            };
            imports += 1;
            assert!(
                below < floor,
                "{room} imports {other}, which is not below it"
            );
        }
    }
    assert!(imports > 300, "{imports}");
}
