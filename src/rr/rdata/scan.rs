//! From presentation form to wire form, field by field.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXUPPER_PERMISSIVE};

use super::form::Field;
use super::{apl, loc, mnemonic, sigtime, svcb, text};
use crate::rr::token::Token;
use crate::rr::{Name, Rtype};

/// What is wrong with the tokens of RDATA, and with which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ScanError {
    /// As many as there are tokens: the record ends too early.
    pub token: usize,
    pub reason: String,
}

pub(super) struct Scan<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    origin: Option<&'t Name>,
    pub wire: Vec<u8>,
}

/// Decimal digits and nothing else.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_decimal = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

/// Seconds, or numbers with the units w, d, h, m, s as most servers read them: `1h30m`.
pub fn duration_secs(text: &str) -> Option<u64> {
    if let Some(secs) = number(text) {
        return Some(secs);
    }
    let mut sum = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let unit = match tail.bytes().next()?.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = &tail[1..];
    }
    (!text.is_empty()).then_some(sum)
}

impl<'t, 'a> Scan<'t, 'a> {
    pub fn new(tokens: &'t [Token<'a>], origin: Option<&'t Name>) -> Self {
        Scan {
            tokens,
            at: 0,
            origin,
            wire: Vec::new(),
        }
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.tokens.len()
    }

    /// The last token taken is not what was expected.
    pub fn wrong(&self, expected: &str) -> ScanError {
        let token = self.at - 1;
        ScanError {
            token,
            reason: format!("expected {expected}, read {}", self.tokens[token]),
        }
    }

    /// The tokens so far are what was expected, and do not make sense together.
    pub fn flawed(&self, flaw: impl std::fmt::Display) -> ScanError {
        ScanError {
            token: self.at.saturating_sub(1),
            reason: flaw.to_string(),
        }
    }

    fn token(&mut self, expected: &str) -> Result<Token<'a>, ScanError> {
        let token = self.tokens.get(self.at).ok_or_else(|| ScanError {
            token: self.at,
            reason: format!("expected {expected}, but the record ends"),
        })?;
        self.at += 1;
        Ok(*token)
    }

    /// A token without quotes.
    pub fn octets(&mut self, expected: &str) -> Result<&'a [u8], ScanError> {
        let token = self.token(expected)?;
        match token.quoted {
            false => Ok(token.text),
            true => Err(self.wrong(expected)),
        }
    }

    /// A token without quotes in which octets are characters.
    pub fn word(&mut self, expected: &str) -> Result<&'a str, ScanError> {
        let octets = self.octets(expected)?;
        std::str::from_utf8(octets).map_err(|_| self.wrong(expected))
    }

    /// The quoted token that touches the last one, if there is one.
    pub fn adjacent_quoted(&mut self) -> Option<&'a [u8]> {
        let token = self.tokens.get(self.at)?;
        let touches = token.quoted && token.adjacent;
        self.at += usize::from(touches);
        touches.then_some(token.text)
    }

    /// All words up to the end, put together.
    fn joined(&mut self, expected: &str) -> Result<Vec<u8>, ScanError> {
        let mut joined = self.octets(expected)?.to_vec();
        while !self.is_at_end() {
            joined.extend_from_slice(self.octets(expected)?);
        }
        Ok(joined)
    }

    /// Nothing may be left.
    pub fn end(&mut self) -> Result<(), ScanError> {
        match self.token("") {
            Err(_) => Ok(()),
            Ok(_) => Err(self.wrong("the end of the record")),
        }
    }

    /// `\# length octets` (RFC 3597 §5), if that is what comes.
    pub fn generic(&mut self) -> Option<Result<(), ScanError>> {
        let first = self.tokens.first()?;
        (first.text == b"\\#" && !first.quoted).then(|| {
            self.at = 1;
            let expected = "a number of octets up to 65535";
            let len: u16 = number(self.word(expected)?).ok_or_else(|| self.wrong(expected))?;
            if !self.is_at_end() {
                self.hex()?;
            }
            match self.wire.len() == usize::from(len) {
                true => Ok(()),
                false => Err(self.flawed(format!(
                    "expected {len} octets in hexadecimal, read {}",
                    self.wire.len()
                ))),
            }
        })
    }

    pub fn field(&mut self, field: Field) -> Result<(), ScanError> {
        match field {
            Field::Name => self.name()?,
            Field::Names => {
                while !self.is_at_end() {
                    self.name()?;
                }
            }
            Field::U8 => {
                let value = self.parsed("a number from 0 to 255", number::<u8>)?;
                self.wire.push(value);
            }
            Field::U16 => {
                let value = self.parsed("a number from 0 to 65535", number::<u16>)?;
                self.wire.extend(value.to_be_bytes());
            }
            Field::U32 => {
                let value = self.parsed("a number from 0 to 4294967295", number::<u32>)?;
                self.wire.extend(value.to_be_bytes());
            }
            Field::Secs => {
                let expected = "seconds up to 4294967295, or numbers with w, d, h, m, s";
                let secs = |text: &str| u32::try_from(duration_secs(text)?).ok();
                let value = self.parsed(expected, secs)?;
                self.wire.extend(value.to_be_bytes());
            }
            Field::Type => {
                let value = self.parsed("a record type", |text| text.parse::<Rtype>().ok())?;
                self.wire.extend(value.0.to_be_bytes());
            }
            Field::Algorithm => {
                let value = self.parsed("an algorithm", mnemonic::algorithm)?;
                self.wire.push(value);
            }
            Field::CertType => {
                let value = self.parsed("a certificate type", mnemonic::cert_type)?;
                self.wire.extend(value.to_be_bytes());
            }
            Field::SigTime => {
                let expected = "a time as YYYYMMDDHHmmSS, or seconds since 1970";
                let value = self.parsed(expected, sigtime::scan)?;
                self.wire.extend(value.to_be_bytes());
            }
            Field::Ipv4 => {
                let value: Ipv4Addr = self.parsed("an IPv4 address", |text| text.parse().ok())?;
                self.wire.extend(value.octets());
            }
            Field::Ipv6 => {
                let value: Ipv6Addr = self.parsed("an IPv6 address", |text| text.parse().ok())?;
                self.wire.extend(value.octets());
            }
            Field::String => self.string()?,
            Field::StringIfAny if self.is_at_end() => {}
            Field::StringIfAny => self.string()?,
            Field::Strings => {
                self.string()?;
                while !self.is_at_end() {
                    self.string()?;
                }
            }
            other => return self.rare_field(other),
        }
        Ok(())
    }

    fn rare_field(&mut self, field: Field) -> Result<(), ScanError> {
        match field {
            Field::Text => {
                let text = self.text()?;
                self.wire.extend(text);
            }
            Field::Tag => {
                let expected = "a property tag: letters and digits, up to 255";
                let is_tag = |tag: &str| {
                    (1..=255).contains(&tag.len()) && tag.bytes().all(|o| o.is_ascii_alphanumeric())
                };
                let tag = self.parsed(expected, |text| is_tag(text).then(|| text.to_owned()))?;
                self.wire.push(tag.len() as u8);
                self.wire.extend(tag.as_bytes());
            }
            Field::Hex | Field::Digest => self.hex()?,
            Field::Base64 => self.base64()?,
            Field::Base64IfAny if self.is_at_end() => {}
            Field::Base64IfAny => self.base64()?,
            Field::Salt => self.salt()?,
            Field::Hash => {
                let hash = |text: &str| {
                    let hash = BASE32HEX_NOPAD
                        .decode(text.to_ascii_uppercase().as_bytes())
                        .ok()?;
                    (1..=255).contains(&hash.len()).then_some(hash)
                };
                let hash = self.parsed("a hash in base32 with extended alphabet", hash)?;
                self.wire.push(hash.len() as u8);
                self.wire.extend(hash);
            }
            Field::Bitmap => self.bitmap()?,
            Field::Gateway => self.gateway()?,
            Field::Eui48 => {
                let value = self.parsed("six octets as 00-00-5e-00-53-2a", eui::<6>)?;
                self.wire.extend(value);
            }
            Field::Eui64 => {
                let value = self.parsed("eight octets as 00-00-5e-ef-10-00-00-2a", eui::<8>)?;
                self.wire.extend(value);
            }
            Field::Locator64 => {
                let value = self.parsed("64 bits as 2001:0db8:1140:1000", locator)?;
                self.wire.extend(value);
            }
            Field::Location => loc::scan(self)?,
            Field::Nsap => {
                let value = self.parsed("0x and hexadecimal digits", nsap)?;
                self.wire.extend(value);
            }
            Field::Prefixes => {
                while !self.is_at_end() {
                    let value = self.parsed("a prefix as 1:192.0.2.0/24", apl::scan)?;
                    self.wire.extend(value);
                }
            }
            Field::HostIdentity => self.host_identity()?,
            Field::Params => svcb::scan(self)?,
            _ => unreachable!("{field:?} is not rare"),
        }
        Ok(())
    }

    fn parsed<T>(
        &mut self,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ScanError> {
        let word = self.word(expected)?;
        parse(word).ok_or_else(|| self.wrong(expected))
    }

    fn name(&mut self) -> Result<(), ScanError> {
        let text = self.octets("a name")?;
        let name = Name::from_zone_text(text, self.origin)
            .map_err(|error| self.flawed(format!("{}: {error}", self.wrong("a name"))))?;
        self.wire.extend_from_slice(name.as_wire());
        Ok(())
    }

    fn text(&mut self) -> Result<Vec<u8>, ScanError> {
        let token = self.token("a string")?;
        text::unescaped(token.text).ok_or_else(|| self.wrong(text::ESCAPES))
    }

    fn string(&mut self) -> Result<(), ScanError> {
        let text = self.text()?;
        let len = u8::try_from(text.len())
            .map_err(|_| self.wrong(&format!("up to 255 octets, not {}", text.len())))?;
        self.wire.push(len);
        self.wire.extend(text);
        Ok(())
    }

    fn hex(&mut self) -> Result<(), ScanError> {
        let digits = self.joined("hexadecimal digits")?;
        let octets = HEXUPPER_PERMISSIVE
            .decode(&digits)
            .map_err(|_| self.wrong("an even number of hexadecimal digits"))?;
        self.wire.extend(octets);
        Ok(())
    }

    fn base64(&mut self) -> Result<(), ScanError> {
        let digits = self.joined("base64")?;
        let octets = BASE64
            .decode(&digits)
            .map_err(|_| self.wrong("base64 to its end"))?;
        self.wire.extend(octets);
        Ok(())
    }

    fn salt(&mut self) -> Result<(), ScanError> {
        let salt = |text: &str| match text {
            "-" => Some(Vec::new()),
            _ => {
                let salt = HEXUPPER_PERMISSIVE.decode(text.as_bytes()).ok()?;
                (1..=255).contains(&salt.len()).then_some(salt)
            }
        };
        let salt = self.parsed("a salt in hexadecimal, or -", salt)?;
        self.wire.push(salt.len() as u8);
        self.wire.extend(salt);
        Ok(())
    }

    fn bitmap(&mut self) -> Result<(), ScanError> {
        let mut types = BTreeSet::new();
        while !self.is_at_end() {
            types.insert(self.parsed("a record type", |text| text.parse::<Rtype>().ok())?);
        }
        super::bitmap::write(&types, &mut self.wire);
        Ok(())
    }

    fn gateway(&mut self) -> Result<(), ScanError> {
        match self.wire[1] {
            0 => self.parsed("a dot: there is no gateway", |text| {
                (text == ".").then_some(())
            }),
            1 => self.field(Field::Ipv4),
            2 => self.field(Field::Ipv6),
            3 => self.name(),
            other => Err(self.flawed(format!("expected a gateway type from 0 to 3, read {other}"))),
        }
    }

    /// Its lengths stand before all, and the key ends at a blank.
    fn host_identity(&mut self) -> Result<(), ScanError> {
        let algorithm = self.parsed("a number from 0 to 255", number::<u8>)?;
        let expected = "an identity in hexadecimal, up to 255 octets";
        let hex = |text: &str| HEXUPPER_PERMISSIVE.decode(text.as_bytes()).ok();
        let identity = self.parsed(expected, hex)?;
        let identity_len = u8::try_from(identity.len()).ok().filter(|len| *len > 0);
        let identity_len = identity_len.ok_or_else(|| self.wrong(expected))?;
        let expected = "a key in base64, up to 65535 octets";
        let key = self.parsed(expected, |text| BASE64.decode(text.as_bytes()).ok())?;
        let key_len = u16::try_from(key.len()).ok().filter(|len| *len > 0);
        let key_len = key_len.ok_or_else(|| self.wrong(expected))?;
        self.wire.extend([identity_len, algorithm]);
        self.wire.extend(key_len.to_be_bytes());
        self.wire.extend(identity);
        self.wire.extend(key);
        Ok(())
    }
}

/// Octets as pairs of digits between hyphens.
fn eui<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut octets = [0; N];
    let mut groups = text.split('-');
    for octet in &mut octets {
        let group = groups.next().filter(|group| group.len() == 2)?;
        *octet = hex_number(group)? as u8;
    }
    groups.next().is_none().then_some(octets)
}

/// Four groups of up to four digits between colons.
fn locator(text: &str) -> Option<[u8; 8]> {
    let mut octets = [0; 8];
    let mut groups = text.split(':');
    for pair in octets.chunks_exact_mut(2) {
        let group = groups
            .next()
            .filter(|group| (1..=4).contains(&group.len()))?;
        pair.copy_from_slice(&hex_number(group)?.to_be_bytes());
    }
    groups.next().is_none().then_some(octets)
}

fn hex_number(digits: &str) -> Option<u16> {
    let is_hex = digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

/// RFC 1706 §6: dots may stand between the digits.
fn nsap(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X"))?;
    let digits = digits.replace('.', "");
    let octets = HEXUPPER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
    (!octets.is_empty()).then_some(octets)
}
