//! The two packages, as defined in `Cargo.toml`, hold the same files and leave none out.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Value;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the sources of a package by `[package.metadata.…]`; each `*` stands for the files there.
fn sources(package: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(project().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: Value = toml::from_str(&manifest).expect("TOML");
    let assets = &manifest["package"]["metadata"][package]["assets"];
    let sources = assets.as_array().expect("assets").iter().map(|asset| {
        let source = asset.get("source").or_else(|| asset.get(0));
        source.and_then(Value::as_str).expect("a source")
    });
    sources.flat_map(files).collect()
}

/// Returns the files that a source names; built files exist only while packages are made.
fn files(source: &str) -> Vec<String> {
    if source.starts_with("target/") {
        return vec![source.to_owned()];
    }
    let (folder, name) = source.rsplit_once('/').unwrap_or(("", source));
    let ends = name.split_once('*');
    let found: Vec<_> = names(folder)
        .into_iter()
        .filter(|file| match ends {
            Some((start, end)) => file.starts_with(start) && file.ends_with(end),
            None => file == name,
        })
        .map(|file| Path::new(folder).join(file).display().to_string())
        .collect();
    assert!(!found.is_empty(), "no file matches {source}");
    found
}

fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(project().join(folder)).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.into_string().expect("text"))
        .collect()
}

#[test]
fn the_packages_hold_the_same_files() {
    let (mut deb, mut rpm) = (sources("deb"), sources("generate-rpm"));
    // cargo-deb finds the unit by the package's name, and has a key for the licence.
    assert!(deb.insert("systemd/snaprotate.service".to_owned()));
    assert!(deb.remove("packaging/debian/README.Debian"));
    assert!(rpm.remove("LICENSE-MIT"));
    assert_eq!(deb, rpm);
}

#[test]
fn every_unit_example_and_rule_is_in_the_packages() {
    let packaged = sources("generate-rpm");
    for folder in [
        "systemd",
        "config/hooks",
        "config/monitoring",
        "config/policies.d",
    ] {
        for name in names(folder) {
            let file = format!("{folder}/{name}");
            assert!(packaged.contains(&file), "{file} is in no package");
        }
    }
}
