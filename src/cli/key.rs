//! `key generate`: a secret for signed updates, as `nsupdate -k` and the configuration take it.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::json;

use super::{Exit, Globals, print};
use crate::config::key_clause;
use crate::rr::Name;
use crate::tsig::{self, Algorithm};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a new secret and print it, as a file for `nsupdate -k` and `secret_file`
    #[command(
        after_help = "Example:\n  lastgood key generate enactor-a. --file enactor-a.key\n  \
                      nsupdate -k enactor-a.key"
    )]
    Generate {
        /// The key's name, such as enactor-a.
        name: Name,
        /// hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224 or hmac-sha1
        #[arg(long, default_value = "hmac-sha256")]
        algorithm: Algorithm,
        /// Write the key to this new file, with mode 0600, and print its stanza only
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

pub(super) fn run(globals: &Globals, command: KeyCommand) -> anyhow::Result<Exit> {
    let KeyCommand::Generate {
        name,
        algorithm,
        file,
    } = command;
    let secret = tsig::generate_secret(algorithm);
    let clause = key_clause(&name, algorithm, &secret);
    if let Some(file) = &file {
        write_private(file, &clause).with_context(|| file.display().to_string())?;
    }
    if globals.json {
        let mut value = json!({ "name": name, "algorithm": algorithm.to_string(), "file": file });
        if file.is_none() {
            value["secret"] = STANDARD.encode(&secret).into();
        }
        print::json(&value)?;
        return Ok(Exit::Done);
    }
    match &file {
        Some(file) => print::out(&stanza(&name, algorithm, file))?,
        None => print::out(&commented(&name, algorithm, &clause))?,
    }
    Ok(Exit::Done)
}

/// Never over a key that is there already.
fn write_private(file: &Path, clause: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    file.write_all(clause.as_bytes())
}

/// What to put into the configuration.
fn stanza(name: &Name, algorithm: Algorithm, file: &Path) -> String {
    let weak = match algorithm.is_weak() {
        true => "allow_sha1 = true\n",
        false => "",
    };
    format!(
        "[[key]]\nname = \"{name}\"\nalgorithm = \"{algorithm}\"\n{weak}secret_file = {:?}\n\
         allow = [{{ zone = \"example.com.\", names = [\"api\"], types = [\"A\", \"AAAA\"] }}]\n",
        file.display().to_string()
    )
}

/// The key file, with what to do with it as comments.
fn commented(name: &Name, algorithm: Algorithm, clause: &str) -> String {
    let file = PathBuf::from(format!("{}key", name.to_string().replace('/', "_")));
    let mut text = format!(
        "# Keep this in {}, for nobody else to read (chmod 600). In the configuration:\n",
        file.display()
    );
    for line in stanza(name, algorithm, &file).lines() {
        text.push_str(&format!("#   {line}\n"));
    }
    text + clause
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_file_is_private_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.key");
        write_private(&file, "first").unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write_private(&file, "second").is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"first");
    }

    #[test]
    fn what_is_printed_says_where_it_belongs() {
        let name: Name = "enactor-a.".parse().unwrap();
        let clause = key_clause(&name, Algorithm::HmacSha256, b"0123");
        let text = commented(&name, Algorithm::HmacSha256, &clause);
        assert!(
            text.contains("#   secret_file = \"enactor-a.key\"\n"),
            "{text}"
        );
        assert!(text.ends_with(
            "key \"enactor-a.\" {\n\talgorithm hmac-sha256;\n\tsecret \"MDEyMw==\";\n};\n"
        ));
    }
}
