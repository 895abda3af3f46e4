//! Checks that the picture of the layout in docs/development.md is true: no room imports one above
//! it. Within a room, no files import each other in a cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the floor of each room, from the first fenced block of the page.
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
        // The names come before their descriptions, separated by blanks.
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

/// Collects every source file that is not a test, with its room.
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

/// Returns the code without its tests: tests may import anything.
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

/// Returns the names that follow `prefix` in paths, including those of a list in braces.
fn after<'t>(code: &'t str, prefix: &str) -> BTreeSet<&'t str> {
    let word = |text: &'t str| {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        &text[..end.unwrap_or(text.len())]
    };
    let mut names = BTreeSet::new();
    for rest in code.split(prefix).skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && !c.is_whitespace() => {
                    names.insert(word(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    names
}

/// Returns, for each file of one folder, which of the others it imports. A name that `mod.rs`
/// exports counts as an import of the file that defines it.
fn imports(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut files = BTreeMap::new();
    let mut exports = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.expect("a name").to_owned();
        if path.extension().is_none_or(|end| end != "rs") || name.ends_with("tests") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let lines = code(&text)
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let text = lines.collect::<Vec<_>>().join("\n");
        if name == "mod" {
            exports = text;
        } else {
            files.insert(name, text);
        }
    }
    let defined_in = |name: &str| {
        let mut homes = files
            .keys()
            .filter(|home| after(&exports, &format!("use {home}::")).contains(name));
        homes.next().cloned()
    };
    let edges = files.iter().map(|(file, text)| {
        let names = after(text, "super::").into_iter();
        let homes = names.filter_map(|name| {
            let known = files.contains_key(name).then(|| name.to_owned());
            known.or_else(|| defined_in(name))
        });
        (file.clone(), homes.filter(|home| home != file).collect())
    });
    edges.collect()
}

fn folders(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    found.push(folder.to_owned());
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("tests") {
            folders(&path, found);
        }
    }
}

#[test]
fn no_files_of_a_room_import_each_other_in_a_cycle() {
    let mut all = Vec::new();
    folders(&project().join("src"), &mut all);
    let mut seen = 0;
    for folder in all.iter().skip(1) {
        let mut left = imports(folder);
        seen += left.values().map(BTreeSet::len).sum::<usize>();
        // Removes files that import none of the remaining ones; a cycle remains.
        while let Some(free) = left
            .iter()
            .find(|(_, homes)| homes.iter().all(|home| !left.contains_key(home)))
            .map(|(file, _)| file.clone())
        {
            left.remove(&free);
        }
        let circle: Vec<_> = left.keys().collect();
        assert!(circle.is_empty(), "{}: {circle:?}", folder.display());
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn the_map_in_lib_rs_and_the_heads_of_rooms_name_every_module_and_no_other() {
    let src = project().join("src");
    let map = fs::read_to_string(src.join("lib.rs")).expect("the map");
    let head = |text: &str| {
        let lines = text.lines().take_while(|line| line.starts_with("//!"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let map = head(&map);
    for room in ["core", "engine", "status", "daemon"] {
        let folder = src.join(room);
        let text = fs::read_to_string(folder.join("mod.rs")).expect("a head");
        let text = head(&text);
        let part = map.split(&format!("[`{room}`]:")).nth(1).expect("its part");
        let part = part.split("//! - ").next().unwrap_or_default();
        let named = format!("{part}{text}");
        let modules: BTreeSet<_> = fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .filter(|name| name != "mod" && name != "assets" && !name.ends_with("tests"))
            .collect();
        for module in &modules {
            let here = format!("`{module}`");
            assert!(named.contains(&here), "{room}/{module} isn't on the map");
        }
        let words = named.split('`').skip(1).step_by(2);
        let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let places = ["proof", "fuzz_entry", "sim"];
        for word in words.filter(plain).filter(|word| word.contains('_')) {
            let known = modules.contains(word) || places.contains(&word);
            assert!(known, "the map of {room} names {word}, which doesn't exist");
        }
    }
}
