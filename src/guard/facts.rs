//! What a verdict rests on besides the two images: plain data, gathered in the transaction that
//! commits the change.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{GuardError, Permit};
use crate::rr::{Name, Rtype};
use crate::zone::{Diff, Operation};

/// Which way a change came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Path {
    #[serde(rename = "update")]
    Update,
    #[serde(rename = "cli")]
    Cli,
    #[serde(rename = "import")]
    Import,
    #[serde(rename = "edit by hand")]
    HandEdit,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Path {
    pub fn as_str(self) -> &'static str {
        match self {
            Path::Update => "update",
            Path::Cli => "cli",
            Path::Import => "import",
            Path::HandEdit => "edit by hand",
        }
    }

    /// Overrides are given on the command line, so only its two paths carry one.
    pub(super) fn takes_overrides(self) -> bool {
        matches!(self, Path::Cli | Path::Import)
    }
}

/// What becomes of a rule's finding: not looked for, recorded, or a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Off,
    Observe,
    Enforce,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// As the audit shows it: `key enactor-a.`, `cli root`, `edit by hand`.
    pub name: String,
    pub key: Option<Name>,
}

/// What a freeze stops changes of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum FreezeScope {
    Server,
    Zone(Name),
    Key(Name),
}

impl fmt::Display for FreezeScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FreezeScope::Server => f.write_str("server"),
            FreezeScope::Zone(zone) => write!(f, "zone {zone}"),
            FreezeScope::Key(key) => write!(f, "key {key}"),
        }
    }
}

impl FromStr for FreezeScope {
    type Err = GuardError;

    /// As it is displayed.
    fn from_str(text: &str) -> Result<Self, GuardError> {
        let bad = || GuardError::BadFreezeScope(text.to_owned());
        if text == "server" {
            return Ok(FreezeScope::Server);
        }
        let (kind, name) = text.split_once(' ').ok_or_else(bad)?;
        let name = name.parse().map_err(|_| bad())?;
        match kind {
            "zone" => Ok(FreezeScope::Zone(name)),
            "key" => Ok(FreezeScope::Key(name)),
            _ => Err(bad()),
        }
    }
}

impl From<FreezeScope> for String {
    fn from(scope: FreezeScope) -> String {
        scope.to_string()
    }
}

impl TryFrom<String> for FreezeScope {
    type Error = GuardError;

    fn try_from(text: String) -> Result<Self, GuardError> {
        text.parse()
    }
}

/// One freeze in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub scope: FreezeScope,
    pub since_unix: u64,
    pub reason: String,
    pub actor: String,
}

/// A name that must keep members of some types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    pub zone: Name,
    /// Absolute.
    pub name: Name,
    pub types: Vec<Rtype>,
    pub min_members: usize,
    /// Alias targets outside our zones at or below one of these count as members.
    pub external: Vec<Name>,
    /// False for the NS of the apex, which are protected without anybody asking.
    pub declared: bool,
}

/// What a look-up of a protected name gives in one of the two images.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    /// Distinct RDATA found in our zones.
    pub members: usize,
    /// The alias target at which the walk leaves our zones.
    pub via_outside: Option<Name>,
    /// The alias target at which the walk comes to another zone of ours that cannot be served now.
    pub via_unavailable: Option<Name>,
    /// How the look-up ends, for people: `data`, `NODATA`, `NXDOMAIN`, `a referral`, ….
    pub end: String,
    /// The name itself, and every alias target that the look-up went through.
    pub walk: Vec<Name>,
}

/// One protected name and type, counted before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    pub protection_name: Name,
    pub rtype: Rtype,
    pub minimum: usize,
    /// Of the zone that the name is protected in, which need not be the one that changes.
    pub mode: Mode,
    pub external: Vec<Name>,
    pub before: Count,
    pub after: Count,
}

/// How the rule `ttl` stands, and between which seconds a TTL may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ttls {
    pub mode: Mode,
    pub min: u32,
    pub max: u32,
}

impl Ttls {
    pub fn bounds(&self) -> [u32; 2] {
        [self.min, self.max]
    }
}

impl Default for Ttls {
    fn default() -> Ttls {
        Ttls {
            mode: Mode::Observe,
            min: 0,
            // A week: what resolvers keep anyway, at the most.
            max: 604_800,
        }
    }
}

/// Something wrong with the zone that was not wrong before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewFinding {
    pub fatal: bool,
    pub sentence: String,
}

/// One rule set aside for one change by a person who says why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub rule: String,
    pub reason: String,
}

/// What is asked for, and what it comes to. Changes that the server makes itself, such as of the
/// serial, are in neither.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub operations: &'a [Operation],
    pub diff: &'a Diff,
}

#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub path: Path,
    pub actor: &'a Actor,
    /// Those of the actor's key.
    pub permits: &'a [Permit],
    /// Where the request came from, if from a network.
    pub source: Option<IpAddr>,
    pub scope: Mode,
    /// All that are in force; the rule picks those that concern the change.
    pub freezes: &'a [Freeze],
    pub counted: &'a [Counted],
    pub findings: &'a [NewFinding],
    pub validate: Mode,
    pub ttl: Ttls,
    pub override_: Option<&'a Override>,
}

impl Facts<'_> {
    /// The reason for which a rule is set aside, where the path allows that. An override without
    /// a reason is none.
    pub(super) fn override_of(&self, rule: &str) -> Option<&str> {
        self.override_
            .filter(|given| self.path.takes_overrides() && given.rule == rule)
            .map(|given| given.reason.trim())
            .filter(|reason| !reason.is_empty())
    }
}
