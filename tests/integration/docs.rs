//! Checks that the tests, files and headings that the documents name exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(project().join(file)).expect(file)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Returns the names of all functions in sources and tests.
fn functions() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&project().join("src"), &mut files);
    sources(&project().join("tests"), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a source");
        let starts = text
            .lines()
            .filter_map(|line| line.trim_start().split_once("fn "));
        names.extend(starts.filter_map(|(_, rest)| {
            let name = rest
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()?;
            Some(name.to_owned())
        }));
    }
    names
}

/// Returns the first cell of each table row, and the texts in backticks of its last cell.
fn rows(page: &str) -> Vec<(String, Vec<String>)> {
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (Some(first), Some(last)) = (cells.first(), cells.last()) else {
            continue;
        };
        let quoted = last.split('`').skip(1).step_by(2).map(str::to_owned);
        rows.push(((*first).to_owned(), quoted.collect()));
    }
    rows
}

#[test]
fn each_invariant_is_named_where_it_is_kept_and_by_a_test() {
    let functions = functions();
    let page = read("docs/invariants.md");
    let invariants: Vec<_> = rows(&page)
        .into_iter()
        .filter(|(number, _)| number.starts_with('I'))
        .collect();
    assert_eq!(invariants.len(), 20);
    for (number, files) in invariants {
        assert!(!files.is_empty(), "{number} is kept nowhere");
        for file in files {
            let text = read(&format!("src/{file}"));
            let words = text.split(|c: char| !c.is_alphanumeric());
            let named = words.filter(|word| *word == number).count();
            assert!(named > 0, "src/{file} doesn't name {number}");
        }
        let mark = number.to_lowercase();
        let shown = functions.iter().any(|name| {
            let mut parts = name.split('_').take_while(|part| {
                let digits = part.strip_prefix('i');
                digits.is_some_and(|digits| digits.parse::<u8>().is_ok())
            });
            parts.any(|part| part == mark)
        });
        assert!(shown, "no test is named after {number}");
    }
}

/// Returns the module in which a file's tests are named, such as `core::decide` for
/// `src/core/decide_tests.rs`.
fn module(file: &Path) -> String {
    let file = file.strip_prefix(project()).expect("a file of the project");
    let path = file.with_extension("");
    let path = path.to_str().expect("text");
    let path = path
        .strip_prefix("tests/integration/")
        .or(path.strip_prefix("src/"));
    let path = path.unwrap_or_default().trim_end_matches("/mod");
    path.trim_end_matches("_tests").replace('/', "::")
}

#[test]
fn each_test_that_the_proof_names_exists() {
    let mut files = Vec::new();
    sources(&project().join("src"), &mut files);
    sources(&project().join("tests/integration"), &mut files);
    let mut texts = BTreeMap::<String, String>::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        texts.entry(module(&file)).or_default().push_str(&text);
    }
    let page = read("docs/proof.md");
    let (_, table) = page
        .split_once("## What can go wrong")
        .expect("the section of what can go wrong");
    let mut named = 0;
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let groups = line
            .trim_matches('|')
            .rsplit('|')
            .next()
            .unwrap_or_default();
        for (module, tests) in groups
            .split("; ")
            .filter_map(|group| group.split_once("`: "))
        {
            let module = module.trim().trim_start_matches('`');
            let quoted = tests.split('`').skip(1).step_by(2);
            for test in quoted.filter(|test| !test.contains('…')) {
                named += 1;
                let there = texts
                    .get(module)
                    .is_some_and(|text| text.contains(&format!("fn {test}(")));
                assert!(there, "there is no test {module}::{test}: {line}");
            }
        }
    }
    assert!(named > 60, "{named}");
}

/// Returns every document, relative to the project's root.
fn documents() -> Vec<String> {
    let listed = std::process::Command::new("find")
        .args([".", "-name", "*.md", "-not", "-path", "./target/*"])
        .current_dir(project())
        .output()
        .expect("find runs");
    let listed = String::from_utf8(listed.stdout).expect("paths");
    let files = listed.lines().filter_map(|line| line.strip_prefix("./"));
    files.map(str::to_owned).collect()
}

/// Returns a document without its fenced blocks.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let lines = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_code_fence_names_only_its_language() {
    let mut fences = 0;
    for file in documents() {
        for (nth, line) in read(&file).lines().enumerate() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                fences += 1;
                let alone = language
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == ',');
                assert!(alone, "{file}:{}: {line}", nth + 1);
            }
        }
    }
    assert!(fences > 60, "{fences}");
}

/// Returns the anchors of a document's headings, as forges and mdBook form them.
fn anchors(page: &str) -> BTreeSet<String> {
    let text = prose(page);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn each_link_of_a_document_leads_to_an_existing_file_and_heading() {
    let mut followed = 0;
    for document in documents() {
        let text = prose(&read(&document));
        let folder = Path::new(&document).parent().expect("a folder");
        let ends = text.split("](").skip(1);
        for link in ends.filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                PathBuf::from(&document)
            } else {
                folder.join(file)
            };
            let path = project().join(&target);
            assert!(path.exists(), "{document}: {link} leads nowhere");
            if !anchor.is_empty() {
                let page = fs::read_to_string(path).expect("a page");
                assert!(
                    anchors(&page).contains(anchor),
                    "{document}: no heading {link}"
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "{followed}");
}

#[test]
fn each_page_of_the_book_is_in_its_table_of_contents() {
    let contents = read("docs/SUMMARY.md");
    for document in documents() {
        let Some(page) = document.strip_prefix("docs/") else {
            continue;
        };
        let listed = page == "SUMMARY.md" || contents.contains(&format!("]({page})"));
        assert!(listed, "docs/SUMMARY.md doesn't name {page}");
    }
}
