//! What a request is worth (RFC 8945 §5.2): key, MAC, time and truncation, in this order.

use std::sync::Arc;

use super::algorithm::Algorithm;
use super::keys::{Keys, Shared};
use super::record::{self, Tsig, Walked};
use super::sign::{Prior, Signed, digest, seal};
use super::{FUDGE_SECS, record::time48};
use crate::rr::Rtype;
use crate::rr::message::{HEADER_OCTETS, Rcode, UDP_OCTETS_MAX};

/// What is wrong with a signature (RFC 8945 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
enum TsigError {
    Sig = 16,
    Key = 17,
    Time = 18,
    Trunc = 22,
}

/// Of 48 bits, as TSIG counts time.
const TIME_MAX: u64 = (1 << 48) - 1;

#[derive(Debug)]
pub enum Checked {
    /// It has no TSIG record.
    Unsigned,
    Signed(Signed),
    /// It is answered with NOTAUTH: the response is complete, and signed where it may be.
    Rejected {
        response: Vec<u8>,
        /// One sentence for the log.
        reason: String,
    },
    /// It cannot be walked over, or its TSIG record is not the last one or not well formed:
    /// FORMERR.
    Malformed,
}

/// Checks a request against our keys and our clock.
pub fn check(keys: &Keys, message: &[u8], now_unix: u64) -> Checked {
    let Ok(walked) = record::walk(message) else {
        return Checked::Malformed;
    };
    let Some((tsig, start)) = &walked.tsig else {
        return Checked::Unsigned;
    };
    let request = Request {
        message,
        walked: &walked,
        tsig,
        start: *start,
        now: now_unix.min(TIME_MAX),
    };
    let key = match request.key(keys) {
        Ok(key) => key,
        Err(reason) => return request.reject_unsigned(TsigError::Key, reason),
    };
    // §5.2.2.1: neither longer than the algorithm's nor less than half of it.
    let lengths = key.algorithm.mac_octets_min()..=key.algorithm.mac_octets();
    if !lengths.contains(&tsig.mac.len()) {
        return Checked::Malformed;
    }
    request.check_with(key)
}

/// A request that has a TSIG record.
struct Request<'a> {
    message: &'a [u8],
    walked: &'a Walked,
    tsig: &'a Tsig,
    /// Where the TSIG record starts.
    start: usize,
    now: u64,
}

impl Request<'_> {
    /// §5.2.1.
    fn key<'k>(&self, keys: &'k Keys) -> Result<&'k Arc<Shared>, String> {
        let (name, algorithm) = (&self.tsig.key, &self.tsig.algorithm);
        let key = keys
            .find(name)
            .ok_or_else(|| format!("BADKEY: no key is named {name}"))?;
        match Algorithm::from_name(algorithm) == Some(key.algorithm) {
            true => Ok(key),
            false => Err(format!(
                "BADKEY: the key {name} is for {}, not for {algorithm}",
                key.algorithm
            )),
        }
    }

    fn check_with(&self, key: &Arc<Shared>) -> Checked {
        let (name, now) = (&key.name, self.now);
        let Tsig {
            mac,
            time_signed,
            fudge,
            ..
        } = self.tsig;
        let message = self.unsigned();
        if !digest(key, &[&message], &self.covered()).begins_with(mac) {
            let reason = format!("BADSIG: the MAC of the key {name} does not verify");
            return self.reject_unsigned(TsigError::Sig, reason);
        }
        let apart = now.abs_diff(*time_signed);
        if apart > u64::from(FUDGE_SECS.min(*fudge)) {
            let reason = format!(
                "BADTIME: key {name} signed at {time_signed}, it is {now}: {apart} s apart"
            );
            return self.reject_badtime(key, reason);
        }
        let (had, full) = (mac.len(), key.algorithm.mac_octets());
        if had < full {
            let reason = format!("BADTRUNC: the MAC of the key {name} has {had} of {full} octets");
            return self.reject_badtrunc(key, reason);
        }
        Checked::Signed(Signed {
            key: name.clone(),
            mac: mac.clone(),
            message,
            wire_id: u16::from_be_bytes([self.message[0], self.message[1]]),
            shared: key.clone(),
        })
    }

    /// The message as it was before it was signed, with the ID that its sender gave it (§5.2.2).
    fn unsigned(&self) -> Vec<u8> {
        let mut message = self.message[..self.start].to_vec();
        message[..2].copy_from_slice(&self.tsig.original_id.to_be_bytes());
        let count = u16::from_be_bytes([message[10], message[11]]);
        // The record that is taken off was counted.
        message[10..HEADER_OCTETS].copy_from_slice(&(count - 1).to_be_bytes());
        message
    }

    /// What the request's own signature covers beside the message.
    fn covered(&self) -> Prior<'_> {
        Prior {
            mac: None,
            time_signed: self.tsig.time_signed,
            fudge: self.tsig.fudge,
            error: self.tsig.error,
            other: self.tsig.other.clone(),
        }
    }

    /// §5.2.1, §5.2.2: key and MAC errors are answered without a MAC.
    fn reject_unsigned(&self, error: TsigError, reason: String) -> Checked {
        let mut response = self.refusal();
        let tsig = Tsig {
            mac: Vec::new(),
            original_id: u16::from_be_bytes([response[0], response[1]]),
            error: error as u16,
            other: Vec::new(),
            ..self.tsig.clone()
        };
        tsig.write(&mut response);
        response[HEADER_OCTETS - 1] += 1;
        Checked::Rejected { response, reason }
    }

    /// §5.2.3: with the client's time and fudge, so that it can verify the answer, and with ours
    /// beside them.
    fn reject_badtime(&self, key: &Shared, reason: String) -> Checked {
        self.reject_signed(
            key,
            TsigError::Time,
            reason,
            (self.tsig.time_signed, self.tsig.fudge),
            time48(self.now).to_vec(),
        )
    }

    /// §5.2.4. We offer no truncation and accept none.
    fn reject_badtrunc(&self, key: &Shared, reason: String) -> Checked {
        let clock = (self.now, FUDGE_SECS);
        self.reject_signed(key, TsigError::Trunc, reason, clock, Vec::new())
    }

    fn reject_signed(
        &self,
        key: &Shared,
        error: TsigError,
        reason: String,
        (time_signed, fudge): (u64, u16),
        other: Vec<u8>,
    ) -> Checked {
        let mut response = self.refusal();
        let prior = Prior {
            mac: Some(&self.tsig.mac),
            time_signed,
            fudge,
            error: error as u16,
            other,
        };
        match seal(key, &mut response, prior) {
            Ok(()) => Checked::Rejected { response, reason },
            Err(_) => Checked::Malformed,
        }
    }

    /// A NOTAUTH with the question of the request, and an OPT where it had one.
    fn refusal(&self) -> Vec<u8> {
        const QR: u8 = 0x80;
        const OPCODE_AND_RD: u8 = 0x79;
        let request = self.message;
        let end = self.walked.question_end.unwrap_or(HEADER_OCTETS);
        let mut response = request[..end].to_vec();
        response[2] = QR | request[2] & OPCODE_AND_RD;
        response[3] = Rcode::NotAuth.code() as u8;
        response[4..HEADER_OCTETS].fill(0);
        response[5] = u8::from(end > HEADER_OCTETS);
        if self.walked.has_opt {
            response.push(0);
            response.extend_from_slice(&Rtype::OPT.0.to_be_bytes());
            response.extend_from_slice(&(UDP_OCTETS_MAX as u16).to_be_bytes());
            response.extend_from_slice(&[0; 6]);
            response[HEADER_OCTETS - 1] = 1;
        }
        response
    }
}
