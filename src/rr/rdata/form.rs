//! What the RDATA of each type is made of. Reading and writing presentation form, checking wire
//! form, comparing and finding names all follow from this table.

use crate::rr::Rtype;

/// One part of RDATA, in the order of the wire, which is that of presentation form too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    /// Names up to the end: none or more.
    Names,
    U8,
    U16,
    U32,
    /// 32 bits; zone files may write it with units, as `1h30m`.
    Secs,
    Type,
    /// A DNSSEC algorithm, by number or mnemonic.
    Algorithm,
    /// A certificate type, by number or mnemonic (RFC 4398 §2.1).
    CertType,
    /// A time of a signature (RFC 4034 §3.2).
    SigTime,
    Ipv4,
    Ipv6,
    /// A character-string (RFC 1035 §3.3).
    String,
    /// Another character-string, or the end.
    StringIfAny,
    /// Character-strings up to the end: one or more.
    Strings,
    /// Text up to the end, without a length before it.
    Text,
    /// A character-string of letters and digits (RFC 8659 §4.1).
    Tag,
    /// Octets up to the end: one or more.
    Hex,
    Base64,
    /// Octets up to the end: none or more.
    Base64IfAny,
    /// The digest of a DS, whose length follows from the digest type before it.
    Digest,
    /// Octets with their number before them, `-` when there are none (RFC 5155 §3.3).
    Salt,
    /// A hashed owner with its length before it, in base32 with the extended alphabet.
    Hash,
    /// Types that exist (RFC 4034 §4.1.2), up to the end.
    Bitmap,
    /// What the type in the second octet says: nothing, an address, a name (RFC 4025 §2.5).
    Gateway,
    Eui48,
    Eui64,
    /// 64 bits in four groups of hexadecimal digits (RFC 6742).
    Locator64,
    Location,
    Nsap,
    /// Prefixes up to the end (RFC 3123).
    Prefixes,
    /// Two lengths, an algorithm, an identity and a key (RFC 8005 §5).
    HostIdentity,
    /// Parameters of a service up to the end (RFC 9460 §2.2).
    Params,
}

/// How names in RDATA are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// As any other octets: never compressed, compared with their case (RFC 3597 §4, §7).
    Plain,
    /// Never compressed; compared without case (RFC 4034 §6.2).
    Lowered,
    /// Never compressed by us, though others may; compared without case (RFC 3597 §4).
    Legacy,
    /// The types of RFC 1035: compressed in messages.
    Compressed,
}

#[derive(Debug)]
pub(super) struct Form {
    pub names: Names,
    pub fields: &'static [Field],
}

macro_rules! forms {
    ($($codes:pat => $names:ident: $($field:ident)*;)*) => {
        /// What we know of a type; `None`: its data are octets (RFC 3597).
        pub(super) fn form(rtype: Rtype) -> Option<&'static Form> {
            Some(match rtype.0 {
                $($codes => &Form { names: Names::$names, fields: &[$(Field::$field),*] },)*
                _ => return None,
            })
        }
    };
}

forms! {
    // A, AAAA
    1 => Plain: Ipv4;
    28 => Plain: Ipv6;
    // NS, MD, MF, CNAME, MB, MG, MR, PTR
    2..=5 | 7..=9 | 12 => Compressed: Name;
    // SOA
    6 => Compressed: Name Name U32 Secs Secs Secs Secs;
    // HINFO, MINFO, MX
    13 => Plain: String String;
    14 => Compressed: Name Name;
    15 => Compressed: U16 Name;
    // TXT, SPF, AVC
    16 | 99 | 258 => Plain: Strings;
    // RP, AFSDB, X25, ISDN, RT, NSAP
    17 => Legacy: Name Name;
    18 | 21 => Legacy: U16 Name;
    19 => Plain: String;
    20 => Plain: String StringIfAny;
    22 => Plain: Nsap;
    // SIG, RRSIG
    24 => Legacy: Type Algorithm U8 Secs SigTime SigTime U16 Name Base64;
    46 => Lowered: Type Algorithm U8 Secs SigTime SigTime U16 Name Base64;
    // KEY: there are keys that say that there is none
    25 => Plain: U16 U8 Algorithm Base64IfAny;
    // PX, GPOS, LOC
    26 => Legacy: U16 Name Name;
    27 => Plain: String String String;
    29 => Plain: Location;
    // SRV, NAPTR, KX, CERT, DNAME
    33 => Legacy: U16 U16 U16 Name;
    35 => Legacy: U16 U16 String String String Name;
    36 => Lowered: U16 Name;
    37 => Plain: CertType U16 Algorithm Base64;
    39 => Lowered: Name;
    // APL
    42 => Plain: Prefixes;
    // DS, CDS, DLV
    43 | 59 | 32769 => Plain: U16 Algorithm U8 Digest;
    // SSHFP, IPSECKEY, NSEC, DHCID
    44 => Plain: U8 U8 Hex;
    45 => Plain: U8 U8 U8 Gateway Base64IfAny;
    // Its name keeps its case (RFC 6840 §5.1).
    47 => Plain: Name Bitmap;
    49 => Plain: Base64;
    // DNSKEY, CDNSKEY
    48 | 60 => Plain: U16 U8 Algorithm Base64;
    // NSEC3, NSEC3PARAM
    50 => Plain: U8 U8 U16 Salt Hash Bitmap;
    51 => Plain: U8 U8 U16 Salt;
    // TLSA, SMIMEA
    52 | 53 => Plain: U8 U8 U8 Hex;
    // HIP
    55 => Plain: HostIdentity Names;
    // OPENPGPKEY, CSYNC, ZONEMD
    61 => Plain: Base64;
    62 => Plain: U32 U16 Bitmap;
    63 => Plain: U32 U8 U8 Hex;
    // SVCB, HTTPS
    64 | 65 => Plain: U16 Name Params;
    // NID, L32, L64, LP, EUI48, EUI64
    104 | 106 => Plain: U16 Locator64;
    105 => Plain: U16 Ipv4;
    107 => Plain: U16 Name;
    108 => Plain: Eui48;
    109 => Plain: Eui64;
    // URI, CAA
    256 => Plain: U16 U16 Text;
    257 => Plain: U8 Tag Text;
}
