//! Output generated from the command line's definition: completions, manual pages, help.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

const COMMANDS: [&str; 28] = [
    "run",
    "once",
    "check",
    "plan",
    "forecast",
    "status",
    "report",
    "list",
    "init",
    "pause",
    "resume",
    "retry",
    "ack",
    "create",
    "delete",
    "restore",
    "protect",
    "unprotect",
    "notify",
    "notify test",
    "demo",
    "audit",
    "audit show",
    "audit verify",
    "audit keygen",
    "completions",
    "schema",
    "man",
];

fn snaprotate(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snaprotate"));
    command.args(args).output().expect("it runs")
}

fn text(args: &[&str]) -> String {
    let output = snaprotate(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn each_shell_has_completions_and_the_error_for_an_unknown_shell_lists_the_known_ones() {
    for (shell, mark, option) in [
        ("bash", "complete -F _snaprotate ", "--since"),
        ("zsh", "#compdef snaprotate", "--since"),
        ("fish", "complete -c snaprotate ", "-l since"),
        (
            "elvish",
            "set edit:completion:arg-completer[snaprotate]",
            "--since",
        ),
        ("powershell", "Register-ArgumentCompleter", "--since"),
    ] {
        let script = text(&["completions", shell]);
        assert!(script.contains(mark), "{shell}: {script}");
        for word in ["audit", "verify", option] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let output = snaprotate(&["completions", "tcsh"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("powershell"));
}

#[test]
fn bash_completes_commands_options_and_events() {
    for (typed, offered) in [
        ("snaprotate aud", "audit"),
        ("snaprotate audit sh", "show"),
        ("snaprotate audit show --sin", "--since"),
        ("snaprotate audit show --event delete_i", "delete_intent"),
    ] {
        let words: Vec<_> = typed.split(' ').collect();
        let [.., before, word] = words.as_slice() else {
            panic!("{typed}");
        };
        let script = format!(
            "source <(\"$0\" completions bash); COMP_WORDS=({typed}); COMP_CWORD={}; _snaprotate snaprotate {word} {before}; echo \"${{COMPREPLY[*]}}\"",
            words.len() - 1
        );
        let output = Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_snaprotate")])
            .output()
            .expect("bash runs");
        let reply = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            reply.trim(),
            offered,
            "{typed}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn the_long_help_of_each_command_ends_with_exit_codes_and_examples() {
    for command in COMMANDS {
        let mut args: Vec<_> = command.split(' ').collect();
        args.push("--help");
        let long = text(&args);
        assert!(long.contains("\nExamples:\n  "), "{command}: {long}");
        assert_eq!(
            long.contains("\nExit codes:\n  0  "),
            !["audit", "notify"].contains(&command),
            "{command}: {long}"
        );
        // `-h` stays short.
        *args.last_mut().expect("an argument") = "-h";
        assert!(!text(&args).contains("Examples:"), "{command}");
    }
}

#[test]
fn man_prints_the_page_of_the_program_and_writes_one_for_each_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("share/man1");
    let said = text(&["man", "--dir", pages.to_str().expect("text")]);
    // One more page is the program's own; those of the two files are in another folder.
    let (commands, files) = (COMMANDS.len() + 1, folder.path().join("share/man5"));
    assert_eq!(
        said,
        format!(
            "{commands} pages in {}, 2 pages in {}\n",
            pages.display(),
            files.display()
        )
    );
    let top = std::fs::read_to_string(pages.join("snaprotate.1")).expect("a page");
    assert_eq!(text(&["man"]), top);
    for command in COMMANDS {
        let page = format!("snaprotate-{}.1", command.replace(' ', "-"));
        assert!(pages.join(&page).exists(), "{page}");
    }
    rendered(&pages);
    // Section 5 has a folder of its own, where `man` looks for it.
    for (file, name) in [
        ("snaprotate.toml.5", "snaprotate.toml"),
        ("snaprotate-policy.5", "policy"),
    ] {
        let page = std::fs::read_to_string(files.join(file)).expect("a page");
        assert_eq!(text(&["man", name]), page);
    }
    assert_eq!(std::fs::read_dir(&files).expect("pages").count(), 2);
    rendered(&files);
}

#[test]
fn the_error_for_an_unknown_page_lists_the_existing_pages() {
    let output = snaprotate(&["man", "polcy"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("there is no page polcy; the pages are snaprotate, "),
        "{said}"
    );
    assert!(said.contains("snaprotate-policy"), "{said}");
}

#[test]
fn a_failure_to_write_the_pages_is_reported() {
    let output = snaprotate(&["man", "--dir", "/proc/none"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("/proc/none: can't be written"), "{said}");
}

/// Asserts that groff warns about no page, as with `man --warnings`.
fn rendered(pages: &Path) {
    for entry in std::fs::read_dir(pages).expect("pages") {
        let page = entry.expect("an entry").path();
        let groff = Command::new("groff")
            .args(["-man", "-ww", "-Tutf8", "-P-cbou"])
            .arg(&page)
            .output();
        let Ok(output) = groff else {
            let missing = "groff is missing: apt-get install groff-base";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            let _told = writeln!(std::io::stderr(), "SKIPPED: {missing}");
            return;
        };
        let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(warnings, "", "{}", page.display());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.contains("SYNOPSIS") && text.contains("EXAMPLES"),
            "{text}"
        );
    }
}
