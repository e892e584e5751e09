//! Tables of the file, read key by key so that every error knows its line.

use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Place};

/// The file that is being read.
pub(super) struct Source<'a> {
    pub file: Arc<Path>,
    pub text: &'a str,
}

impl Source<'_> {
    pub fn place(&self, offset: usize) -> Place {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        Place {
            file: self.file.clone(),
            line: 1 + before.iter().filter(|&&octet| octet == b'\n').count(),
        }
    }
}

/// One table, all of whose keys are known.
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    /// As errors call it, such as "[server]".
    name: &'static str,
    table: &'a DeTable<'a>,
    offset: usize,
}

/// The value of one key, or one item of its list.
pub(super) struct Entry<'a> {
    source: &'a Source<'a>,
    section: &'static str,
    key: &'static str,
    value: &'a DeValue<'a>,
    span: Range<usize>,
}

impl<'a> Section<'a> {
    pub fn new(
        source: &'a Source<'a>,
        name: &'static str,
        table: &'a DeTable<'a>,
        offset: usize,
        known: &'static [&'static str],
    ) -> Result<Self, ConfigError> {
        for key in table.keys() {
            let text = key.get_ref().as_ref();
            if !known.contains(&text) {
                return Err(ConfigError::UnknownKey {
                    place: source.place(key.span().start),
                    key: text.to_owned(),
                    section: name.to_owned(),
                    nearest: nearest(text, known),
                    known,
                });
            }
        }
        Ok(Section {
            source,
            name,
            table,
            offset,
        })
    }

    pub fn place(&self) -> Place {
        self.source.place(self.offset)
    }

    pub fn get(&self, key: &'static str) -> Option<Entry<'a>> {
        let value: &'a Spanned<DeValue<'a>> = self.table.get(key)?;
        Some(Entry {
            source: self.source,
            section: self.name,
            key,
            value: value.get_ref(),
            span: value.span(),
        })
    }

    pub fn require(
        &self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<Entry<'a>, ConfigError> {
        self.get(key).ok_or_else(|| self.missing(key, expected))
    }

    pub fn missing(&self, key: &'static str, expected: &'static str) -> ConfigError {
        ConfigError::Missing {
            place: self.place(),
            key,
            section: self.name.to_owned(),
            expected,
        }
    }

    /// The section under `key`, where the file has one.
    pub fn section(
        &self,
        key: &'static str,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Result<Option<Section<'a>>, ConfigError> {
        self.get(key)
            .map(|entry| entry.section(name, known))
            .transpose()
    }

    /// The sections written `[[key]]`, or as a list of tables.
    pub fn sections(
        &self,
        key: &'static str,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Result<Vec<Section<'a>>, ConfigError> {
        let Some(entry) = self.get(key) else {
            return Ok(Vec::new());
        };
        let items = entry.items(&format!("tables, each written as {name}"))?;
        items.iter().map(|item| item.section(name, known)).collect()
    }

    /// The items of the list under `key`, each read with `FromStr`; none where there is no list.
    pub fn list<T: FromStr>(&self, key: &'static str, each: &str) -> Result<Vec<T>, ConfigError> {
        let Some(entry) = self.get(key) else {
            return Ok(Vec::new());
        };
        let items = entry.items(&format!("a list, each item {each}"))?;
        items.iter().map(|item| item.parsed(each)).collect()
    }
}

impl<'a> Entry<'a> {
    pub fn place(&self) -> Place {
        self.source.place(self.span.start)
    }

    pub fn wrong(&self, expected: impl Into<String>) -> ConfigError {
        let found = match self.value {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.wrong_as(found, expected)
    }

    /// As [`Entry::wrong`], for values that no message may repeat.
    pub fn wrong_as(&self, found: impl Into<String>, expected: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            place: self.place(),
            key: self.key,
            section: self.section.to_owned(),
            found: found.into(),
            expected: expected.into(),
        }
    }

    pub fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    pub fn text(&self, expected: &str) -> Result<&'a str, ConfigError> {
        match self.value {
            DeValue::String(text) => Ok(text.as_ref()),
            _ => Err(self.wrong(expected)),
        }
    }

    pub fn parsed<T: FromStr>(&self, expected: &str) -> Result<T, ConfigError> {
        self.text(expected)?
            .parse()
            .map_err(|_| self.wrong(expected))
    }

    /// A whole number from 0 on, if it is one.
    pub fn number(&self) -> Option<u32> {
        match self.value {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        }
    }

    /// A whole number from 1 on.
    pub fn count(&self) -> Result<usize, ConfigError> {
        let number = match self.value {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number
            .filter(|&number| number > 0)
            .ok_or_else(|| self.wrong("a whole number from 1 on"))
    }

    /// A length of time, such as "90s", "10m", "6h" or "1d".
    pub fn span(&self) -> Result<Duration, ConfigError> {
        const SPAN: &str = "a length of time, such as \"90s\", \"10m\", \"6h\" or \"1d\"";
        let text = self.text(SPAN)?;
        let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
        let unit = |(unit, secs)| text.strip_suffix(unit).map(|number: &str| (number, secs));
        let Some((number, unit)) = units.into_iter().find_map(unit) else {
            return Err(self.wrong(SPAN));
        };
        let is_plain = number.bytes().all(|octet| octet.is_ascii_digit());
        let number = number.parse::<u32>().ok().filter(|&n| is_plain && n > 0);
        number
            .map(|number| Duration::from_secs(u64::from(number) * unit))
            .ok_or_else(|| self.wrong(SPAN))
    }

    pub fn flag(&self) -> Result<bool, ConfigError> {
        match self.value {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.wrong("true or false")),
        }
    }

    pub fn items(&self, expected: &str) -> Result<Vec<Entry<'a>>, ConfigError> {
        let DeValue::Array(items) = self.value else {
            return Err(self.wrong(expected));
        };
        let item = |value: &'a Spanned<DeValue<'a>>| Entry {
            source: self.source,
            section: self.section,
            key: self.key,
            value: value.get_ref(),
            span: value.span(),
        };
        Ok(items.iter().map(item).collect())
    }

    pub fn section(
        &self,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Result<Section<'a>, ConfigError> {
        match self.value {
            DeValue::Table(table) => Section::new(self.source, name, table, self.span.start, known),
            _ => Err(self.wrong(format!("a table, written as {name}"))),
        }
    }
}

/// The known key that a misspelled one most likely meant.
fn nearest(key: &str, known: &'static [&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|&known| (strsim::jaro_winkler(key, known), known))
        .filter(|&(similarity, _)| similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
