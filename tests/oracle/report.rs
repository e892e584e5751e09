//! What a run came to.

use std::collections::BTreeMap;
use std::fmt;

use crate::known::KNOWN;
use crate::peers::Kind;
use crate::response::View;
use crate::verdict::{BINDING, Case, Field, Standing};
use crate::zones::Zone;

/// Unexplained differences shown in full.
const SHOWN_MAX: usize = 40;
/// Of one field in one zone.
const ALIKE_MAX: usize = 2;

/// A zone and a field that differs in it.
type What = (String, Field);

#[derive(Default)]
pub struct Report {
    zones: usize,
    names: usize,
    /// Questions, each counted once for each form it was put in.
    questions: usize,
    known: BTreeMap<&'static str, usize>,
    /// No two of those who bind agree, and none of them with us.
    alone: BTreeMap<Field, usize>,
    voices: BTreeMap<(usize, Field), usize>,
    unexplained: usize,
    shown: Vec<(What, String)>,
}

impl Report {
    pub fn zone(&mut self, zone: &Zone) {
        self.zones += 1;
        self.names += zone.image.node_count();
    }

    /// What was found elsewhere.
    pub fn add(&mut self, other: Report) {
        self.zones += other.zones;
        self.names += other.names;
        self.questions += other.questions;
        self.unexplained += other.unexplained;
        for (name, count) in other.known {
            *self.known.entry(name).or_default() += count;
        }
        for (field, count) in other.alone {
            *self.alone.entry(field).or_default() += count;
        }
        for (voice, count) in other.voices {
            *self.voices.entry(voice).or_default() += count;
        }
        for (what, text) in other.shown {
            if self.wants(&what) {
                self.shown.push((what, text));
            }
        }
    }

    pub fn take(&mut self, case: &Case) {
        self.questions += 1;
        for field in Field::ALL {
            for peer in 0..Kind::ALL.len() {
                if !case.is_alike(field, peer) {
                    *self.voices.entry((peer, field)).or_default() += 1;
                }
            }
            match case.standing(field) {
                Standing::Agreed => {}
                Standing::Differs { theirs } => self.differs(case, field, case.theirs[theirs]),
                Standing::NoMajority => match known(case, field, &case.theirs[..BINDING]) {
                    Some(name) => *self.known.entry(name).or_default() += 1,
                    None => {
                        *self.alone.entry(field).or_default() += 1;
                        self.show(case, field, "no two agree");
                    }
                },
            }
        }
    }

    fn differs(&mut self, case: &Case, field: Field, theirs: &View) {
        match known(case, field, &[theirs]) {
            Some(name) => *self.known.entry(name).or_default() += 1,
            None => {
                self.unexplained += 1;
                self.show(case, field, "differs");
            }
        }
    }

    fn show(&mut self, case: &Case, field: Field, how: &str) {
        let what = (case.zone.origin.clone(), field);
        if self.wants(&what) {
            self.shown.push((what, format!("{field:?} {how}: {case}")));
        }
    }

    fn wants(&self, what: &What) -> bool {
        let alike = self.shown.iter().filter(|(shown, _)| shown == what);
        self.shown.len() < SHOWN_MAX && alike.count() < ALIKE_MAX
    }

    /// Entries of the table that no difference called for.
    pub fn idle(&self) -> Vec<&'static str> {
        let names = KNOWN.iter().map(|known| known.name);
        names
            .filter(|name| !self.known.contains_key(name))
            .collect()
    }

    pub fn unexplained(&self) -> usize {
        self.unexplained
    }
}

fn known(case: &Case, field: Field, theirs: &[&View]) -> Option<&'static str> {
    let holds = |entry: &&crate::known::Known| {
        entry.fields.contains(&field) && theirs.iter().any(|theirs| (entry.holds)(case, theirs))
    };
    KNOWN.iter().find(holds).map(|entry| entry.name)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, shown) in &self.shown {
            writeln!(f, "{shown}")?;
        }
        writeln!(
            f,
            "{} zones, {} names, {} questions to each of five servers",
            self.zones, self.names, self.questions
        )?;
        writeln!(
            f,
            "known differences from what two of named, knotd, nsd say:"
        )?;
        for entry in KNOWN {
            let count = self.known.get(entry.name).unwrap_or(&0);
            writeln!(
                f,
                "  {count:8} {}: {} ({})",
                entry.name, entry.why, entry.section
            )?;
        }
        for (field, count) in &self.alone {
            writeln!(
                f,
                "  {count:8} {field:?}: no two of them agree, and none with us"
            )?;
        }
        for (peer, kind) in Kind::ALL.iter().enumerate() {
            write!(f, "differences from {} alone:", kind.program())?;
            for field in Field::ALL {
                let count = self.voices.get(&(peer, field)).unwrap_or(&0);
                write!(f, " {field:?} {count}")?;
            }
            writeln!(f)?;
        }
        for name in self.idle() {
            writeln!(f, "nothing called for the known difference {name}")?;
        }
        write!(f, "unexplained differences: {}", self.unexplained)
    }
}
