//! The algorithms (RFC 8945 §6) and their MACs. No MD5.

use std::fmt;
use std::str::FromStr;

use hmac::{KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::rr::Name;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    HmacSha1,
    HmacSha224,
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not offered: hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224 or hmac-sha1")]
pub struct BadAlgorithm(String);

impl Algorithm {
    const ALL: [Algorithm; 5] = [
        Algorithm::HmacSha1,
        Algorithm::HmacSha224,
        Algorithm::HmacSha256,
        Algorithm::HmacSha384,
        Algorithm::HmacSha512,
    ];
    /// No MAC is cut to less, whatever the hash (RFC 8945 §5.2.2.1).
    const MAC_OCTETS_LEAST: usize = 10;

    fn text(self) -> &'static str {
        match self {
            Algorithm::HmacSha1 => "hmac-sha1",
            Algorithm::HmacSha224 => "hmac-sha224",
            Algorithm::HmacSha256 => "hmac-sha256",
            Algorithm::HmacSha384 => "hmac-sha384",
            Algorithm::HmacSha512 => "hmac-sha512",
        }
    }

    /// Not recommended for use (RFC 8945 §6), and for nobody who did not ask for it.
    pub fn is_weak(self) -> bool {
        self == Algorithm::HmacSha1
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
            Algorithm::HmacSha1 => 20,
            Algorithm::HmacSha224 => 28,
            Algorithm::HmacSha256 => 32,
            Algorithm::HmacSha384 => 48,
            Algorithm::HmacSha512 => 64,
        }
    }

    /// The shortest MAC that is well formed (RFC 8945 §5.2.2.1).
    pub(super) fn mac_octets_min(self) -> usize {
        Algorithm::MAC_OCTETS_LEAST.max(self.mac_octets() / 2)
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

/// A MAC being made of octets.
#[derive(Clone)]
pub(super) enum Hmac {
    Sha1(hmac::Hmac<Sha1>),
    Sha224(hmac::Hmac<Sha224>),
    Sha256(hmac::Hmac<Sha256>),
    Sha384(hmac::Hmac<Sha384>),
    Sha512(hmac::Hmac<Sha512>),
}

impl Hmac {
    pub fn new(algorithm: Algorithm, secret: &[u8]) -> Hmac {
        fn keyed<M: KeyInit>(secret: &[u8]) -> M {
            M::new_from_slice(secret).expect("HMAC takes a secret of any length")
        }
        match algorithm {
            Algorithm::HmacSha1 => Hmac::Sha1(keyed(secret)),
            Algorithm::HmacSha224 => Hmac::Sha224(keyed(secret)),
            Algorithm::HmacSha256 => Hmac::Sha256(keyed(secret)),
            Algorithm::HmacSha384 => Hmac::Sha384(keyed(secret)),
            Algorithm::HmacSha512 => Hmac::Sha512(keyed(secret)),
        }
    }

    pub fn update(&mut self, octets: &[u8]) {
        match self {
            Hmac::Sha1(hmac) => hmac.update(octets),
            Hmac::Sha224(hmac) => hmac.update(octets),
            Hmac::Sha256(hmac) => hmac.update(octets),
            Hmac::Sha384(hmac) => hmac.update(octets),
            Hmac::Sha512(hmac) => hmac.update(octets),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        match self {
            Hmac::Sha1(hmac) => hmac.finalize().into_bytes().to_vec(),
            Hmac::Sha224(hmac) => hmac.finalize().into_bytes().to_vec(),
            Hmac::Sha256(hmac) => hmac.finalize().into_bytes().to_vec(),
            Hmac::Sha384(hmac) => hmac.finalize().into_bytes().to_vec(),
            Hmac::Sha512(hmac) => hmac.finalize().into_bytes().to_vec(),
        }
    }

    /// Whether this is the MAC, or how it begins. The time it takes says nothing of where the two
    /// differ.
    pub fn begins_with(self, mac: &[u8]) -> bool {
        let verified = match self {
            Hmac::Sha1(hmac) => hmac.verify_truncated_left(mac),
            Hmac::Sha224(hmac) => hmac.verify_truncated_left(mac),
            Hmac::Sha256(hmac) => hmac.verify_truncated_left(mac),
            Hmac::Sha384(hmac) => hmac.verify_truncated_left(mac),
            Hmac::Sha512(hmac) => hmac.verify_truncated_left(mac),
        };
        verified.is_ok()
    }
}
