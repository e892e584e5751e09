//! A client with a key, that can sign whatever octets it has (RFC 8945 §4).

use ring::hmac;

/// The key `fuzz.` of hmac-sha256.
pub const SECRET: &[u8; 32] = b"everybody may know this secret!!";
pub const NOW_UNIX: u64 = 1_800_000_000;

const KEY: &[u8] = b"\x04fuzz\0";
const ALGORITHM: &[u8] = b"\x0bhmac-sha256\0";
const FUDGE: u16 = 300;
/// Of a TSIG record of ours: owner, type, class, TTL, length; algorithm, times, MAC, ID, error, other.
const MAC_AT: usize = KEY.len() + 10 + ALGORITHM.len() + 10;
const MAC_OCTETS: usize = 32;
const RECORD_OCTETS: usize = MAC_AT + MAC_OCTETS + 6;

/// The message with a TSIG record behind it; shorter than a header it stays as it is.
pub fn signed(message: &[u8], at_unix: u64) -> Vec<u8> {
    let Some(count) = message.get(10..12) else {
        return message.to_vec();
    };
    let count = u16::from_be_bytes([count[0], count[1]]).wrapping_add(1);
    let time = &at_unix.to_be_bytes()[2..];
    let mut variables = [KEY, &[0, 255, 0, 0, 0, 0], ALGORITHM, time].concat();
    variables.extend_from_slice(&FUDGE.to_be_bytes());
    variables.extend_from_slice(&[0; 4]);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let mac = hmac::sign(&key, &[message, &variables].concat());
    let mut rdata = [ALGORITHM, time].concat();
    rdata.extend_from_slice(&FUDGE.to_be_bytes());
    rdata.extend_from_slice(&(mac.as_ref().len() as u16).to_be_bytes());
    rdata.extend_from_slice(mac.as_ref());
    rdata.extend_from_slice(&message[..2]);
    rdata.extend_from_slice(&[0; 4]);
    let mut signed = [message, KEY, &[0, 250, 0, 255, 0, 0, 0, 0]].concat();
    signed.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
    signed.extend_from_slice(&rdata);
    signed[10..12].copy_from_slice(&count.to_be_bytes());
    signed
}

/// Whether the answer is signed for this request (§4.3.2, §5.3): computed here, with nothing of the
/// server's.
pub fn verifies(request: &[u8], answer: &[u8]) -> bool {
    let Some(start) = answer.len().checked_sub(RECORD_OCTETS) else {
        return false;
    };
    let (message, record) = answer.split_at(start);
    let mut message = message.to_vec();
    let count = u16::from_be_bytes([message[10], message[11]]);
    message[10..12].copy_from_slice(&count.wrapping_sub(1).to_be_bytes());
    // A client that keeps to the RFC restores the ID that it signed.
    let (mac, rest) = record[MAC_AT..].split_at(MAC_OCTETS);
    message[..2].copy_from_slice(&rest[..2]);
    let asked = &request[request.len() - RECORD_OCTETS..][MAC_AT..][..MAC_OCTETS];
    let times = &record[MAC_AT - 10..MAC_AT - 2];
    let signed = [
        &(MAC_OCTETS as u16).to_be_bytes()[..],
        asked,
        &message,
        KEY,
        &[0, 255, 0, 0, 0, 0],
        ALGORITHM,
        times,
        &rest[2..],
    ];
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    hmac::verify(&key, &signed.concat(), mac).is_ok()
}
