//! `audit keygen`: generates a key that signs checkpoints of the trail.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use crate::audit::witness::{SignerKey, is_name};
use crate::cli::{Exit, printable_path, say};
use crate::daemon::CommandError;
use crate::notify::host;

/// The key's name, and the file to write.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The key's name, which is also the origin of its checkpoints, without spaces or plus
    /// signs [default: snaprotate/HOSTNAME]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The new file for the private key; an existing file is never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the private key to a new file, and prints the public key.
pub fn run(args: &Args) -> Result<Exit, CommandError> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => format!("snaprotate/{}", host()),
    };
    if !is_name(&name) {
        let why = "a key's name can't be empty, and can't contain spaces or plus signs";
        return Err(CommandError::Settings(why.to_owned()));
    }
    let system = |why: &str| CommandError::System(format!("no key can be generated: {why}"));
    let (key, text) = SignerKey::generate(&name).map_err(system)?;
    let shown = printable_path(&args.out);
    if let Err(why) = write(&args.out, text.expose_secret()) {
        return Err(match why.kind() {
            io::ErrorKind::AlreadyExists => CommandError::Settings(format!(
                "{shown}: already exists, and a key is never overwritten; name another file"
            )),
            _ => CommandError::System(format!("{shown}: can't be written: {why}")),
        });
    }
    say(&key.verifier().to_string())?;
    Ok(Exit::Good)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = writeln!(file, "{text}").and_then(|()| file.sync_all());
    if written.is_err() {
        // The file is new and contains no complete key.
        let _gone = std::fs::remove_file(path);
    }
    written?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
