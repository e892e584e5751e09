//! The keys we share with others. Secrets are in here and in no message, log or error.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::algorithm::{Algorithm, Hmac};
use crate::rr::{Key, Name};

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
    /// With the secret in it, before any octet.
    pub hmac: Hmac,
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
        let mark = |key: &Shared| {
            let mut hmac = key.hmac.clone();
            hmac.update(b"the same key");
            hmac.finish()
        };
        one.algorithm == other.algorithm && mark(one) == mark(other)
    }

    pub(super) fn find(&self, name: &Name) -> Option<&Arc<Shared>> {
        self.0.get(&name.key())
    }
}

impl Shared {
    fn new(name: Name, algorithm: Algorithm, secret: &[u8]) -> Shared {
        Shared {
            hmac: Hmac::new(algorithm, secret),
            name,
            algorithm,
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
