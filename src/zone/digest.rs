//! An additive digest of a set of records: it changes in the size of the change.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::rr::{Name, RrSet};

/// The sum, modulo 2^256, of the SHA-256 of every record: owner in lower case, type, TTL, RDATA as
/// it is spelled. It finds damage; it is no defence against somebody who computes collisions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Digest([u64; 4]);

impl Digest {
    pub fn add(&mut self, owner: &Name, rrset: &RrSet) {
        self.each(owner, rrset, |sum, term| {
            let (value, carry) = sum.0.overflowing_add(term);
            let (value, again) = value.overflowing_add(sum.1);
            (value, u64::from(carry | again))
        });
    }

    pub fn subtract(&mut self, owner: &Name, rrset: &RrSet) {
        self.each(owner, rrset, |sum, term| {
            let (value, borrow) = sum.0.overflowing_sub(term);
            let (value, again) = value.overflowing_sub(sum.1);
            (value, u64::from(borrow | again))
        });
    }

    fn each(&mut self, owner: &Name, rrset: &RrSet, step: impl Fn((u64, u64), u64) -> (u64, u64)) {
        let mut start = Sha256::new();
        start.update(owner.as_wire().to_ascii_lowercase());
        start.update(rrset.rtype().0.to_be_bytes());
        start.update(rrset.ttl().to_be_bytes());
        for rdata in rrset.rdatas() {
            let hash: [u8; 32] = start.clone().chain_update(rdata).finalize().into();
            let mut carry = 0;
            for (limb, octets) in self.0.iter_mut().zip(hash.chunks_exact(8)) {
                let term = u64::from_le_bytes(octets.try_into().expect("chunks of eight"));
                (*limb, carry) = step((*limb, carry), term);
            }
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .rev()
            .try_for_each(|limb| write!(f, "{limb:016x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a digest: 64 hexadecimal digits")]
pub struct BadDigest(String);

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let bad = || BadDigest(text.to_owned());
        if text.len() != 64 || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let mut limbs = [0; 4];
        for (limb, at) in limbs.iter_mut().rev().zip((0..64).step_by(16)) {
            *limb = u64::from_str_radix(&text[at..at + 16], 16).map_err(|_| bad())?;
        }
        Ok(Digest(limbs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rr::Rtype;

    #[test]
    fn adding_and_subtracting_in_any_order_comes_back() {
        let a: Name = "a.example.".parse().unwrap();
        let set = |n: u8| RrSet::new(Rtype::A, 60, (0..n).map(|i| [192, 0, 2, i])).unwrap();
        let mut sum = Digest::default();
        for n in 1..200 {
            sum.add(&a, &set(n));
        }
        let whole = sum;
        assert_eq!(whole.to_string().parse::<Digest>().unwrap(), whole);
        for n in (1..200).rev() {
            sum.subtract(&a, &set(n));
        }
        assert_eq!(sum, Digest::default());
        let (mut upper, mut lower) = (Digest::default(), Digest::default());
        upper.add(&"A.Example.".parse().unwrap(), &set(3));
        lower.add(&a, &set(3));
        assert_eq!(upper, lower);
    }
}
