//! What a key may do: owners, types, data, operations, and where from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::range;
use super::{GuardError, Prefix, RdataRange};
use crate::rr::{Name, Rtype};

/// One thing that a key may do. What no permit allows is denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permit {
    /// `None`: every zone.
    pub zone: Option<Name>,
    pub names: Vec<OwnerPattern>,
    /// Empty: any.
    pub types: Vec<Rtype>,
    /// Empty: any. A range limits the types it fits.
    pub rdata: Vec<RdataRange>,
    /// Empty: any.
    pub operations: Vec<Right>,
    /// Where requests must come from. Empty: anywhere.
    pub from: Vec<Prefix>,
}

/// What may be done with what a permit covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Add records.
    Add,
    /// Delete in every form: records, RRsets, names.
    Delete,
    /// Delete records one by one, each named with its data. What others put beside them stays.
    DeleteRecord,
}

/// Owners, relative to the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerPattern {
    /// `@`
    Apex,
    /// `api`: this owner. Its labels stand under the root here.
    Exact(Name),
    /// `*.dyn`: all owners strictly below this one, the wildcard `*.dyn` among them; `*`: all but
    /// the apex.
    Below(Name),
    /// `**`
    Whole,
}

/// Whether a key with these permits has any right in a zone, asking from there. One without is told
/// nothing else.
pub fn may_touch(permits: &[Permit], zone: &Name, source: Option<IpAddr>) -> bool {
    let has_right = |permit: &&Permit| permit.is_for(zone) && !permit.names.is_empty();
    permits
        .iter()
        .filter(has_right)
        .any(|permit| permit.is_from(source))
}

impl Permit {
    pub fn is_for(&self, zone: &Name) -> bool {
        self.zone.as_ref().is_none_or(|own| own == zone)
    }

    pub fn is_from(&self, source: Option<IpAddr>) -> bool {
        let is_in = |source: IpAddr| self.from.iter().any(|prefix| prefix.contains(source));
        self.from.is_empty()
            || source
                .map(|source| source.to_canonical())
                .is_some_and(is_in)
    }

    pub(super) fn allows_owner(&self, owner: &Name, origin: &Name) -> bool {
        self.is_for(origin) && self.names.iter().any(|name| name.matches(owner, origin))
    }

    pub(super) fn allows_type(&self, rtype: Rtype) -> bool {
        self.types.is_empty() || self.types.contains(&rtype)
    }

    pub(super) fn allows_data(&self, rtype: Rtype, data: &[u8]) -> bool {
        range::allow(&self.rdata, rtype, data)
    }

    pub fn allows(&self, right: Right) -> bool {
        let covers = |own: &Right| match own {
            Right::Delete => right != Right::Add,
            other => *other == right,
        };
        self.operations.is_empty() || self.operations.iter().any(covers)
    }
}

impl FromStr for Right {
    type Err = GuardError;

    fn from_str(text: &str) -> Result<Self, GuardError> {
        match text {
            "add" => Ok(Right::Add),
            "delete" => Ok(Right::Delete),
            "delete-record" => Ok(Right::DeleteRecord),
            _ => Err(GuardError::BadRight(text.to_owned())),
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Right::Add => "add",
            Right::Delete => "delete",
            Right::DeleteRecord => "delete-record",
        })
    }
}

impl OwnerPattern {
    /// Whether an absolute owner is one of these in the zone `origin`.
    pub fn matches(&self, owner: &Name, origin: &Name) -> bool {
        let absolute = |relative: &Name| relative.replace_suffix(&Name::root(), origin).ok();
        match self {
            OwnerPattern::Apex => owner == origin,
            OwnerPattern::Exact(relative) => absolute(relative).as_ref() == Some(owner),
            OwnerPattern::Below(relative) => {
                absolute(relative).is_some_and(|above| owner.is_below(&above))
            }
            OwnerPattern::Whole => owner.is_at_or_below(origin),
        }
    }
}

impl FromStr for OwnerPattern {
    type Err = GuardError;

    fn from_str(text: &str) -> Result<Self, GuardError> {
        let relative = |text: &str| -> Result<Name, GuardError> {
            let bad = || GuardError::BadOwner(text.to_owned());
            // A last dot would say that the name is absolute.
            if text.is_empty() || text.ends_with('.') {
                return Err(bad());
            }
            text.parse().map_err(|_| bad())
        };
        match text {
            "@" => Ok(OwnerPattern::Apex),
            "**" => Ok(OwnerPattern::Whole),
            "*" => Ok(OwnerPattern::Below(Name::root())),
            _ => match text.strip_prefix("*.") {
                Some(above) => relative(above).map(OwnerPattern::Below),
                None => relative(text).map(OwnerPattern::Exact),
            },
        }
    }
}

impl fmt::Display for OwnerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relative = |name: &Name| {
            let mut text = name.to_string();
            text.pop();
            text
        };
        match self {
            OwnerPattern::Apex => f.write_str("@"),
            OwnerPattern::Exact(name) => f.write_str(&relative(name)),
            OwnerPattern::Below(name) if name.is_root() => f.write_str("*"),
            OwnerPattern::Below(name) => write!(f, "*.{}", relative(name)),
            OwnerPattern::Whole => f.write_str("**"),
        }
    }
}

impl Serialize for OwnerPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Permit {
    /// For people who ask what would be accepted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: ToString>(items: &[T]) -> String {
            if items.is_empty() {
                return "any".to_owned();
            }
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            items.join(", ")
        }
        if !self.operations.is_empty() {
            write!(f, "{} for ", list(&self.operations))?;
        }
        write!(f, "names {}", list(&self.names))?;
        write!(f, " with types {}", list(&self.types))?;
        if !self.rdata.is_empty() {
            write!(f, " and data in {}", list(&self.rdata))?;
        }
        match self.from.as_slice() {
            [] => Ok(()),
            from => write!(f, ", from {}", list(from)),
        }
    }
}
