//! The completion script for bash, with values from the policy files and the running service.

use std::path::Path;
use std::process::Command;

use crate::support::notify::Service;
use crate::support::{Home, Provider, QUICK, daily_name, until};

/// Returns what bash offers for the last word of this command line.
fn offered(home: &Home, typed: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_snaprotate"));
    let folder = binary.parent().expect("a folder").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let config = home.path("snaprotate.toml").display().to_string();
    // The function that the script registers, with the words as bash passes them.
    let script = r#"
        source <(snaprotate completions bash)
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        function=$(complete -p snaprotate | sed 's/.*-F \([^ ]*\).*/\1/')
        $function snaprotate "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        echo "${COMPREPLY[*]}"
    "#;
    let words = format!("COMP_WORDS=(snaprotate --config {config} {typed})");
    let output = Command::new("bash")
        .args(["-c", &format!("{words}\n{script}")])
        .env("PATH", format!("{folder}:{path}"))
        .env("RUNTIME_DIRECTORY", home.path("run"))
        .output()
        .expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{typed}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn bash_offers_servers_and_rotations_of_the_files_and_snapshots_of_the_running_service() {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, 2, "");
    home.daily(12346, 2, "");
    assert_eq!(offered(&home, "status ser"), "server-12345 server-12346");
    assert_eq!(offered(&home, "retry server-12345 da"), "daily");
    assert_eq!(offered(&home, "stat"), "status");
    let restore = "restore server-12345 da";
    assert_eq!(offered(&home, restore), "", "no service is running");
    let _service = Service::start(&home);
    until("the snapshot is listed", || {
        offered(&home, restore) == daily_name(0)
    });
}
