//! An audit row, as the commands read it.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Record {
    pub reference: String,
    pub at_unix_us: i64,
    pub path: String,
    pub actor: String,
    pub source: Option<String>,
    pub transport: Option<String>,
    pub zone: Option<String>,
    pub base_revision: Option<u64>,
    pub revision: Option<u64>,
    pub old_serial: Option<u32>,
    pub new_serial: Option<u32>,
    pub outcome: String,
    pub rule: Option<String>,
    pub reason: String,
    pub rcode: String,
    pub ede: Option<u16>,
    pub detail: Value,
    pub duration_us: u64,
}

/// One rule's verdict.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RuleVerdict {
    pub rule: String,
    pub mode: String,
    pub passed: bool,
    pub text: String,
    #[serde(default)]
    pub overridden: Option<String>,
}

impl Record {
    /// A list of sentences in the detail; empty where there is none.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let items = self.detail.get(key).and_then(Value::as_array);
        let texts = items.into_iter().flatten();
        texts
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    }

    /// How many sentences there were; the row may hold the first and a last one that counts the
    /// others.
    pub fn count(&self, key: &str) -> usize {
        let texts = self.texts(key);
        let more = texts.last().and_then(|last| {
            let number = last.strip_prefix("and ")?.strip_suffix(" more")?;
            number.parse::<usize>().ok()
        });
        more.map_or(texts.len(), |more| texts.len() - 1 + more)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.detail.get(key)?.as_str()
    }

    pub fn rules(&self) -> Vec<RuleVerdict> {
        let items = self.detail.get("rules").and_then(Value::as_array);
        let verdicts = items.into_iter().flatten();
        verdicts
            .filter_map(|verdict| RuleVerdict::deserialize(verdict).ok())
            .collect()
    }

    /// The override's rule and reason.
    pub fn override_(&self) -> Option<(&str, &str)> {
        let given = self.detail.get("override")?;
        Some((given.get("rule")?.as_str()?, given.get("reason")?.as_str()?))
    }
}
