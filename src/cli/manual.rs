//! `man`: generates the manual pages of the commands from the `--help` texts, and those of the two
//! files from their schemas (`file_manuals`).

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::file_manuals::FILES;
use super::{Cli, Exit, print, say};
use crate::daemon::CommandError;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The page to print, such as snaprotate.toml, snaprotate-policy or snaprotate-audit-show,
    /// or only a command's name, such as plan [default: snaprotate]
    #[arg(value_name = "PAGE", conflicts_with = "dir")]
    page: Option<String>,
    /// Write all pages to this folder, which is created if it is missing; if its name is man1,
    /// the pages of the two files go to man5 next to it
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints one page, or writes all of them.
pub fn run(args: &Args) -> Result<Exit, CommandError> {
    let pages =
        pages().map_err(|why| CommandError::System(format!("the pages can't be made: {why}")))?;
    let Some(folder) = &args.dir else {
        let page = match &args.page {
            None => pages.first(),
            Some(name) => Some(find(&pages, name)?),
        };
        if let Some(page) = page
            && !(io::stdout().is_terminal() && read(page))
        {
            print(&page.text)?;
        }
        return Ok(Exit::Good);
    };
    write(folder, &pages)?;
    let mut counts = BTreeMap::<_, u32>::new();
    for page in &pages {
        *counts.entry(page.folder(folder)).or_default() += 1;
    }
    let counts = counts.iter();
    let counts = counts.map(|(folder, n)| format!("{n} pages in {}", folder.display()));
    say(&counts.collect::<Vec<_>>().join(", "))?;
    Ok(Exit::Good)
}

/// Shows the page in the system's `man`, and returns true if that worked. If it didn't, prints how
/// to read the page.
fn read(page: &ManualPage) -> bool {
    let shown = man(&page.text);
    if !shown {
        let _closed = writeln!(
            anstream::stderr(),
            "this is the source of {}: install man-db to read it, or use --help",
            page.file
        );
    }
    shown
}

fn man(text: &[u8]) -> bool {
    let mut man = std::process::Command::new("man");
    let Ok(mut man) = man.args(["-l", "-"]).stdin(Stdio::piped()).spawn() else {
        return false;
    };
    if let Some(mut stdin) = man.stdin.take() {
        // The reader may quit before the end of the page.
        let _left = stdin.write_all(text);
    }
    man.wait().is_ok_and(|status| status.success())
}

fn write(folder: &Path, pages: &[ManualPage]) -> Result<(), CommandError> {
    let failed = |path: &Path, why: &io::Error| {
        CommandError::System(format!("{}: can't be written: {why}", path.display()))
    };
    for page in pages {
        let folder = page.folder(folder);
        std::fs::create_dir_all(&folder).map_err(|why| failed(&folder, &why))?;
        let path = folder.join(&page.file);
        std::fs::write(&path, &page.text).map_err(|why| failed(&path, &why))?;
    }
    Ok(())
}

struct ManualPage {
    file: String,
    text: Vec<u8>,
}

impl ManualPage {
    /// Returns the page's name without the section.
    fn name(&self) -> &str {
        self.file
            .rsplit_once('.')
            .map_or(&self.file, |(name, _)| name)
    }

    /// Returns the folder for the page, since `man` searches a separate folder for each section.
    fn folder(&self, folder: &Path) -> PathBuf {
        let manual = folder.file_name().is_some_and(|name| name == "man1");
        if manual && self.file.ends_with(".5") {
            folder.with_file_name("man5")
        } else {
            folder.to_owned()
        }
    }
}

fn find<'p>(pages: &'p [ManualPage], name: &str) -> Result<&'p ManualPage, CommandError> {
    let whole = format!("snaprotate-{}", name.replace(' ', "-"));
    let mut fits = pages
        .iter()
        .filter(|page| page.name() == name || page.name() == whole);
    fits.next().ok_or_else(|| {
        let mut names: Vec<_> = pages.iter().map(ManualPage::name).collect();
        names.sort_unstable();
        let name = crate::core::sanitize::printable(name, 80);
        CommandError::Settings(format!(
            "there is no page {name}; the pages are {}",
            names.join(", ")
        ))
    })
}

/// Returns the program's page, then one for each command, then those of the files.
fn pages() -> io::Result<Vec<ManualPage>> {
    let mut top = Cli::command().disable_help_subcommand(true);
    top.build();
    let (mut pages, mut waiting) = (Vec::new(), vec![top]);
    while let Some(command) = waiting.pop() {
        pages.push(page(&command)?);
        let below = command
            .get_subcommands()
            .filter(|below| !below.is_hide_set());
        waiting.extend(below.cloned());
    }
    for file in FILES {
        pages.push(ManualPage {
            text: file.render()?,
            file: format!("{}.5", file.name),
        });
    }
    Ok(pages)
}

fn page(command: &Command) -> io::Result<ManualPage> {
    let man = Man::new(command.clone())
        .source(concat!("snaprotate ", env!("CARGO_PKG_VERSION")))
        .manual("snaprotate");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    let notes = command.get_after_long_help().map(ToString::to_string);
    let (before, sections) = split(notes.as_deref().unwrap_or_default());
    let mut more = Roff::new();
    for paragraph in before
        .split("\n\n")
        .filter(|paragraph| !paragraph.is_empty())
    {
        more.control("PP", [])
            .text([roman(paragraph.replace('\n', " "))]);
    }
    more.to_writer(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut more = Roff::new();
    for section in &sections {
        render(section, &mut more);
    }
    more.to_writer(&mut text)?;
    let file = man.get_filename();
    Ok(ManualPage { file, text })
}

/// A heading and its entries, each with its text; see `help_text` for the form.
#[derive(Debug, PartialEq, Eq)]
struct ManualSection<'n> {
    heading: &'n str,
    entries: Vec<(&'n str, String)>,
}

/// Splits a help text into the part before the first heading and the sections.
fn split(notes: &str) -> (String, Vec<ManualSection<'_>>) {
    let mut before = String::new();
    let mut sections: Vec<ManualSection<'_>> = Vec::new();
    for line in notes.lines() {
        let indent = line.len() - line.trim_start().len();
        let content = line.trim();
        if indent == 0
            && let Some(heading) = line.strip_suffix(':')
        {
            let entries = Vec::new();
            sections.push(ManualSection { heading, entries });
            continue;
        }
        let Some(section) = sections.last_mut() else {
            before.push_str(line);
            before.push('\n');
            continue;
        };
        match section.entries.last_mut() {
            _ if content.is_empty() => {}
            Some((_, text)) if indent > 2 => {
                text.push_str(if text.is_empty() { "" } else { " " });
                text.push_str(content);
            }
            _ => {
                let (tag, text) = content.split_once("  ").unwrap_or((content, ""));
                section.entries.push((tag, text.trim().to_owned()));
            }
        }
    }
    (before, sections)
}

fn render(section: &ManualSection<'_>, roff: &mut Roff) {
    // man-pages(7) requires this heading.
    let heading = match section.heading {
        "Exit codes" => "EXIT STATUS".to_owned(),
        heading => heading.to_uppercase(),
    };
    roff.control("SH", [heading.as_str()]);
    for (tag, text) in &section.entries {
        roff.control("TP", [])
            .text([bold(*tag)])
            .text([roman(text)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<(String, String)> {
        let pages = pages().expect("pages").into_iter();
        pages
            .map(|page| (page.file, String::from_utf8(page.text).expect("text")))
            .collect()
    }

    #[test]
    fn help_texts_are_split_into_sections_with_entries() {
        let notes = "Before\nall.\n\nExit codes:\n  0  good, and\n      more\n  1  bad\n\nExamples:\n  do it  now\n  a --long\n      its text";
        let (before, sections) = split(notes);
        assert_eq!(before.trim(), "Before\nall.");
        let entry = |tag, text: &str| (tag, text.to_owned());
        let codes = vec![entry("0", "good, and more"), entry("1", "bad")];
        let examples = vec![entry("do it", "now"), entry("a --long", "its text")];
        let wanted = [("Exit codes", codes), ("Examples", examples)]
            .map(|(heading, entries)| ManualSection { heading, entries });
        assert_eq!(sections, wanted);
    }

    #[test]
    fn each_command_has_a_page_with_examples_and_all_but_groups_have_exit_codes() {
        let pages = all();
        let mut files: Vec<_> = pages.iter().map(|(file, _)| file.as_str()).collect();
        assert_eq!(files.first(), Some(&"snaprotate.1"));
        files.sort_unstable();
        let commands = [
            "audit",
            "audit-keygen",
            "audit-show",
            "audit-verify",
            "check",
            "completions",
            "demo",
            "forecast",
            "init",
            "list",
            "man",
            "notify",
            "notify-test",
            "once",
            "plan",
            "report",
            "run",
            "schema",
            "status",
            "pause",
            "resume",
            "retry",
            "ack",
            "create",
            "delete",
            "restore",
            "protect",
            "unprotect",
        ];
        let mut wanted: Vec<_> = commands.map(|name| format!("snaprotate-{name}.1")).into();
        let others = ["snaprotate.1", "snaprotate.toml.5", "snaprotate-policy.5"];
        wanted.extend(others.map(str::to_owned));
        wanted.sort_unstable();
        assert_eq!(files, wanted);
        for (file, text) in &pages {
            assert!(text.contains(".SH EXAMPLES"), "{file}");
            let group = ["snaprotate-audit.1", "snaprotate-notify.1"].contains(&file.as_str());
            let has_codes = !group && file.ends_with(".1");
            assert_eq!(text.contains(".SH \"EXIT STATUS\""), has_codes, "{file}");
        }
    }

    #[test]
    fn the_pages_of_the_files_list_every_key_with_its_default() {
        let pages = all();
        let page = |name: &str| &pages.iter().find(|(file, _)| file == name).expect(name).1;
        for (file, schema) in [
            ("snaprotate.toml.5", "config"),
            ("snaprotate-policy.5", "policy"),
        ] {
            let text = page(file);
            let schema: serde_json::Value =
                serde_json::from_str(crate::cli::schema::text(schema)).expect("JSON");
            let tables = schema["properties"].as_object().expect("tables");
            let named =
                |(name, table): (&String, &serde_json::Value)| (name.clone(), table.clone());
            let mut tables: Vec<_> = tables.iter().map(named).collect();
            while let Some((name, table)) = tables.pop() {
                assert!(text.contains(&format!("[{name}]")), "{file}: {name}");
                let table = table.get("items").unwrap_or(&table);
                for (key, value) in table["properties"].as_object().expect("keys") {
                    if value.get("properties").is_some() {
                        tables.push((format!("{name}.{key}"), value.clone()));
                        continue;
                    }
                    assert!(
                        text.contains(&format!("\\fB{key}\\fR (")),
                        "{file}: {key}: {text}"
                    );
                }
            }
        }
        assert!(page("snaprotate.toml.5").contains("default \"10m\""));
        assert!(page("snaprotate-policy.5").contains("required)"));
    }

    #[test]
    fn the_pages_describe_files_environment_variables_and_signals() {
        let pages = all();
        let page = |name: &str| &pages.iter().find(|(file, _)| file == name).expect(name).1;
        let top = page("snaprotate.1");
        for word in [
            ".SH FILES",
            ".SH ENVIRONMENT",
            "SNAPROTATE_LOG",
            "snaprotate\\-audit(1)",
        ] {
            assert!(top.contains(word), "{word}: {top}");
        }
        let run = page("snaprotate-run.1");
        for word in [".SH SIGNALS", "SIGHUP", "SIGTERM"] {
            assert!(run.contains(word), "{word}: {run}");
        }
    }
}
