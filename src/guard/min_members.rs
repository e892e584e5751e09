//! The rule `min-members`: a protected name keeps at least so many members, counted as a resolver
//! would find them. What it has too few of already may only not become fewer.

use super::verdict::{Judged, first_few};
use super::{Count, Counted, Facts, Mode, Path};
use crate::rr::Rtype;

pub(super) const RULE: &str = "min-members";

pub(super) fn judge(facts: &Facts) -> Judged {
    let on: Vec<&Counted> = facts
        .counted
        .iter()
        .filter(|c| c.mode > Mode::Off)
        .collect();
    let Some(mode) = on.iter().map(|counted| counted.mode).max() else {
        return Judged::idle(RULE, "no name that is concerned is protected");
    };
    let failing = || on.iter().filter(|counted| counted.is_refused());
    let Some(mode_failed) = failing().map(|counted| counted.mode).max() else {
        return Judged::passed(RULE, mode, numbers(&on));
    };
    // Of names in several zones, those whose zone is the strictest decide.
    let failing: Vec<&&Counted> = failing().filter(|c| c.mode == mode_failed).collect();
    let first = failing[0];
    Judged::failed(
        RULE,
        mode_failed,
        first_few(failing.iter().map(|counted| counted.breach())),
        first.accepted(facts.path),
    )
    .overridden(facts.override_of(RULE))
}

fn numbers(counted: &[&Counted]) -> String {
    let changes = |c: &&&Counted| {
        let (before, after) = c.effective();
        before != after
    };
    // A zone may have thousands that stay as they are.
    let (moving, staying): (Vec<&&Counted>, Vec<&&Counted>) = counted.iter().partition(changes);
    first_few(moving.into_iter().chain(staying).map(|c| {
        let (before, after) = c.effective();
        format!(
            "{} {}: {before} to {after}, at least {}",
            c.protection_name, c.rtype, c.minimum
        )
    }))
}

impl Counted {
    /// Members before and after. An alias that leaves our zones counts as enough where its target
    /// is listed, or where it stood so before the change: we cannot count there, and the change
    /// did not bring it. One into a zone of ours that cannot be served now is worth keeping until it
    /// can, and no more: anything that can be counted is better.
    fn effective(&self) -> (usize, usize) {
        let of = |count: &Count| match (&count.via_outside, &count.via_unavailable) {
            (Some(target), _) if self.trusts(target) => self.minimum,
            (Some(_), _) => 0,
            (None, None) => count.members,
            (None, unavailable) => usize::from(self.before.via_unavailable == *unavailable),
        };
        (of(&self.before), of(&self.after))
    }

    fn trusts(&self, target: &crate::rr::Name) -> bool {
        self.before.via_outside.as_ref() == Some(target)
            || self.external.iter().any(|e| target.is_at_or_below(e))
    }

    fn is_refused(&self) -> bool {
        let (before, after) = self.effective();
        after < self.minimum && after < before
    }

    fn breach(&self) -> String {
        let (before, after) = self.effective();
        let mut text = format!(
            "{} {} would go from {before} {} to {after}",
            self.protection_name,
            self.rtype,
            if before == 1 { "member" } else { "members" },
        );
        // Without the way there, a change far away on the walk would be a riddle.
        if let Some(target) = &self.after.via_outside {
            text.push_str(&format!(
                " (an alias leads to {target}, outside our zones and not listed in `external`)"
            ));
        } else if let Some(target) = &self.before.via_unavailable {
            text.push_str(&format!(
                " (its alias leads to {target}, in a zone that cannot be served now, and would be lost)"
            ));
        } else if after == 0 && self.after.walk.len() > 1 {
            let walk: Vec<String> = self.after.walk.iter().map(ToString::to_string).collect();
            text.push_str(&format!(
                " (the look-up ends in {} on the way {})",
                self.after.end,
                walk.join(" → ")
            ));
        }
        text.push_str(&format!("; at least {} must stay", self.minimum));
        text
    }

    fn accepted(&self, path: Path) -> String {
        let what = match self.rtype {
            Rtype::A | Rtype::AAAA => "addresses",
            _ => "records",
        };
        let minimum = self.minimum;
        match path {
            Path::Update => {
                format!("replace the {what} in one message, or keep at least {minimum}")
            }
            Path::HandEdit => {
                format!("replace the {what} in one transaction, or keep at least {minimum}")
            }
            Path::Import | Path::Cli => format!("{what} of which at least {minimum} stay"),
        }
    }
}
