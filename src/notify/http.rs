//! Delivers messages over HTTP. An error never contains the address, which may be a secret.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, RequestBuilder, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::alerts::{AlertChange, Message, SlotChange, SlotNews, encoded_word};
use crate::api::chain;

pub(super) async fn webhook(client: &Client, url: Url, message: &Message) -> Result<(), String> {
    send(client.post(url).json(&message.json())).await
}

/// Sends in Slack's format, which Mattermost, Rocket.Chat and others accept too.
pub(super) async fn slack(client: &Client, url: Url, message: &Message) -> Result<(), String> {
    let text = format!("{}\n{}", message.subject(), message.short_text());
    // Slack's control characters; unescaped, a name could notify a whole channel.
    let text = text.replace('&', "&amp;");
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    send(client.post(url).json(&json!({ "text": text.trim_end() }))).await
}

pub(super) async fn ntfy(
    client: &Client,
    url: Url,
    token: Option<SecretString>,
    message: &Message,
) -> Result<(), String> {
    let tags = match message.event {
        AlertChange::Raised => "rotating_light",
        AlertChange::Repeated => "hourglass",
        AlertChange::Recovered => "white_check_mark",
        AlertChange::Test => "test_tube",
        AlertChange::Witnessed => "receipt",
        AlertChange::Report => "bar_chart",
    };
    let mut request = client
        .post(url)
        .header("Title", encoded_word(&message.subject()))
        .header("Priority", message.priority().word())
        .header("Tags", tags)
        .body(message.short_text());
    if let Some(link) = message.link() {
        request = request.header("Click", encoded_word(&link));
    }
    if let Some(token) = token {
        let text = format!("Bearer {}", token.expose_secret());
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| "the access token can't be sent in an HTTP header".to_owned())?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    send(request).await
}

/// Sends a ping in healthchecks.io's form: `/start`, nothing or `/fail` after the address's path.
pub(super) async fn ping(client: &Client, url: Url, slot: &SlotNews) -> Result<(), String> {
    let turn = match slot.turn {
        SlotChange::Started => Some("start"),
        SlotChange::Completed => None,
        SlotChange::Failed => Some("fail"),
    };
    let SlotNews {
        server,
        rotation,
        snapshot,
        reason,
        ..
    } = slot;
    let text = format!("{} {rotation}: {snapshot}: {reason}\n", server.name);
    send(client.post(below(url, turn)).body(text)).await
}

/// Sends a log entry, which has no effect on the check's state.
pub(super) async fn ping_log(client: &Client, url: Url, text: String) -> Result<(), String> {
    send(client.post(below(url, Some("log"))).body(text)).await
}

fn below(mut url: Url, segment: Option<&str>) -> Url {
    if let (Some(segment), Ok(mut path)) = (segment, url.path_segments_mut()) {
        path.pop_if_empty().push(segment);
    }
    url
}

async fn send(request: RequestBuilder) -> Result<(), String> {
    let answer = request.send().await;
    let answer = answer.map_err(|error| chain(&error.without_url()))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    // The body may repeat the address.
    Err(format!("the receiver answered {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_of_a_ping_comes_after_the_path_and_before_the_query() {
        let of = |text: &str, turn| below(Url::parse(text).expect("a url"), turn).to_string();
        let plain = "https://hc.example/u-u-i-d";
        assert_eq!(of(plain, None), plain);
        assert_eq!(of(plain, Some("fail")), "https://hc.example/u-u-i-d/fail");
        let more = "https://hc.example/ping/?rid=1";
        assert_eq!(
            of(more, Some("start")),
            "https://hc.example/ping/start?rid=1"
        );
    }
}
