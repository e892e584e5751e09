//! What became of an update, as the client is told: RCODE and extended error (RFC 8914).

use crate::change::{Outcome, Refused, RefusedWhy};
use crate::rr::message::{Rcode, ede};

/// An RCODE, and the extended error for clients that sent EDNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub rcode: Rcode,
    pub ede: Option<(u16, String)>,
}

impl Verdict {
    pub fn plain(rcode: Rcode) -> Verdict {
        Verdict { rcode, ede: None }
    }

    /// An update, or a question kept for a key, that no key of ours signed.
    pub fn not_signed() -> Verdict {
        Verdict {
            rcode: Rcode::Refused,
            ede: Some((ede::PROHIBITED, "a signature (TSIG) is required".into())),
        }
    }

    /// A question about the refusals of one key, signed by another.
    pub fn not_this_key() -> Verdict {
        Verdict {
            rcode: Rcode::Refused,
            ede: Some((
                ede::PROHIBITED,
                "a key is told its own refusals alone".into(),
            )),
        }
    }

    pub fn of(outcome: &Outcome) -> Verdict {
        match outcome {
            Outcome::Committed(_) | Outcome::Unchanged { .. } => Verdict::plain(Rcode::NoError),
            Outcome::Refused(refused) => Verdict {
                rcode: Rcode::Refused,
                ede: Some((refusal_code(&refused.why), refusal_text(refused))),
            },
            Outcome::Failed { rcode, .. } => Verdict::plain(*rcode),
            Outcome::Unavailable { reason } => Verdict {
                rcode: Rcode::ServFail,
                ede: Some((ede::OTHER, reason.clone())),
            },
        }
    }
}

fn refusal_code(why: &RefusedWhy) -> u16 {
    match why {
        RefusedWhy::Guard => ede::OTHER,
        RefusedWhy::Prohibited => ede::PROHIBITED,
        RefusedWhy::NotReady => ede::NOT_READY,
    }
}

/// The reference leads to the whole story: `lastgood why`. There is none when no audit row could be
/// written.
fn refusal_text(refused: &Refused) -> String {
    match refused.reference.as_str() {
        "" => format!("guard={}", refused.rule),
        reference => format!("guard={} ref={reference}", refused.rule),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rule: &str, why: RefusedWhy) -> Verdict {
        Verdict::of(&Outcome::Refused(Refused {
            reference: "7Q2K".into(),
            rule: rule.into(),
            reason: "api.example.com. A: 2 members before, 0 after, at least 1 required".into(),
            accepted: "a change that leaves at least 1".into(),
            why,
        }))
    }

    #[test]
    fn a_refusal_names_rule_and_reference_under_the_code_of_its_kind() {
        for (rule, why, code) in [
            ("min-members", RefusedWhy::Guard, 0),
            ("scope", RefusedWhy::Prohibited, 18),
            ("freeze", RefusedWhy::NotReady, 14),
        ] {
            let verdict = refused(rule, why);
            assert_eq!(verdict.rcode, Rcode::Refused);
            assert_eq!(verdict.ede, Some((code, format!("guard={rule} ref=7Q2K"))));
        }
    }

    #[test]
    fn a_failed_prerequisite_has_its_rcode_alone() {
        let outcome = Outcome::Failed {
            rcode: Rcode::NxRrset,
            reason: "api.example.com. has no A".into(),
        };
        assert_eq!(Verdict::of(&outcome), Verdict::plain(Rcode::NxRrset));
    }

    #[test]
    fn a_store_that_failed_is_servfail_with_the_reason() {
        let reason = "the disk is full".to_owned();
        let verdict = Verdict::of(&Outcome::Unavailable {
            reason: reason.clone(),
        });
        assert_eq!(verdict.rcode, Rcode::ServFail);
        assert_eq!(verdict.ede, Some((0, reason)));
    }
}
