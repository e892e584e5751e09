//! What the guard decided, rule by rule.

use serde::Serialize;

use super::Mode;

/// What one rule says of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleVerdict {
    pub rule: &'static str,
    /// In force for this change; `off` too where the rule does not judge its path.
    pub mode: Mode,
    pub passed: bool,
    /// What it compared, with the numbers.
    pub text: String,
    /// Why a person set the rule aside, where that let the change through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overridden: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub rule: &'static str,
    /// The numbers compared.
    pub reason: String,
    /// What would be let in.
    pub accepted: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub rules: Vec<RuleVerdict>,
    pub refusal: Option<Refusal>,
}

/// A rule's verdict, and what it would accept instead where it failed.
pub(super) struct Judged {
    pub verdict: RuleVerdict,
    pub accepted: String,
}

/// How many of one kind a rule spells out: what it says stands in an answer, an audit row and the
/// log, and a broken import has a million of them.
const SHOWN_MAX: usize = 5;

/// The first few of these, and how many more there are.
pub(super) fn first_few(mut sentences: impl Iterator<Item = String>) -> String {
    let shown: Vec<String> = sentences.by_ref().take(SHOWN_MAX).collect();
    let mut text = shown.join("; ");
    let more = sentences.count();
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

impl Judged {
    pub fn passed(rule: &'static str, mode: Mode, text: String) -> Judged {
        Judged {
            verdict: RuleVerdict {
                rule,
                mode,
                passed: true,
                text,
                overridden: None,
            },
            accepted: String::new(),
        }
    }

    pub fn failed(rule: &'static str, mode: Mode, text: String, accepted: String) -> Judged {
        let mut judged = Judged::passed(rule, mode, text);
        judged.verdict.passed = false;
        judged.accepted = accepted;
        judged
    }

    /// The rule has nothing to say of this change.
    pub fn idle(rule: &'static str, why: impl Into<String>) -> Judged {
        Judged::passed(rule, Mode::Off, why.into())
    }

    pub fn overridden(mut self, reason: Option<&str>) -> Judged {
        if !self.verdict.passed {
            self.verdict.overridden = reason.map(str::to_owned);
        }
        self
    }

    fn refuses(&self) -> bool {
        let RuleVerdict {
            mode,
            passed,
            overridden,
            ..
        } = &self.verdict;
        !passed && *mode == Mode::Enforce && overridden.is_none()
    }
}

impl Verdict {
    /// A rule failed: there is no telling what it would have said.
    pub fn of_an_error() -> Verdict {
        Verdict::of([Judged::failed(
            "error",
            Mode::Enforce,
            "a rule failed on this change".to_owned(),
            "nothing of this kind: please report it with the log".to_owned(),
        )])
    }

    /// What would have been refused, were the rule enforced: rules and their reasons.
    pub fn observed(&self) -> impl Iterator<Item = &RuleVerdict> {
        self.rules
            .iter()
            .filter(|rule| !rule.passed && rule.mode == Mode::Observe)
    }

    /// The first that refuses gives the refusal.
    pub(super) fn of(judged: impl IntoIterator<Item = Judged>) -> Verdict {
        let mut refusal = None;
        let rules = judged
            .into_iter()
            .map(|judged| {
                if refusal.is_none() && judged.refuses() {
                    refusal = Some(Refusal {
                        rule: judged.verdict.rule,
                        reason: judged.verdict.text.clone(),
                        accepted: judged.accepted,
                    });
                }
                judged.verdict
            })
            .collect();
        Verdict { rules, refusal }
    }
}
