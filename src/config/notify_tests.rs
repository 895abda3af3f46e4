//! `[[notify]]`: its validated settings, and each mistake with its location and remedy.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;

use super::cases::{case, prove};
use super::fixture::{ConfigFolder, MAIN};
use super::notify::{Address, Mail, Tls, Transport};
use super::value_types::SecretFile;
use crate::core::report_period::{NextReport, ReportHistory};
use crate::core::server_event::alert_words;
use crate::core::snapshot::ServerId;

const HOOK: &str = "[[notify]]\ntype = \"webhook\"\nurl = \"https://hooks.example/T0/x\"\n";

fn with(text: &str) -> ConfigFolder {
    ConfigFolder::new().with("snaprotate.toml", format!("{MAIN}{text}"))
}

#[test]
fn receivers_are_read_as_written_and_other_settings_get_their_defaults() {
    let text = format!(
        "{HOOK}{HOOK}on = [\"blocked\", \"trail_unwritable\"]\nservers = [7]\nrepeat = \"0s\"\ntimeout = \"3s\"\n\
        [[notify]]\ntype = \"ping\"\nurl_file = \"ping-url\"\nrotations = [\"weekly\"]\nservers = [\"web\"]\n\
        [[notify]]\ntype = \"ntfy\"\nname = \"phone\"\nurl = \"http://[::1]:2586/topic\"\ntoken_file = \"ntfy\"\n\
        [[notify]]\ntype = \"email\"\nserver = \"mail.example.org\"\nfrom = \"a@example.org\"\nto = [\"b@example.org\"]\nusername = \"a\"\npassword_file = \"password\"\n\
        [[notify]]\ntype = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"true\"]\n",
    );
    let mut folder = with(&text);
    for (name, secret) in [
        ("ping-url", "https://hc.example/uuid\n"),
        ("ntfy", "tk_1\n"),
        ("password", "two words\n"),
    ] {
        folder = folder.with(name, secret).mode(name, 0o600);
    }
    let config = folder.good();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let names: Vec<_> = config.receivers.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(
        names,
        ["webhook", "webhook-2", "ping", "phone", "email", "command"]
    );
    let [first, second, ping, ntfy, email, command] = config.receivers.as_slice() else {
        panic!("not six receivers");
    };
    assert_eq!((&first.on, &first.servers), (&None, &None));
    assert_eq!(first.repeat, Some(SignedDuration::from_hours(24)));
    assert_eq!(first.timeout, Duration::from_secs(10));
    let kinds = ["blocked".to_owned(), "trail_unwritable".to_owned()];
    assert_eq!(second.on, Some(kinds.into()));
    assert_eq!(second.servers, Some([ServerId::from(7)].into()));
    assert_eq!(
        (second.repeat, second.timeout),
        (None, Duration::from_secs(3))
    );
    let secret = |name: &str| SecretFile(folder.path(name));
    assert_eq!(ping.servers, Some([ServerId::from(7)].into()));
    assert_eq!(
        ping.way,
        Transport::Ping {
            address: Address::File(secret("ping-url")),
            rotations: Some(["weekly".to_owned()].into()),
        }
    );
    assert!(
        matches!(&ntfy.way, Transport::Ntfy { token: Some(token), .. } if *token == secret("ntfy"))
    );
    assert_eq!(
        email.way,
        Transport::Email(Mail {
            server: "mail.example.org".to_owned(),
            port: 587,
            tls: Tls::Starttls,
            from: "a@example.org".to_owned(),
            to: vec!["b@example.org".to_owned()],
            login: Some(("a".to_owned(), secret("password"))),
        })
    );
    let argv = ["/bin/sh", "-c", "true"].map(str::to_owned);
    assert_eq!(command.way, Transport::Command(argv.into()));
}

#[test]
fn invalid_receivers_are_refused_with_location_and_remedy() {
    let main = format!("{MAIN}[[notify]]\n");
    #[rustfmt::skip]
    let cases = [
        case("name = \"x\"\nurl = \"x\"", "3:1: error", "type is missing in [[notify]]", "type = "),
        case("type = \"web-hook\"\nurl = \"x\"", "4:8: error", "unknown value \"web-hook\"", "did you mean \"webhook\"?"),
        case("type = \"pigeon\"", "4:8: error", "unknown value \"pigeon\"", "\"ntfy\""),
        case("tpye = \"webhook\"\nurl = \"https://x.example\"", "4:1: error", "unknown key \"tpye\" in [[notify]], which lacks type", "did you mean type?"),
        case("type = \"webhook\"", "3:1: error", "url is missing", "url_file"),
        case("type = \"webhook\"\nurl = \"hooks.example\"", "5:7: error", "url is not a URL", "https://"),
        case("type = \"webhook\"\nurl = \"ftp://hooks.example/\"", "5:7: error", "url is not a web address", "https://"),
        case("type = \"webhook\"\nurl = \"http://hooks.example/\"", "5:7: error", "unencrypted", "https://"),
        case("type = \"webhook\"\nurl = \"https://u:p@hooks.example/\"", "5:7: error", "a user name or a password", "https://"),
        case("type = \"webhook\"\nurl = \"https://x.example\"\nurl_file = \"token\"", "5:7: error", "both", "keep one"),
        case("type = \"webhook\"\nurl_file = \"https://x.example/s3cr3t\"", "5:12: error", "url_file does not name a file", "holds the address"),
        case("type = \"webhook\"\nurl_file = \"none\"", "5:12: error", "can't be read", "address"),
        case("type = \"webhook\"\nurl_file = \"token\"", "5:12: error", "is not a URL", "https://"),
        case("type = \"slack\"\nurl = \"https://x.example\"\ntoken_file = \"token\"", "6:1: error", "unknown key \"token_file\"", "timeout"),
        case("type = \"slack\"\nurl = \"https://x.example\"\non = [\"blockd\"]", "6:7: error", "no alert of kind \"blockd\"", "did you mean \"blocked\"?"),
        case("type = \"slack\"\nurl = \"https://x.example\"\non = []", "3:1: error", "on is empty", "remove the key"),
        case("type = \"slack\"\nurl = \"https://x.example\"\nservers = [8]", "6:12: error", "there is no policy for server 8", "name a server"),
        case("type = \"slack\"\nurl = \"https://x.example\"\nservers = [\"wep\"]", "6:12: error", "there is no policy for server \"wep\"", "did you mean \"web\"?"),
        case("type = \"slack\"\nurl = \"https://x.example\"\nrepeat = \"5m\"", "6:10: error", "repeat must be an hour or more", "never"),
        case("type = \"slack\"\nurl = \"https://x.example\"\ntimeout = \"2m\"", "6:11: error", "at most a minute", "10s"),
        case("type = \"ping\"\nurl = \"https://x.example\"\non = [\"blocked\"]", "6:1: error", "unknown key \"on\"", "rotations"),
        case("type = \"ping\"\nurl = \"https://x.example\"\nrotations = [\"weakly\"]", "6:14: error", "no policy has a rotation \"weakly\"", "did you mean \"weekly\"?"),
        case("type = \"ping\"\nurl = \"https://x.example\"\nreport = \"weekly\"", "6:1: error", "unknown key \"report\"", "rotations"),
        case("type = \"slack\"\nurl = \"https://x.example\"\nreport = \"weakly\"", "6:10: error", "unknown value \"weakly\"", "did you mean \"weekly\"?"),
        case("type = \"slack\"\nurl = \"https://x.example\"\nreport = \"weekly\"\nreport_at = \"07:00\"", "7:13: error", "report_at \"07:00\" is not the time of a weekly report", "Mon 07:00"),
        case("type = \"slack\"\nurl = \"https://x.example\"\nreport = \"monthly\"\nreport_at = \"31 07:00\"", "7:13: error", "not the time of a monthly report", "from 1 to 28"),
        case("type = \"slack\"\nurl = \"https://x.example\"\nreport_at = \"07:00\"", "6:13: error", "report_at is written, but the receiver gets no report", "report = \"weekly\""),
        case("type = \"slack\"\nurl = \"https://x.example\"\nreport = \"daily\"\nreport_timezone = \"Europe/Mlata\"", "7:19: error", "no time zone", "Europe/Malta"),
        case("type = \"email\"\nfrom = \"a@x.org\"\nto = [\"b@x.org\"]", "3:1: error", "server is missing", "mail.example.org"),
        case("type = \"email\"\nserver = \"m\"\nfrom = \"A <a@x.org>\"\nto = [\"b@x.org\"]", "6:8: error", "not an email address", "without a name"),
        case("type = \"email\"\nserver = \"m\"\nfrom = \"a@x.org\"\nto = \"b@x.org\"", "7:6: error", "to must be a list", "to = ["),
        case("type = \"email\"\nserver = \"m\"\nfrom = \"a@x.org\"\nto = []", "3:1: error", "to is empty", "to = ["),
        case("type = \"email\"\nserver = \"m\"\nfrom = \"a@x.org\"\nto = [\"b@x.org\"]\ntls = \"none\"", "8:7: error", "unencrypted", "starttls"),
        case("type = \"email\"\nserver = \"m\"\nfrom = \"a@x.org\"\nto = [\"b@x.org\"]\nport = 70000", "8:8: error", "is not a port", "65535"),
        case("type = \"email\"\nserver = \"m\"\nfrom = \"a@x.org\"\nto = [\"b@x.org\"]\nusername = \"a\"", "8:12: error", "no password_file", "password_file ="),
        case("type = \"command\"", "3:1: error", "command is missing", "command = ["),
        case("type = \"command\"\ncommand = []", "3:1: error", "command is empty", "command = ["),
        case("type = \"command\"\ncommand = [\"sh\"]", "5:12: error", "not an absolute path", "no shell"),
        case("type = \"command\"\ncommand = [\"/none/of/it\"]", "5:12: error", "does not exist", "name an existing program"),
    ];
    prove("snaprotate.toml", &main, &cases);
}

#[test]
fn a_report_has_the_time_and_zone_that_are_written_or_the_defaults() {
    let due = |keys: &str| {
        let config = with(&format!(
            "[defaults]\ntimezone = \"Europe/Malta\"\n{HOOK}{keys}"
        ))
        .good();
        let report = config.receivers[0].report.clone()?;
        let mut history = ReportHistory::default();
        history.note("2026-01-01T00:00:00Z".parse().expect("a time"));
        let now = "2026-11-26T00:00:00Z".parse().expect("a time");
        match report.next(&history, now) {
            NextReport::Due(period) => Some(period.until.to_string()),
            other => panic!("{other:?}"),
        }
    };
    for (keys, until) in [
        ("", None),
        ("report = \"daily\"", Some("2026-11-25T06:00:00Z")),
        ("report = \"weekly\"", Some("2026-11-23T06:00:00Z")),
        ("report = \"monthly\"", Some("2026-11-01T06:00:00Z")),
        (
            "report = \"weekly\"\nreport_at = \"Wed 18:30\"",
            Some("2026-11-25T17:30:00Z"),
        ),
        (
            "report = \"daily\"\nreport_timezone = \"UTC\"",
            Some("2026-11-25T07:00:00Z"),
        ),
    ] {
        assert_eq!(due(keys).as_deref(), until, "{keys}");
    }
}

#[test]
fn duplicate_receiver_names_are_refused_and_default_names_avoid_configured_names() {
    let hook = |name: &str| format!("{HOOK}name = \"{name}\"\n");
    let said = with(&(hook("a") + &hook("a"))).said();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("two receivers are named \"a\""),
        "{said:?}"
    );
    let config = with(&(HOOK.to_owned() + &hook("webhook"))).good();
    let names: Vec<_> = config.receivers.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["webhook-2", "webhook"]);
}

#[test]
fn a_secret_file_that_others_can_read_is_refused_and_no_report_shows_an_address() {
    let text = "[[notify]]\ntype = \"slack\"\nurl_file = \"slack\"\n[[notify]]\ntype = \"slack\"\nurl = \"ftp://hooks.example/s3cr3t-part\"\n";
    let folder = with(text)
        .with("slack", "https://hooks.example/s3cr3t-part")
        .mode("slack", 0o640);
    let problems = folder.problems();
    let report = format!("{problems}\n{}", problems.render(false));
    assert!(
        report.contains("can be read by others (mode 640)"),
        "{report}"
    );
    assert!(report.contains("chmod 600"), "{report}");
    assert!(report.contains("url is not a web address"), "{report}");
    assert!(!report.contains("s3cr3t"), "{report}");
    let shown = format!("{:?}", with(HOOK).good().receivers);
    assert!(!shown.contains("hooks.example"), "{shown}");
}

#[test]
fn a_credential_with_the_same_name_takes_precedence_over_the_file() {
    let credentials = tempfile::tempdir().expect("a folder");
    for (name, secret) in [
        ("slack", "https://x.example/y\n"),
        ("api-token", "s3cr3t\n"),
    ] {
        let file = credentials.path().join(name);
        std::fs::write(&file, secret).expect("written");
        std::fs::set_permissions(&file, Permissions::from_mode(0o440)).expect("a mode");
    }
    let folder = with("[[notify]]\ntype = \"slack\"\nurl_file = \"/etc/snaprotate/slack\"\n");
    let env = super::Environment {
        credentials_directory: Some(credentials.path().to_owned()),
        ..super::Environment::default()
    };
    let config = super::load(&folder.path("snaprotate.toml"), &env).expect("good");
    let file = SecretFile(credentials.path().join("slack"));
    assert_eq!(
        config.receivers[0].way,
        Transport::Slack(Address::File(file))
    );
}

#[test]
fn the_receivers_in_the_shipped_example_are_valid_once_uncommented() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/snaprotate.toml");
    let shipped = std::fs::read_to_string(shipped).expect("read");
    let begins = shipped.find("# [[notify]]").expect("an example");
    let bare: Vec<_> = shipped[begins..]
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with("[[") || line.split(' ').nth(1) == Some("="))
        .collect();
    let text = bare
        .join("\n")
        .replace("/usr/local/bin/tell-us", "/bin/sh")
        .replace("web-server-01", "web");
    let mut folder = with(&text);
    for name in ["slack-url", "ping-url"] {
        folder = folder.with(name, "https://x.example/y\n").mode(name, 0o600);
    }
    for name in ["ntfy-token", "mail-password"] {
        folder = folder.with(name, "s3cr3t\n").mode(name, 0o600);
    }
    let words: Vec<_> = folder
        .good()
        .receivers
        .iter()
        .map(|r| r.way.word())
        .collect();
    assert_eq!(
        words,
        ["webhook", "ping", "ntfy", "slack", "email", "command"]
    );
}

#[test]
fn every_kind_of_alert_is_named_in_the_schema_the_example_and_the_reference() {
    let schema = include_str!("../../config/schema/config.json");
    let schema: serde_json::Value = serde_json::from_str(schema).expect("JSON");
    let on = &schema["properties"]["notify"]["items"]["properties"]["on"]["description"];
    let on = on.as_str().expect("a description");
    let example = include_str!("../../config/snaprotate.toml");
    let (_, example) = example.split_once("#   on  ").expect("the key");
    let (example, _) = example.split_once("#   witness  ").expect("the next key");
    let reference = include_str!("../../docs/reference/alerts.md");
    let named = |text: &str, word| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|w| w == word)
    };
    for word in alert_words() {
        assert!(
            named(on, word),
            "config/schema/config.json: on lacks {word}"
        );
        assert!(
            named(example, word),
            "config/snaprotate.toml: on lacks {word}"
        );
        let heading = format!("### {word}\n");
        assert!(
            reference.contains(&heading),
            "docs/reference/alerts.md lacks {word}"
        );
    }
}
