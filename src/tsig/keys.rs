//! The keys we share with others. Secrets are in here and in no message, log or error.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use domain::base::Name as LibraryName;
use domain::tsig as library;
use ring::hmac;

use crate::rr::{Key, Name};

/// The algorithms offered (RFC 8945 §6): no MD5 and no SHA-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not offered: hmac-sha256, hmac-sha384 or hmac-sha512")]
pub struct BadAlgorithm(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("there are two keys named {0}")]
    Duplicate(Name),
    #[error("the secret of the key {0} is empty")]
    EmptySecret(Name),
}

/// All keys, by name. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Keys(Arc<HashMap<Key, Arc<Shared>>>);

/// One key, shared with one other.
pub(super) struct Shared {
    pub name: Name,
    pub algorithm: Algorithm,
    pub hmac: hmac::Key,
    /// The same for the library. It lets truncated MACs pass, so that they are answered with
    /// BADTRUNC only once they have been verified (RFC 8945 §5.2.4).
    pub library: library::Key,
}

impl Algorithm {
    const ALL: [Algorithm; 3] = [
        Algorithm::HmacSha256,
        Algorithm::HmacSha384,
        Algorithm::HmacSha512,
    ];

    fn text(self) -> &'static str {
        match self {
            Algorithm::HmacSha256 => "hmac-sha256",
            Algorithm::HmacSha384 => "hmac-sha384",
            Algorithm::HmacSha512 => "hmac-sha512",
        }
    }

    /// As it stands in a TSIG record, in lower case.
    pub(super) fn name(self) -> Name {
        self.text().parse().expect("each is one label")
    }

    pub(super) fn from_name(name: &Name) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|own| own.name() == *name)
    }

    pub(super) fn mac_octets(self) -> usize {
        match self {
            Algorithm::HmacSha256 => 32,
            Algorithm::HmacSha384 => 48,
            Algorithm::HmacSha512 => 64,
        }
    }

    /// The shortest MAC that is well formed (RFC 8945 §5.2.2.1).
    pub(super) fn mac_octets_min(self) -> usize {
        self.mac_octets() / 2
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Algorithm::HmacSha256 => hmac::HMAC_SHA256,
            Algorithm::HmacSha384 => hmac::HMAC_SHA384,
            Algorithm::HmacSha512 => hmac::HMAC_SHA512,
        }
    }

    fn library(self) -> library::Algorithm {
        match self {
            Algorithm::HmacSha256 => library::Algorithm::Sha256,
            Algorithm::HmacSha384 => library::Algorithm::Sha384,
            Algorithm::HmacSha512 => library::Algorithm::Sha512,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl FromStr for Algorithm {
    type Err = BadAlgorithm;

    fn from_str(text: &str) -> Result<Self, BadAlgorithm> {
        let plain = text.strip_suffix('.').unwrap_or(text);
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.text().eq_ignore_ascii_case(plain))
            .ok_or_else(|| BadAlgorithm(text.to_owned()))
    }
}

impl Keys {
    pub fn new(
        keys: impl IntoIterator<Item = (Name, Algorithm, Vec<u8>)>,
    ) -> Result<Keys, KeyError> {
        let mut shared = HashMap::new();
        for (name, algorithm, secret) in keys {
            if secret.is_empty() {
                return Err(KeyError::EmptySecret(name));
            }
            let key = Arc::new(Shared::new(name.clone(), algorithm, &secret));
            if shared.insert(name.key(), key).is_some() {
                return Err(KeyError::Duplicate(name));
            }
        }
        Ok(Keys(Arc::new(shared)))
    }

    pub fn contains(&self, name: &Name) -> bool {
        self.find(name).is_some()
    }

    /// Whether both have this key with the same algorithm and secret.
    pub fn agree_on(&self, name: &Name, other: &Keys) -> bool {
        let (Some(one), Some(other)) = (self.find(name), other.find(name)) else {
            return false;
        };
        // Secrets cannot be looked at any more; what they make of a text can.
        let mark = |key: &Shared| hmac::sign(&key.hmac, b"the same key").as_ref().to_vec();
        one.algorithm == other.algorithm && mark(one) == mark(other)
    }

    pub(super) fn find(&self, name: &Name) -> Option<&Arc<Shared>> {
        self.0.get(&name.key())
    }
}

impl Shared {
    fn new(name: Name, algorithm: Algorithm, secret: &[u8]) -> Shared {
        let library_name = LibraryName::from_octets(
            name.as_wire()
                .try_into()
                .expect("a name has at most 255 octets"),
        )
        .expect("a name of ours is a name");
        let library = library::Key::new(
            algorithm.library(),
            secret,
            library_name,
            Some(algorithm.mac_octets_min()),
            None,
        )
        .expect("half a MAC is within the bounds");
        Shared {
            hmac: hmac::Key::new(algorithm.hmac(), secret),
            name,
            algorithm,
            library,
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.values()).finish()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.algorithm)
    }
}

/// A new secret, as long as the algorithm's MAC (RFC 8945 §8).
pub fn generate_secret(algorithm: Algorithm) -> Vec<u8> {
    let mut secret = vec![0; algorithm.mac_octets()];
    getrandom::fill(&mut secret).expect("the system gives random octets");
    secret
}
