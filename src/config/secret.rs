//! Secrets of keys: in base64, alone or in a `key` clause as BIND and `nsupdate -k` have it.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::rr::Name;
use crate::tsig::Algorithm;

const FILE_OCTETS_MAX: u64 = 64 * 1024;
/// Read or write, for those who are neither the owner nor in the group.
const OTHERS: u32 = 0o006;
/// Where container runtimes mount secrets, with modes that the operator often cannot choose.
const MOUNTED_SECRETS: &str = "/run/secrets";

/// A shared secret. No output of this type shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }
}

impl Secret {
    pub fn from_base64(text: &str) -> Result<Secret, SecretError> {
        match STANDARD.decode(text.trim()) {
            Ok(octets) if !octets.is_empty() => Ok(Secret(octets)),
            _ => Err(SecretError::NotBase64),
        }
    }

    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// For `nsupdate -y` and key files.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret is not base64")]
    NotBase64,
    #[error("{}: {reason}; make one with: lastgood key generate {name}", path.display())]
    Absent {
        path: PathBuf,
        name: Name,
        reason: std::io::Error,
    },
    #[error("{}: {reason}", path.display())]
    Unreadable {
        path: PathBuf,
        reason: std::io::Error,
    },
    #[error("everybody on this machine may read or write {}: chmod 600 {0}", path.display())]
    Open { path: PathBuf },
    #[error("{}: {reason}", path.display())]
    Clause { path: PathBuf, reason: String },
    #[error("{algorithm} is weak and off; allow_sha1 = true in this [[key]] turns it on")]
    Weak { algorithm: Algorithm },
}

/// A key file as `nsupdate -k` and BIND's `include` take it.
pub fn key_clause(name: &Name, algorithm: Algorithm, secret: &[u8]) -> String {
    format!(
        "key \"{name}\" {{\n\talgorithm {algorithm};\n\tsecret \"{}\";\n}};\n",
        STANDARD.encode(secret)
    )
}

/// Whether anybody on this machine may read or write a file; `false` when there is no such file.
pub(super) fn others_may_read(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.mode() & OTHERS != 0)
}

/// Reads the key file of `name`; what it says beside the secret must agree with the configuration.
pub(super) fn read(
    path: &Path,
    name: &Name,
    algorithm: Option<Algorithm>,
    warnings: &mut Vec<String>,
) -> Result<(Algorithm, Vec<u8>), SecretError> {
    let clause = |reason: String| SecretError::Clause {
        path: path.to_owned(),
        reason,
    };
    let text = read_private(path, name, warnings)?;
    let found = Found::parse(&text).map_err(clause)?;
    if let Some(other) = found.name.filter(|other| other != name) {
        return Err(clause(format!("holds the key {other}, not {name}")));
    }
    let algorithm = match (algorithm, found.algorithm) {
        (Some(configured), Some(other)) if configured != other => {
            return Err(clause(format!(
                "says {other}, the configuration says {configured}"
            )));
        }
        (configured, found) => configured.or(found).unwrap_or(Algorithm::HmacSha256),
    };
    Ok((algorithm, found.secret.0))
}

fn read_private(
    path: &Path,
    name: &Name,
    warnings: &mut Vec<String>,
) -> Result<String, SecretError> {
    let unreadable = |reason: std::io::Error| match reason.kind() {
        std::io::ErrorKind::NotFound => SecretError::Absent {
            path: path.to_owned(),
            name: name.clone(),
            reason,
        },
        _ => SecretError::Unreadable {
            path: path.to_owned(),
            reason,
        },
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode();
    match openness(path, mode) {
        Openness::Private => {}
        Openness::Mounted => warnings.push(format!(
            "everybody on this machine may read or write {}",
            path.display()
        )),
        Openness::Open => {
            return Err(SecretError::Open {
                path: path.to_owned(),
            });
        }
    }
    let mut text = String::new();
    file.take(FILE_OCTETS_MAX)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}

#[derive(Debug, PartialEq)]
enum Openness {
    Private,
    /// Open to others where it cannot be helped.
    Mounted,
    Open,
}

fn openness(path: &Path, mode: u32) -> Openness {
    match mode & OTHERS {
        0 => Openness::Private,
        _ if path.starts_with(MOUNTED_SECRETS) => Openness::Mounted,
        _ => Openness::Open,
    }
}

/// What stands in a key file.
#[derive(Debug)]
struct Found {
    name: Option<Name>,
    algorithm: Option<Algorithm>,
    secret: Secret,
}

impl Found {
    fn parse(text: &str) -> Result<Found, String> {
        // First, since base64 may hold what reads as the start of a comment.
        if let Ok(secret) = Secret::from_base64(text) {
            return Ok(Found {
                name: None,
                algorithm: None,
                secret,
            });
        }
        let words = words(text)?;
        match words.as_slice() {
            [] => Err("is empty".to_owned()),
            [key, name, open, rest @ ..] if key == "key" && open == "{" => Self::clause(name, rest),
            _ => {
                Err("holds neither a secret in base64 nor a clause key \"name\" { … };".to_owned())
            }
        }
    }

    fn clause(name: &str, words: &[String]) -> Result<Found, String> {
        let (mut algorithm, mut secret) = (None, None);
        let mut rest = words;
        loop {
            match rest {
                [end, ..] if end == "}" => break,
                [word, value, semicolon, more @ ..] if semicolon == ";" => {
                    match word.as_str() {
                        "algorithm" => algorithm = Some(value),
                        "secret" => secret = Some(value),
                        _ => return Err("has more than algorithm and secret in it".to_owned()),
                    }
                    rest = more;
                }
                _ => return Err("the key clause is not complete".to_owned()),
            }
        }
        let secret = secret.ok_or("the key clause has no secret")?;
        let algorithm = algorithm.ok_or("the key clause has no algorithm")?;
        Ok(Found {
            name: Some(
                name.parse()
                    .map_err(|error| format!("the key's name: {error}"))?,
            ),
            algorithm: Some(
                algorithm
                    .parse()
                    .map_err(|_| format!("the algorithm {algorithm} is not offered"))?,
            ),
            secret: Secret::from_base64(secret).map_err(|error| error.to_string())?,
        })
    }
}

/// The words of BIND's configuration grammar, comments left out. A message about them never
/// repeats one that could be a secret.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => 2 + rest.find("*/").ok_or("a comment does not end")?,
            '"' => {
                let len = rest[1..].find('"').ok_or("a quotation does not end")?;
                words.push(rest[1..1 + len].to_owned());
                len + 2
            }
            '{' | '}' | ';' => {
                words.push(first.to_string());
                1
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "{};\"".contains(c);
                let len = rest.find(ends).unwrap_or(rest.len());
                words.push(rest[..len].to_owned());
                len
            }
        };
        rest = rest[len..].trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_container_mounts_may_be_open() {
        let mounted = Path::new("/run/secrets/k");
        assert_eq!(openness(mounted, 0o100_444), Openness::Mounted);
        assert_eq!(openness(mounted, 0o100_440), Openness::Private);
        assert_eq!(openness(Path::new("/etc/k"), 0o100_444), Openness::Open);
    }

    #[test]
    fn a_secret_that_looks_like_a_comment_is_a_secret() {
        assert_eq!(Found::parse("//8=").unwrap().secret.octets(), [255, 255]);
    }
}
