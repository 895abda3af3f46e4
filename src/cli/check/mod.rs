//! `check`: validates the configuration and, with `--online`, compares it with the provider's
//! answers.

mod account;
mod finding;
mod online;
mod room;

use jiff::Timestamp;
use serde::Serialize;

use self::account::AccountAnswers;
use self::finding::{Finding, FindingKind, FindingSeverity};
use self::online::findings;
use super::api_error_hint::remedy;
use super::{Cli, Exit, block_on, list, print_json, say};
use crate::api::account_info::TokenInfo;
use crate::api::{ApiError, ApiSettings, ErrorKind, HttpApi, Listing};
use crate::clock::Clock;
use crate::config::{Config, Problem, SecretChecks, Severity, policies_folder};
use crate::core::sanitize::{counted, printable};
use crate::daemon::{CommandError, api_settings, read_only_plan};

/// The options of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also ask the provider: does the token work, is each server named as in its policy, is
    /// there room for the snapshots to keep, do the protected snapshots exist? Also shows the
    /// token's owner and permissions, and the servers without a policy, if the provider reports
    /// them. Sends only GETs
    #[arg(long)]
    pub online: bool,
    /// Print the problems as JSON
    #[arg(long)]
    pub json: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CheckReport<'a> {
    /// True if nothing has to be corrected.
    good: bool,
    /// Number of policies; `null` if the files are refused.
    policies: Option<usize>,
    /// The problems of the files.
    problems: Vec<ReportedProblem<'a>>,
    /// The result of `--online`; `null` without it.
    online: Option<OnlineReport>,
}

/// A problem in a file.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ReportedProblem<'a> {
    severity: Severity,
    /// The file.
    file: String,
    /// The line, from 1; also 1 if the problem concerns the whole file.
    line: usize,
    /// The column, from 1.
    column: usize,
    /// The problem, in words.
    message: &'a str,
    /// The remedy, in words.
    remedy: &'a str,
}

/// The result of comparing the policies with the provider's answers.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OnlineReport {
    /// True if the listing could be read.
    reached: bool,
    /// The token's owner and permissions; `null` if the provider doesn't report them.
    token: Option<TokenInfo>,
    /// Number of policies whose server is in the listing.
    seen: usize,
    /// The mismatches between the policies and the account.
    problems: Vec<Finding>,
}

/// Prints all problems, or the number of valid policies.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let secrets = if args.online {
        SecretChecks::Needed
    } else {
        SecretChecks::There
    };
    let config = match cli.load_with(secrets) {
        Err(CommandError::Problems(problems)) if args.json => {
            print_json(&report(None, &problems.0, None))?;
            return Err(CommandError::Problems(problems));
        }
        config => config?,
    };
    let online = if args.online {
        let clock = Clock::system();
        let (answer, asked) = ask(&config, &clock)?;
        Some(online(&config, answer, asked.as_ref(), clock.now().wall))
    } else {
        None
    };
    let mut warnings = config.warnings.clone();
    warnings.extend(nameless(&config));
    let report = report(Some(config.policies.len()), &warnings, online);
    let exit = if report.good { Exit::Good } else { Exit::Bad };
    if args.json {
        print_json(&report)?;
        return Ok(exit);
    }
    for warning in &warnings {
        say(&warning.to_string())?;
    }
    for finding in report.online.iter().flat_map(|online| &online.problems) {
        say(&finding.to_string())?;
    }
    let warnings = match warnings.len() {
        0 => String::new(),
        n => format!(", {}", counted(n, "warning")),
    };
    let policies = match config.policies.len() {
        1 => "1 policy".to_owned(),
        n => format!("{n} policies"),
    };
    // There may be findings about the account, so "no problems" is limited to the files.
    let files = if report.online.is_some() {
        "files: "
    } else {
        ""
    };
    say(&format!("{files}{policies}, no problems{warnings}"))?;
    if let Some(online) = &report.online {
        say(&online.summary(config.policies.len()))?;
    }
    Ok(exit)
}

/// Warns of policies without `server.name`: nothing shows that their id is the intended server's.
fn nameless(config: &Config) -> impl Iterator<Item = Problem> {
    let folder = policies_folder(&config.file);
    let policies = config
        .policies
        .iter()
        .filter(|policy| policy.name.is_none());
    policies.map(move |policy| {
        let message = "no server.name: if the id is another server's, by mistake or because the provider has reassigned it, that server is rotated";
        let file = folder.join(format!("{}.toml", policy.file));
        Problem::of_policy(file, message.to_owned(), "write name below id, with the provider's name for the server")
    })
}

/// Fetches the listing and, if that succeeds, the account's answers.
fn ask(
    config: &Config,
    clock: &Clock,
) -> Result<(Result<Listing, ApiError>, Option<AccountAnswers>), CommandError> {
    let settings = api_settings(&config.api);
    let api = HttpApi::new(&settings, clock.clone()).map_err(CommandError::Settings)?;
    api.want_shape();
    block_on(async {
        let listing = list::browse(&api, config, None).await;
        let asked = match &listing {
            Ok(_) => Some(AccountAnswers::ask(&api, config).await),
            Err(_) => None,
        };
        Ok((listing, asked))
    })
}

fn online(
    config: &Config,
    answer: Result<Listing, ApiError>,
    asked: Option<&AccountAnswers>,
    now: Timestamp,
) -> OnlineReport {
    let listing = match answer {
        Ok(listing) => listing,
        Err(error) => {
            return OnlineReport {
                reached: false,
                token: None,
                seen: 0,
                problems: vec![unreadable(&error, &api_settings(&config.api))],
            };
        }
    };
    let policies = config.policies.iter();
    let seen = policies.filter(|policy| listing.servers.contains_key(&policy.server));
    OnlineReport {
        reached: true,
        token: asked.and_then(AccountAnswers::token).cloned(),
        seen: seen.count(),
        problems: {
            let settings = api_settings(&config.api);
            let all = asked.and_then(AccountAnswers::all);
            // Before the first run there is no trail, and the user may lack permission to read it;
            // the check then uses no history.
            let histories = read_only_plan::histories(config, now).unwrap_or_default();
            let mut problems = findings(config, &listing, all, &histories, now);
            problems.extend(
                asked
                    .iter()
                    .flat_map(|asked| asked.findings(config, &settings)),
            );
            problems
        },
    }
}

fn unreadable(error: &ApiError, asked: &ApiSettings) -> Finding {
    let problem = match error.kind {
        ErrorKind::Account => FindingKind::TokenRefused,
        _ => FindingKind::ApiUnreadable,
    };
    Finding {
        severity: FindingSeverity::Error,
        problem,
        server: None,
        name: None,
        about: None,
        message: error.to_string(),
        remedy: remedy(error, asked),
    }
}

impl OnlineReport {
    fn summary(&self, policies: usize) -> String {
        let of = |weight| {
            let found = self.problems.iter();
            found.filter(|finding| finding.severity == weight).count()
        };
        let counts = [
            (of(FindingSeverity::Error), "problem"),
            (of(FindingSeverity::Warning), "warning"),
            (of(FindingSeverity::Note), "note"),
        ];
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| counted(n, what))
            .collect();
        let counts = if counts.is_empty() {
            "no problems".to_owned()
        } else {
            counts.join(", ")
        };
        if self.reached {
            let (seen, token) = (
                self.seen,
                self.token.as_ref().map_or_else(String::new, told),
            );
            format!(
                "online: the token works{token}; servers with snapshots: {seen} of {policies}; {counts}"
            )
        } else {
            format!("online: {counts}")
        }
    }
}

/// Returns the token's owner and permissions as part of a sentence.
fn told(info: &TokenInfo) -> String {
    let name = info.name.as_deref().unwrap_or("an unnamed token");
    let of = info.account.iter().map(|account| format!(" of {account}"));
    let permits = info.permissions.iter().map(|all| match all.as_slice() {
        [] => "; permits nothing".to_owned(),
        all => format!("; permits {}", all.join(", ")),
    });
    let told: String = of.chain(permits).collect();
    printable(&format!(" ({name}{told})"), 200)
}

fn report(
    policies: Option<usize>,
    problems: &[Problem],
    online: Option<OnlineReport>,
) -> CheckReport<'_> {
    let problems = problems.iter().map(|problem| ReportedProblem {
        severity: problem.severity,
        file: problem.file.display().to_string(),
        line: problem.line,
        column: problem.column,
        message: &problem.message,
        remedy: &problem.remedy,
    });
    let wrong = |online: &OnlineReport| {
        let mut found = online.problems.iter();
        found.any(|finding| finding.severity == FindingSeverity::Error)
    };
    CheckReport {
        good: policies.is_some() && !online.as_ref().is_some_and(wrong),
        policies,
        problems: problems.collect(),
        online,
    }
}

/// Returns the schema of `check --json`.
#[cfg(test)]
pub(super) fn output_schema() -> String {
    super::output_schema::derived::<CheckReport<'_>>("check")
}
