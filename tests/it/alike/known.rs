//! Differences that have a reason: where both others differ from lastgood, an RFC says why it is right.

use std::fmt;

use super::wire::Message;
use super::zone::Zone;
use super::{Made, NAMES};

/// One message, and what the servers made of it.
pub struct Case<'a> {
    pub number: usize,
    pub message: &'a Message,
    pub before: &'a Zone,
    pub made: &'a Made,
}

pub struct Known {
    pub what: &'static str,
    pub section: &'static str,
    pub is_it: fn(&Case<'_>) -> bool,
}

pub const ALL: &[Known] = &[];

pub fn reason(case: &Case<'_>) -> Option<&'static str> {
    let known = ALL.iter().find(|known| (known.is_it)(case));
    known.map(|known| known.what)
}

impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const RCODES: [&str; 11] = [
            "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN",
            "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
        ];
        writeln!(f, "message {}", self.number)?;
        write!(f, "{}", self.message)?;
        let Made { rcodes, zones } = self.made;
        for (at, name) in NAMES.iter().enumerate() {
            let rcode = RCODES.get(usize::from(rcodes[at])).unwrap_or(&"?");
            let (from, to) = (self.before.serial, zones[at].serial);
            let changed = self.before.differing(&zones[at]);
            writeln!(f, "  {name}: {rcode}, serial {from} to {to}")?;
            if !changed.is_empty() {
                let was = self.before.text(&changed).replace("      ", "    - ");
                let is = zones[at].text(&changed).replace("      ", "    + ");
                write!(f, "{was}{is}")?;
            }
        }
        Ok(())
    }
}
