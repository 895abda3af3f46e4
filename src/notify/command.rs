//! A program that is told: JSON on its standard input, no shell, and no more of our
//! environment than it needs.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, Command};

use crate::alerts::Message;
use crate::api::printable;

/// As much of its output as is looked at, and as the log repeats.
const OUTPUT: u64 = 4096;
const SHOWN: usize = 500;

/// What it gets of our environment.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

/// Ends the program with all that it began, should it not have ended by itself.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _gone = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Runs it to its end; the caller bounds the time.
pub(super) async fn run(receiver: &str, argv: &[String], message: &Message) -> Result<(), String> {
    let Some((program, rest)) = argv.split_first() else {
        return Err("there is no command".to_owned());
    };
    let kept = ENVIRONMENT
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let mut command = Command::new(program);
    command
        .args(rest)
        .env_clear()
        .envs(kept)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        format!(
            "{program} can't be run: {error}; under systemd a drop-in with ExecPaths= must allow it"
        )
    })?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let mut group = Group(id.and_then(Pid::from_raw));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let said = message.json().to_string() + "\n";
    let ((), out, errors, ended) =
        tokio::join!(feed(stdin, said), read(stdout), read(stderr), child.wait());
    let ended = ended.map_err(|error| format!("{program}: {error}"))?;
    group.0 = None;
    let output = format!("{out}{errors}");
    let output = printable(output.trim(), SHOWN);
    if !ended.success() {
        let hint = if output.is_empty() { "" } else { ": " };
        return Err(format!("{program} ended with {ended}{hint}{output}"));
    }
    if !output.is_empty() {
        tracing::info!(receiver, output, "the command said");
    }
    Ok(())
}

async fn feed(stdin: Option<ChildStdin>, text: String) {
    if let Some(mut stdin) = stdin {
        // It need not read what it is given.
        let _closed = stdin.write_all(text.as_bytes()).await;
    }
}

/// The beginning of what it says; the rest is taken and thrown away, so that it doesn't wait.
async fn read(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else {
        return String::new();
    };
    let mut text = Vec::new();
    let _broken = (&mut from).take(OUTPUT).read_to_end(&mut text).await;
    let _broken = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&text).into_owned()
}
