//! One delivery: by the receiver's transport, within one time limit.

use std::future::Future;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret as _, SecretString};

use super::host_name::host;
use super::pending::Parcel;
use super::receiver::Deliver;
use super::{DeliveryContext, command, http, lock, mail};
use crate::alerts::{AlertChange, Message};
use crate::api::{is_loopback, outgoing, secret};
use crate::config::notify::{Address, Receiver, SecretFile, Transport, address};
use crate::core::sanitize::printable;

/// Maximum number of characters of an error that are kept.
const ERROR_SHOWN: usize = 300;

/// Delivers to one receiver.
pub struct Delivery {
    receiver: Receiver,
    means: DeliveryContext,
    /// The last client. The flag is true if it is for loopback addresses only.
    client: Mutex<Option<(bool, Client)>>,
}

impl Delivery {
    /// Returns the delivery to this receiver; nothing is sent yet.
    pub fn new(receiver: Receiver, means: DeliveryContext) -> Self {
        Self {
            receiver,
            means,
            client: Mutex::new(None),
        }
    }

    /// Sends a test message without alerts; `time` is when the test was requested.
    pub async fn test(&self, time: Timestamp) -> Result<(), String> {
        let message = empty(time);
        self.limited(async {
            match &self.receiver.way {
                Transport::Ping { address, .. } => {
                    let (client, url) = self.web(address)?;
                    http::ping_log(&client, url, message.subject()).await
                }
                _ => self.message(&message).await,
            }
        })
        .await
    }

    async fn limited(
        &self,
        work: impl Future<Output = Result<(), String>> + Send,
    ) -> Result<(), String> {
        let limit = self.receiver.timeout;
        let done = tokio::time::timeout(limit, work).await;
        let done = done.unwrap_or_else(|_| Err(format!("timed out after {limit:?}")));
        done.map_err(|error| printable(&error, ERROR_SHOWN))
    }

    async fn message(&self, message: &Message) -> Result<(), String> {
        let message = &Message {
            page: self.means.page.clone(),
            ..message.clone()
        };
        match &self.receiver.way {
            Transport::Webhook(address) => {
                let (client, url) = self.web(address)?;
                http::webhook(&client, url, message).await
            }
            Transport::Slack(address) => {
                let (client, url) = self.web(address)?;
                http::slack(&client, url, message).await
            }
            Transport::Ntfy { address, token } => {
                let (client, url) = self.web(address)?;
                let token = token.as_ref();
                let token = token.map(|file| self.secret(file, "access token"));
                http::ntfy(&client, url, token.transpose()?, message).await
            }
            Transport::Email(settings) => {
                let login = settings.login.as_ref();
                let password = login.map(|(_, file)| self.secret(file, "password"));
                let ca_file = self.means.ca_file.as_deref();
                mail::send(settings, password.transpose()?, ca_file, message).await
            }
            Transport::Command(argv) => {
                let (name, limit) = (&self.receiver.name, self.receiver.timeout);
                command::run(name, argv, message, limit).await
            }
            // A ping receiver gets slot changes, not messages.
            Transport::Ping { .. } => Ok(()),
        }
    }

    /// Returns the client and the address. The address file is read each time, so that an edit
    /// takes effect at once.
    fn web(&self, place: &Address) -> Result<(Client, Url), String> {
        let url = match place {
            Address::Written(url) => url.clone(),
            Address::File(file) => {
                let text = self.secret(file, "address")?;
                address(text.expose_secret().trim())
                    .map_err(|why| format!("the address in {} {why}", file.0.display()))?
            }
        };
        let loopback = url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
        let mut kept = lock(&self.client);
        if let Some((same, client)) = &*kept
            && *same == loopback
        {
            return Ok((client.clone(), url));
        }
        let client = outgoing(loopback, self.means.ca_file.as_deref(), &self.means.proxy)?;
        *kept = Some((loopback, client.clone()));
        Ok((client, url))
    }

    fn secret(&self, file: &SecretFile, what: &str) -> Result<SecretString, String> {
        let found = secret(&file.0, self.means.credentials.as_deref(), what)?;
        if found.expose_secret().is_empty() {
            return Err(format!("{} is empty", file.0.display()));
        }
        Ok(found)
    }
}

impl Deliver for Delivery {
    async fn deliver(&self, parcel: &Parcel) -> Result<(), String> {
        self.limited(async {
            match (parcel, &self.receiver.way) {
                (Parcel::Message(message, _), _) => self.message(message).await,
                (Parcel::Checkpoint(signed, time), _) => {
                    self.message(&Message {
                        event: AlertChange::Witnessed,
                        signed: Some(signed.clone()),
                        ..empty(*time)
                    })
                    .await
                }
                (Parcel::Report(news), _) => {
                    self.message(&Message {
                        event: AlertChange::Report,
                        report: Some(Arc::clone(news)),
                        ..empty(news.report.time)
                    })
                    .await
                }
                (Parcel::Ping(slot), Transport::Ping { address, .. }) => {
                    let (client, url) = self.web(address)?;
                    http::ping(&client, url, slot).await
                }
                (Parcel::Ping(_), _) => Ok(()),
            }
        })
        .await
    }
}

/// Returns a test message, which has no contents.
fn empty(time: Timestamp) -> Message {
    Message {
        event: AlertChange::Test,
        time,
        host: host(),
        alerts: Vec::new(),
        signed: None,
        report: None,
        page: None,
    }
}
