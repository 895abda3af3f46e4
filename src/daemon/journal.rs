//! The journal's native protocol: each field of an event becomes a field of the journal's entry
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>).

use std::fmt::Debug;
use std::io;
use std::os::unix::net::UnixDatagram;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::log_queue::LogQueue;

const SOCKET: &str = "/run/systemd/journal/socket";

/// Prefix of the program's fields: `SNAPROTATE_SERVER=12345`.
const PREFIX: &str = "SNAPROTATE_";

/// Maximum length of a value in bytes. The journal takes an entry in one datagram.
const LONGEST: usize = 48 * 1024;

/// Sends events to the journal.
pub(super) struct JournalLayer(LogQueue);

impl JournalLayer {
    /// Connects to the journal. Returns the layer and the queue that it writes to.
    pub(super) fn connect() -> io::Result<(Self, LogQueue)> {
        let socket = UnixDatagram::unbound()?;
        // The journal ignores an empty entry. Without a journal, the call fails.
        socket.send_to(&[], SOCKET)?;
        let queue = LogQueue::start(move |entry| socket.send_to(entry, SOCKET).map(drop))?;
        Ok((Self(queue.clone()), queue))
    }
}

impl<S: Subscriber> Layer<S> for JournalLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.put(entry(event));
    }
}

fn entry(event: &Event<'_>) -> Vec<u8> {
    let mut entry = Entry(Vec::with_capacity(512));
    let about = event.metadata();
    // `INFO` is sent as a notice (syslog(3)), so that `DEBUG` and `TRACE` have their own levels.
    let priority = match *about.level() {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "5",
        Level::DEBUG => "6",
        Level::TRACE => "7",
    };
    entry.put("PRIORITY", priority);
    entry.put("SYSLOG_IDENTIFIER", env!("CARGO_PKG_NAME"));
    entry.put("TARGET", about.target());
    if let (Some(file), Some(line)) = (about.file(), about.line()) {
        entry.put("CODE_FILE", file);
        entry.put("CODE_LINE", &line.to_string());
    }
    event.record(&mut entry);
    entry.0
}

/// An entry in the native protocol.
struct Entry(Vec<u8>);

impl Entry {
    /// Adds a field with its length, since its value may hold line breaks.
    fn put(&mut self, name: &str, value: &str) {
        let value = &value[..value.floor_char_boundary(LONGEST)];
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'\n');
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'\n');
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.put("MESSAGE", value),
            // The journal accepts only upper-case letters, digits and '_'.
            name => self.put(&name_in_journal(name), value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn name_in_journal(name: &str) -> String {
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Collects the entries of events.
    struct Kept(Arc<Mutex<Vec<Vec<u8>>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().expect("no panic").push(entry(event));
        }
    }

    #[test]
    fn an_event_becomes_an_entry_in_which_each_value_is_preceded_by_its_length() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let logged = tracing_subscriber::registry().with(Kept(Arc::clone(&kept)));
        let line = tracing::subscriber::with_default(logged, || {
            tracing::warn!(target: "t", server = 12, error = %"a\nb", "it failed");
            line!() - 1
        });
        let expected = [
            ("PRIORITY", "4"),
            ("SYSLOG_IDENTIFIER", "snaprotate"),
            ("TARGET", "t"),
            ("CODE_FILE", file!()),
            ("CODE_LINE", &line.to_string()),
            ("MESSAGE", "it failed"),
            ("SNAPROTATE_SERVER", "12"),
            ("SNAPROTATE_ERROR", "a\nb"),
        ];
        let expected = expected.map(|(name, value)| {
            let length = (value.len() as u64).to_le_bytes();
            [name.as_bytes(), b"\n", &length, value.as_bytes(), b"\n"].concat()
        });
        assert_eq!(kept.lock().expect("no panic")[0], expected.concat());
    }
}
