//! The rule `freeze`: nothing changes in what is frozen. Refused, never queued.

use super::verdict::Judged;
use super::{Facts, Freeze, FreezeScope, Mode, Path};
use crate::zone::ZoneImage;

pub(super) const RULE: &str = "freeze";

pub(super) fn judge(before: &ZoneImage, facts: &Facts) -> Judged {
    // Rows edited by hand are there already; a freeze can only report them.
    let mode = match facts.path {
        Path::HandEdit => Mode::Observe,
        Path::Update | Path::Cli | Path::Import => Mode::Enforce,
    };
    let concerned = facts.freezes.iter().find(|freeze| match &freeze.scope {
        FreezeScope::Server => true,
        FreezeScope::Zone(zone) => zone == before.origin(),
        FreezeScope::Key(key) => facts.actor.key.as_ref() == Some(key),
    });
    match concerned {
        Some(freeze) => Judged::failed(RULE, mode, frozen(freeze), thaw(freeze)),
        None => Judged::passed(
            RULE,
            mode,
            format!(
                "none of {} freezes concerns this change",
                facts.freezes.len()
            ),
        ),
    }
}

fn frozen(freeze: &Freeze) -> String {
    let since = i64::try_from(freeze.since_unix)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "an unknown time".to_owned(), |time| time.to_string());
    format!(
        "the {} is frozen since {since} by {}: {}",
        freeze.scope, freeze.actor, freeze.reason
    )
}

fn thaw(freeze: &Freeze) -> String {
    let of = match &freeze.scope {
        FreezeScope::Server => String::new(),
        FreezeScope::Zone(zone) => format!(" --zone {zone}"),
        FreezeScope::Key(key) => format!(" --key {key}"),
    };
    format!("the same change, sent again after `lastgood thaw{of}`")
}
