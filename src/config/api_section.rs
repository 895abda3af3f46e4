//! Checks of `[api]` and of secret files: the address, the token's file, the certificate file.
//!
//! The token is read only to report early that it can't work. It is never stored, shown or returned
//! (I13).

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use reqwest::Url;

use super::diagnostics::{Diagnostics, Position, Severity, is_pasted};
use super::table_reader::Located;
use super::value_types::SecretFile;
use super::{Environment, SecretChecks, defaults, file_source};
use crate::api::token::{LONGEST, is_open};
use crate::api::{parse_base_url, secret as secret_text};
use crate::audit::witness::SignerKey;

/// Validates the address.
pub(super) fn base_url(text: &Located<String>, log: &mut Diagnostics) -> Option<Url> {
    let url = parse_base_url(&text.value);
    url.map_err(|error| log.error(&text.at, error.to_string(), error.remedy()))
        .ok()
}

/// Returns the token's file, and true if it is a systemd credential.
pub(super) fn token(
    written: Option<&Located<PathBuf>>,
    top: &Position,
    folder: &Path,
    env: &Environment,
    log: &mut Diagnostics,
) -> (Option<PathBuf>, bool) {
    let (path, is_credential) = given(defaults::CREDENTIAL, written, folder, env);
    let at = written
        .filter(|_| !is_credential)
        .map_or(top, |file| &file.at);
    if !is_credential
        && let Some(file) = written
        && is_pasted(&file.value.to_string_lossy())
        && !folder.join(&file.value).exists()
    {
        let remedy = "write the path of a file that holds the token, not the token itself; if this is the token, it is exposed: replace it at the provider";
        log.error(at, "token_file does not name a file", remedy);
        return (None, false);
    }
    let Some(path) = path else {
        log.error(
            at,
            "there is no API token",
            "write token_file = \"api-token\" below [api], or set LoadCredential=api-token:FILE in the systemd unit",
        );
        return (None, false);
    };
    check_secret(&path, is_credential, "token", env.secrets, at, log);
    (Some(path), is_credential)
}

/// Returns the file of a secret, and true if it is the credential `name`, which takes precedence
/// over the written path.
pub(super) fn given(
    name: &str,
    written: Option<&Located<PathBuf>>,
    folder: &Path,
    env: &Environment,
) -> (Option<PathBuf>, bool) {
    let credential = env
        .credentials_directory
        .as_ref()
        .map(|directory| directory.join(name))
        .filter(|path| path.exists());
    let is_credential = credential.is_some();
    let path = credential.or_else(|| written.map(|file| folder.join(&file.value)));
    (path, is_credential)
}

/// Returns the file of the witness's signer key. Problems with it are only warnings, since without
/// a key no checkpoint is signed, but rotation continues. A key pasted in place of its path is an
/// error.
pub(super) fn witness_key(
    written: Option<&Located<PathBuf>>,
    top: &Position,
    folder: &Path,
    env: &Environment,
    log: &mut Diagnostics,
) -> Option<PathBuf> {
    let (path, is_credential) = given(defaults::WITNESS_CREDENTIAL, written, folder, env);
    let at = written
        .filter(|_| !is_credential)
        .map_or(top, |file| &file.at);
    // As with the token (I13), a pasted key is never shown.
    let pasted = written.filter(|file| file.value.to_string_lossy().contains("PRIVATE+KEY"));
    if let Some(file) = pasted {
        let remedy =
            "write the path of a file that holds the key, not the key itself, and make a new key";
        log.error(&file.at, "key_file does not name a file", remedy);
        return None;
    }
    let Some(path) = path else {
        log.warn(
            at,
            "there is no key to sign checkpoints with",
            "make one with snaprotate audit keygen, and write key_file = \"witness-key\", or set LoadCredential=witness-key:FILE in the systemd unit",
        );
        return None;
    };
    let mut found = Diagnostics::default();
    if check_secret(
        &path,
        is_credential,
        "witness key",
        env.secrets,
        at,
        &mut found,
    ) && env.secrets == SecretChecks::Needed
        && let Ok(text) = secret_text(&path, env.credentials_directory.as_deref(), "witness key")
        && let Err(why) = SignerKey::parse(&text)
    {
        let remedy = "make a key with snaprotate audit keygen";
        found.warn(at, format!("{} {why}", path.display()), remedy);
    }
    for mut problem in found.0 {
        problem.severity = Severity::Warning;
        log.0.push(problem);
    }
    Some(path)
}

/// Returns the file of a receiver's secret. A systemd credential with the same file name takes
/// precedence.
pub(super) fn secret(
    (key, file): (&str, &Located<PathBuf>),
    what: &str,
    folder: &Path,
    env: &Environment,
    log: &mut Diagnostics,
) -> Option<SecretFile> {
    let path = folder.join(&file.value);
    let credential = env.credentials_directory.as_ref().and_then(|directory| {
        let given = directory.join(path.file_name()?);
        given.exists().then_some(given)
    });
    let is_credential = credential.is_some();
    let written = file.value.to_string_lossy();
    let pasted = written.contains("://") || is_pasted(&written);
    if !is_credential && pasted && !path.exists() {
        let remedy = format!(
            "write the path of a file that holds the {what}, not the {what} itself; if this is the {what}, it is exposed: replace it"
        );
        log.error(&file.at, format!("{key} does not name a file"), remedy);
        return None;
    }
    let path = credential.unwrap_or(path);
    let good = check_secret(&path, is_credential, what, env.secrets, &file.at, log);
    good.then_some(SecretFile(path))
}

/// Checks a secret's file as strictly as `wanted` requires, and reports a problem. Returns true if
/// it can be used.
fn check_secret(
    path: &Path,
    is_credential: bool,
    what: &str,
    wanted: SecretChecks,
    at: &Position,
    log: &mut Diagnostics,
) -> bool {
    if wanted == SecretChecks::Unneeded {
        return true;
    }
    let shown = path.display();
    let bytes = match file_source::bytes(path, LONGEST) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("the {what} file {shown} can't be read: {error}");
            if error.denied && wanted == SecretChecks::There {
                log.warn(at, message, file_source::DENIED);
                return true;
            }
            let usual = format!(
                "write the {what} into it, and make it readable by the service's user only"
            );
            log.error(at, message, error.remedy(&usual));
            return false;
        }
    };
    let fault = fault(path, &bytes, is_credential, what);
    if let Some((message, remedy)) = &fault {
        log.error(at, message, remedy);
    }
    fault.is_none()
}

/// Returns what is wrong with a secret that could be read, and the remedy.
fn fault(path: &Path, bytes: &[u8], is_credential: bool, what: &str) -> Option<(String, String)> {
    let shown = path.display();
    let mode = path.metadata().map_or(0, |data| data.permissions().mode());
    if is_open(mode, is_credential) {
        let message = format!(
            "the {what} file {shown} can be read by others (mode {:03o})",
            mode & 0o777
        );
        return Some((message, format!("run chmod 600 {shown}")));
    }
    let named = match what {
        "token" => "the API token".to_owned(),
        other => format!("the {other}"),
    };
    let secret = bytes.trim_ascii();
    if secret.is_empty() {
        let message = format!("the {what} file {shown} is empty");
        return Some((message, format!("write {named} into it")));
    }
    let word = if what == "password" {
        !secret.iter().any(u8::is_ascii_control)
    } else {
        secret.iter().all(u8::is_ascii_graphic)
    };
    if !word {
        let message = format!(
            "the {what} file {shown} holds more than one word, or a character that is not allowed"
        );
        return Some((message, format!("write only {named} into it, on one line")));
    }
    None
}

/// Returns the path of the certificate file if it holds a PEM certificate.
pub(super) fn ca(file: &Located<PathBuf>, folder: &Path, log: &mut Diagnostics) -> Option<PathBuf> {
    let path = folder.join(&file.value);
    let why = match file_source::bytes(&path, defaults::LARGEST_FILE) {
        Ok(pem) if String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") => {
            return Some(path);
        }
        Ok(_) => "it holds no PEM certificate".to_owned(),
        Err(error) => error.to_string(),
    };
    let message = format!("ca_file {} can't be used: {why}", path.display());
    log.error(
        &file.at,
        message,
        "name a PEM file with the CA's certificate, or remove ca_file",
    );
    None
}
