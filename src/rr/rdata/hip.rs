//! The fixed part of HIP (RFC 8005 §5): its lengths stand first on the wire, and are not written.

use super::walk::Flaw;

/// Octets before the identity: its length, the algorithm, the key's length.
pub(super) const HEAD: usize = 4;

/// Octets up to the rendezvous servers.
pub(super) fn len(rdata: &[u8]) -> Result<usize, Flaw> {
    let [identity, _, high, low, ..] = *rdata else {
        return Err("they end too early".into());
    };
    let key = u16::from_be_bytes([high, low]);
    if identity == 0 || key == 0 {
        return Err("the identity or the key is empty".into());
    }
    Ok(HEAD + usize::from(identity) + usize::from(key))
}

/// The algorithm, the identity and the key of a checked part.
pub(super) fn parts(part: &[u8]) -> (u8, &[u8], &[u8]) {
    let (identity, key) = part[HEAD..].split_at(usize::from(part[0]));
    (part[1], identity, key)
}
