//! Names of numbers in RDATA. They are read, and numbers written, which everybody reads.

/// DNSSEC algorithms (RFC 4034 A.1 and the registry).
const ALGORITHMS: [(&str, u8); 17] = [
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("ECC", 4),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3DSA", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("NSEC3RSASHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
];
const PRIVATE_ALGORITHMS: [(&str, u8); 2] = [("PRIVATEDNS", 253), ("PRIVATEOID", 254)];

/// Certificates (RFC 4398 §2.1).
const CERT_TYPES: [(&str, u16); 10] = [
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

pub(super) fn algorithm(text: &str) -> Option<u8> {
    let mut names = ALGORITHMS.iter().chain(&PRIVATE_ALGORITHMS);
    match names.find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        Some((_, number)) => Some(*number),
        None => super::scan::number(text),
    }
}

pub(super) fn cert_type(text: &str) -> Option<u16> {
    match CERT_TYPES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
    {
        Some((_, number)) => Some(*number),
        None => super::scan::number(text),
    }
}
