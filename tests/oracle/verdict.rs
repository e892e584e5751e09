//! Field by field: what those who bind say of a question, and whether we say the same.
//!
//! `named`, `knotd` and `nsd` bind, where two of them agree. What a truncated reply has in its
//! sections is nothing to go by (RFC 2181 §9), and is compared with nothing.

use std::fmt;

use crate::asking::Form;
use crate::questions::Question;
use crate::response::{Record, View};
use crate::zones::Zone;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Rcode,
    Aa,
    Tc,
    Answer,
    Authority,
    /// The additional section of a referral.
    Glue,
}

impl Field {
    pub const ALL: [Field; 6] = [
        Field::Rcode,
        Field::Aa,
        Field::Tc,
        Field::Answer,
        Field::Authority,
        Field::Glue,
    ];

    /// What a reply says here; `None` when it has nothing to say.
    fn of(self, view: &View) -> Option<Value<'_>> {
        let whole = view.lost.is_none();
        let section = |records| (whole && !view.tc).then_some(Value::Records(records));
        match self {
            Field::Rcode => Some(Value::Rcode(view.lost.as_deref(), view.rcode)),
            Field::Aa => whole.then_some(Value::Flag(view.aa)),
            Field::Tc => whole.then_some(Value::Flag(view.tc)),
            Field::Answer => section(&view.answer),
            Field::Authority => section(&view.authority),
            Field::Glue if view.is_referral() => section(&view.additional),
            Field::Glue => None,
        }
    }
}

#[derive(PartialEq)]
enum Value<'v> {
    Rcode(Option<&'v str>, u16),
    Flag(bool),
    Records(&'v [Record]),
}

/// One question in one form, and what everybody says.
pub struct Case<'c> {
    pub zone: &'c Zone,
    pub question: &'c Question,
    pub form: Form,
    pub ours: &'c View,
    /// In the order of `Kind::ALL`.
    pub theirs: [&'c View; 4],
}

/// How our field stands among the others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As at least two of those who bind, or we have nothing to say.
    Agreed,
    /// All three say another thing, or the two that agree do: the index of one of them.
    Differs { theirs: usize },
    /// No two of them agree.
    NoMajority,
}

/// How many of `Kind::ALL` bind.
pub const BINDING: usize = 3;

impl Case<'_> {
    pub fn standing(&self, field: Field) -> Standing {
        let Some(ours) = field.of(self.ours) else {
            return Standing::Agreed;
        };
        let voices: Vec<_> = (0..BINDING)
            .filter_map(|peer| Some((peer, field.of(self.theirs[peer])?)))
            .collect();
        let agreed = voices
            .iter()
            .find(|(_, value)| voices.iter().filter(|(_, other)| other == value).count() >= 2);
        match agreed {
            Some((_, value)) if *value == ours => Standing::Agreed,
            Some((peer, _)) => Standing::Differs { theirs: *peer },
            None if voices.iter().any(|(_, value)| *value == ours) => Standing::Agreed,
            None if voices.len() < 2 => Standing::Agreed,
            None => Standing::NoMajority,
        }
    }

    /// Whether one of the others says in this field what we say, or one of us says nothing.
    pub fn is_alike(&self, field: Field, peer: usize) -> bool {
        match (field.of(self.ours), field.of(self.theirs[peer])) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        }
    }
}

impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({:?}", self.zone.origin, self.question, self.form)?;
        if let Some(seed) = self.zone.seed {
            write!(f, "; zone of seed {seed}")?;
        }
        write!(f, ")\n    ours: {}", self.ours)?;
        for (kind, view) in crate::peers::Kind::ALL.iter().zip(self.theirs) {
            write!(f, "\n    {}: {view}", kind.program())?;
        }
        Ok(())
    }
}
