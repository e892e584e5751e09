//! `[zone.limits]`: the rules that are not about one name.

use super::ConfigError;
use super::section::{Entry, Section};
use crate::guard::{Mode, Ttls};

const LIMITS: &[&str] = &["validate", "min_members", "scope", "ttl"];
const RULE: &[&str] = &["mode"];
const RULE_TTL: &[&str] = &["mode", "min", "max"];
const RULE_NAME: &str = "a rule of [zone.limits]";

/// How the rules stand in one zone.
pub(super) struct Limits {
    pub validate: Mode,
    pub min_members: Mode,
    pub scope: Mode,
    pub ttl: Ttls,
}

pub(super) fn read(zone: &Section<'_>) -> Result<Limits, ConfigError> {
    let limits = zone.section("limits", "[zone.limits]", LIMITS)?;
    let rule = |key| limits.as_ref().and_then(|limits| limits.get(key));
    let plain = |key| match rule(key) {
        Some(entry) => Ok(mode(&entry, RULE)?.0.unwrap_or(Mode::Enforce)),
        None => Ok(Mode::Enforce),
    };
    Ok(Limits {
        validate: plain("validate")?,
        min_members: plain("min_members")?,
        scope: match rule("scope") {
            Some(entry) if !entry.is_table() => return Err(entry.wrong(NEVER_OFF)),
            _ => plain("scope")?,
        },
        ttl: match rule("ttl") {
            Some(entry) => ttl(&entry)?,
            None => Ttls::default(),
        },
    })
}

/// Whoever wants no limits says so of one key, and not of all that there will ever be.
const NEVER_OFF: &str = "{ mode = \"observe\" } or { mode = \"enforce\" }; a key that may do \
                         everything has `allow` with names = [\"**\"]";

/// How a rule stands, if the file says so, and the table that says it.
fn mode<'a>(
    entry: &Entry<'a>,
    known: &'static [&'static str],
) -> Result<(Option<Mode>, Option<Section<'a>>), ConfigError> {
    const RULE: &str = "\"off\", or { mode = \"observe\" } or { mode = \"enforce\" }";
    if !entry.is_table() {
        return match entry.text(RULE)? {
            "off" => Ok((Some(Mode::Off), None)),
            _ => Err(entry.wrong(RULE)),
        };
    }
    let table = entry.section(RULE_NAME, known)?;
    let mode = match table.get("mode") {
        None => None,
        Some(entry) => match entry.text("\"observe\" or \"enforce\"")? {
            "observe" => Some(Mode::Observe),
            "enforce" => Some(Mode::Enforce),
            _ => return Err(entry.wrong("\"observe\" or \"enforce\"")),
        },
    };
    Ok((mode, Some(table)))
}

fn ttl(entry: &Entry<'_>) -> Result<Ttls, ConfigError> {
    let mut ttls = Ttls::default();
    let (mode, table) = mode(entry, RULE_TTL)?;
    ttls.mode = mode.unwrap_or(ttls.mode);
    let Some(table) = table else {
        return Ok(ttls);
    };
    if let Some(entry) = table.get("max") {
        ttls.max = seconds(&entry)?;
    }
    if let Some(entry) = table.get("min") {
        ttls.min = seconds(&entry)?;
        if ttls.min > ttls.max {
            return Err(entry.wrong(format!("no more than `max`, which is {}", ttls.max)));
        }
    }
    Ok(ttls)
}

/// A TTL (RFC 2181 §8).
fn seconds(entry: &Entry<'_>) -> Result<u32, ConfigError> {
    const SECONDS_MAX: u32 = i32::MAX as u32;
    entry
        .number()
        .filter(|&number| number <= SECONDS_MAX)
        .ok_or_else(|| entry.wrong(format!("a number of seconds from 0 to {SECONDS_MAX}")))
}
