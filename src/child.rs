//! Runs external programs to completion: without a shell, with a minimal environment and bounded
//! output, and with a time limit after which the whole process group is killed.

use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;

use crate::core::sanitize::printable;

/// Maximum number of bytes kept of each output stream.
const OUTPUT: u64 = 4096;
/// Maximum number of characters of the output that a message repeats.
const SHOWN: usize = 500;

/// Environment variables that the program inherits.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

/// How long the output is read after the program's end: a process that it left behind may hold the
/// output open.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// Time between asking the program to end and killing it.
const GRACE: Duration = Duration::from_secs(5);

/// A program to run.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    /// The program and its arguments.
    pub argv: &'a [String],
    /// Additional environment variables.
    pub env: Vec<(&'static str, String)>,
    /// Its standard input.
    pub input: String,
    /// Time limit; when it expires, the program is asked to end, then killed.
    pub limit: Duration,
}

/// Result of running a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramResult {
    /// The beginning of its output, made safe for a log.
    pub output: String,
    /// Why it failed, if it did: `ended with exit status: 3`, `did not end within 60s`.
    pub fault: Option<String>,
}

/// Kills the program's process group when dropped, unless the program ended by itself.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            let _gone = kill_process_group(leader, signal);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Runs the program to its end or its limit. An error means that it can't be run at all.
pub async fn run(program: Program<'_>) -> Result<ProgramResult, String> {
    let Some((path, rest)) = program.argv.split_first() else {
        return Err("there is no command".to_owned());
    };
    let kept = ENVIRONMENT
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let mut command = Command::new(path);
    command
        .args(rest)
        .env_clear()
        .envs(kept)
        .envs(program.env)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| format!("{path} can't be run: {error}"))?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let mut group = ProcessGroup(id.and_then(Pid::from_raw));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let ended = {
        let talk = async {
            tokio::join!(
                feed(stdin, program.input),
                read(stdout, &mut out),
                read(stderr, &mut errors)
            );
        };
        let mut talk = pin!(talk);
        let mut work = pin!(async {
            tokio::select! {
                ended = child.wait() => {
                    let _open = timeout(LEFT_BEHIND, &mut talk).await;
                    ended
                }
                () = &mut talk => child.wait().await,
            }
        });
        match timeout(program.limit, &mut work).await {
            Ok(ended) => Some(ended),
            Err(_late) => {
                group.signal(Signal::TERM);
                let _late = timeout(GRACE, &mut work).await;
                None
            }
        }
    };
    out.append(&mut errors);
    let fault = match ended {
        None => Some(format!("did not end within {:?}", program.limit)),
        Some(ended) => {
            // A process that the program left behind on purpose keeps running.
            group.0 = None;
            fault(ended)
        }
    };
    Ok(ProgramResult {
        output: in_one_line(&String::from_utf8_lossy(&out)),
        fault,
    })
}

/// Joins several lines into one, for reasons and logs.
fn in_one_line(output: &str) -> String {
    let lines = output.lines().map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    printable(&lines.join(" | "), SHOWN)
}

fn fault(ended: std::io::Result<ExitStatus>) -> Option<String> {
    match ended {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("ended with {status}")),
        Err(error) => Some(error.to_string()),
    }
}

async fn feed(stdin: Option<ChildStdin>, text: String) {
    if let Some(mut stdin) = stdin {
        // The program need not read its input.
        let _closed = stdin.write_all(text.as_bytes()).await;
    }
}

/// Reads the beginning of an output; the rest is read and discarded, so that the program isn't
/// blocked.
async fn read(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    if let Some(mut from) = from {
        let _broken = (&mut from).take(OUTPUT).read_to_end(into).await;
        let _broken = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str, limit: Duration) -> ProgramResult {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        let program = Program {
            argv: &argv,
            env: vec![("SNAPROTATE_TEST", "spoken".to_owned())],
            input: "heard\n".to_owned(),
            limit,
        };
        run(program).await.unwrap()
    }

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn a_program_gets_its_input_and_environment_and_its_exit_status_is_reported() {
        let ended = shell("read line; echo $line $SNAPROTATE_TEST; exit 3", LONG).await;
        assert_eq!(ended.output, "heard spoken");
        assert_eq!(ended.fault.as_deref(), Some("ended with exit status: 3"));
    }

    #[tokio::test]
    async fn a_program_inherits_no_environment_variable_outside_the_list() {
        let ended = shell("env | grep -c '^CARGO'", LONG).await;
        assert_eq!(ended.output, "0");
    }

    #[tokio::test]
    async fn megabytes_of_output_do_not_block_the_program_and_are_cut() {
        let ended = shell("head -c 5000000 /dev/zero | tr '\\0' x", LONG).await;
        assert!(ended.output.starts_with("xxx"));
        assert!(ended.output.len() < 4096);
        assert_eq!(ended.fault, None);
    }

    #[tokio::test]
    async fn lines_of_output_are_joined_into_one() {
        let ended = shell("echo frozen; echo; echo '  /srv'", LONG).await;
        assert_eq!(ended.output, "frozen | /srv");
    }

    #[tokio::test]
    async fn a_process_that_a_program_leaves_behind_does_not_delay_its_result() {
        let began = std::time::Instant::now();
        let ended = shell("sleep 50 & echo begun", LONG).await;
        assert_eq!(ended.output, "begun");
        assert_eq!(ended.fault, None);
        assert!(began.elapsed() < Duration::from_secs(40));
    }

    #[tokio::test]
    async fn a_program_at_its_time_limit_is_asked_to_end_and_may_clean_up() {
        let script = "trap 'echo tidied; exit 0' TERM; while :; do sleep 0.05; done";
        let ended = shell(script, Duration::from_millis(300)).await;
        assert_eq!(ended.fault.as_deref(), Some("did not end within 300ms"));
        assert!(ended.output.starts_with("tidied"), "{}", ended.output);
    }

    #[tokio::test]
    async fn a_missing_program_is_named_in_the_error() {
        let argv = ["/nowhere/freeze".to_owned()];
        let program = Program {
            argv: &argv,
            env: Vec::new(),
            input: String::new(),
            limit: LONG,
        };
        let error = run(program).await.unwrap_err();
        assert!(error.starts_with("/nowhere/freeze can't be run: No such file"));
    }
}
