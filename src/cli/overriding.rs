//! `--override RULE --reason TEXT`, for every command that changes data.

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use serde::Serialize;

use crate::guard;

#[derive(Debug, Default, clap::Args, Serialize)]
pub(super) struct Overriding {
    /// Let this rule, and no other, be broken
    #[arg(
        long = "override",
        value_name = "RULE",
        requires = "reason",
        value_parser = PossibleValuesParser::new(guard::OVERRIDABLE)
    )]
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// Why, for the audit
    #[arg(
        long,
        value_name = "TEXT",
        requires = "rule",
        value_parser = NonEmptyStringValueParser::new()
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Overriding {
    /// As the query of a URL.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let pairs = [("override", &self.rule), ("reason", &self.reason)];
        pairs
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_deref()?)))
    }
}
