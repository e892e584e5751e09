//! MACs of what we send (RFC 8945 §4.3, §5.3).

use std::sync::Arc;

use super::FUDGE_SECS;
use super::algorithm::Hmac;
use super::keys::Shared;
use super::record::{Tsig, time48};
use crate::rr::Name;
use crate::rr::message::{CLASS_ANY, HEADER_OCTETS};

/// A request whose signature is good, and what signs the answer to it.
#[derive(Debug)]
pub struct Signed {
    /// As it is spelled in our configuration.
    pub key: Name,
    pub mac: Vec<u8>,
    /// The request as it was before it was signed: no TSIG, the ID that its sender gave it.
    pub message: Vec<u8>,
    pub(super) wire_id: u16,
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("a response without a whole header cannot be signed")]
    NoHeader,
    #[error("with its signature the response would be longer than a message can be")]
    Long,
}

impl Signed {
    /// Signs the response, which then has the ID under which the request came, and appends the
    /// TSIG record. On an error the response stays without.
    pub fn sign(self, response: &mut Vec<u8>, now_unix: u64) -> Result<(), SignError> {
        let id = response.first_chunk_mut().ok_or(SignError::NoHeader)?;
        *id = self.wire_id.to_be_bytes();
        let prior = Prior {
            mac: Some(&self.mac),
            time_signed: now_unix,
            fudge: FUDGE_SECS,
            error: 0,
            other: Vec::new(),
        };
        seal(&self.shared, response, prior)
    }

    /// The octets that signing will add.
    pub fn octets(&self) -> usize {
        let mac = vec![0; self.shared.algorithm.mac_octets()];
        let tsig = tsig(&self.shared, mac, 0, Prior::default());
        tsig.octets()
    }
}

/// What a signature covers beside the message.
#[derive(Default)]
pub(super) struct Prior<'a> {
    /// Of an answer: the MAC of the request.
    pub mac: Option<&'a [u8]>,
    pub time_signed: u64,
    pub fudge: u16,
    pub error: u16,
    pub other: Vec<u8>,
}

fn tsig(key: &Shared, mac: Vec<u8>, original_id: u16, prior: Prior<'_>) -> Tsig {
    Tsig {
        key: key.name.clone(),
        algorithm: key.algorithm.name(),
        time_signed: prior.time_signed,
        fudge: prior.fudge,
        mac,
        original_id,
        error: prior.error,
        other: prior.other,
    }
}

/// Signs a response and appends the TSIG record.
pub(super) fn seal(
    key: &Shared,
    response: &mut Vec<u8>,
    prior: Prior<'_>,
) -> Result<(), SignError> {
    let header = response
        .first_chunk::<HEADER_OCTETS>()
        .ok_or(SignError::NoHeader)?;
    let id = u16::from_be_bytes([header[0], header[1]]);
    let count = u16::from_be_bytes([header[10], header[11]]);
    let count = count.checked_add(1).ok_or(SignError::Long)?;
    let mac = mac(key, response, &prior);
    let tsig = tsig(key, mac, id, prior);
    if response.len() + tsig.octets() > usize::from(u16::MAX) {
        return Err(SignError::Long);
    }
    tsig.write(response);
    response[10..HEADER_OCTETS].copy_from_slice(&count.to_be_bytes());
    Ok(())
}

fn mac(key: &Shared, response: &[u8], prior: &Prior<'_>) -> Vec<u8> {
    digest(key, &[response], prior).finish()
}

/// What a MAC is of (§4.3): for a response the request's MAC, then the message before the TSIG
/// record, in parts, and the record's own fields, names in lower case.
pub(super) fn digest(key: &Shared, message: &[&[u8]], prior: &Prior<'_>) -> Hmac {
    let mut hmac = key.hmac.clone();
    let length = |octets: &[u8]| (octets.len() as u16).to_be_bytes();
    if let Some(mac) = prior.mac {
        hmac.update(&length(mac));
        hmac.update(mac);
    }
    for part in message {
        hmac.update(part);
    }
    hmac.update(key.name.key().as_bytes());
    hmac.update(&CLASS_ANY.to_be_bytes());
    hmac.update(&[0; 4]);
    hmac.update(key.algorithm.name().as_wire());
    hmac.update(&time48(prior.time_signed));
    hmac.update(&prior.fudge.to_be_bytes());
    hmac.update(&prior.error.to_be_bytes());
    hmac.update(&length(&prior.other));
    hmac.update(&prior.other);
    hmac
}
