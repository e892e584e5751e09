//! Which keys the file may have, and what they become.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;

use super::files;
use super::limits;
use super::secret::{self, Secret};
use super::section::{Entry, Section, Source};
use super::server;
use super::{Config, ConfigError, Place};
use crate::guard::{OwnerPattern, Permit, Protection, RdataRange};
use crate::rr::{Name, Rtype};
use crate::tsig::Algorithm;
use crate::update::SerialPolicy;
use crate::{admin, change, store};

const TOP: &[&str] = &["server", "store", "control", "metrics", "key", "zone"];
const STORE: &[&str] = &[
    "path",
    "snapshot",
    "retain_revisions",
    "retain_days",
    "scrub",
];
const CONTROL: &[&str] = &["socket"];
const METRICS: &[&str] = &["listen"];
const KEY: &[&str] = &[
    "name",
    "algorithm",
    "allow_sha1",
    "secret",
    "secret_file",
    "allow",
];
const ALLOW: &[&str] = &["zone", "names", "types", "rdata", "operations", "from"];
const ZONE: &[&str] = &[
    "name", "file", "serial", "strict", "max_age", "limits", "protect",
];
const PROTECT: &[&str] = &["name", "types", "min_members", "external"];

/// Messages that may wait for the writer before more are turned away.
const QUEUE: usize = 4096;
/// How often the writer looks for commits of others and for a store that was replaced: a hold
/// begins within a second.
const POLL: Duration = Duration::from_millis(250);
/// How long a commit waits for somebody's `sqlite3` to let go of the store.
const BUSY_TIMEOUT_MS: u64 = 5000;
const SCRUB: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub struct KeyStanza {
    pub name: Name,
    /// `None`: as the key file says, or else hmac-sha256.
    pub algorithm: Option<Algorithm>,
    /// For a client that knows nothing better.
    pub allow_sha1: bool,
    pub secret: SecretSource,
    pub permits: Vec<Permit>,
    place: Place,
}

#[derive(Debug)]
pub enum SecretSource {
    Inline(Secret),
    File(PathBuf),
}

#[derive(Debug)]
pub struct ZoneStanza {
    pub origin: Name,
    /// Imported once, when the store does not know the zone.
    pub file: Option<PathBuf>,
}

pub(super) fn read(text: &str, file: &Path, dir: &Path) -> Result<Config, ConfigError> {
    let source = Source {
        file: Arc::from(file),
        text,
    };
    let root = DeTable::parse(text).map_err(|error| syntax(&source, &error))?;
    let top = Section::new(&source, "the top level", root.get_ref(), 0, TOP)?;
    let (wire, log) = server::read(&top)?;
    let keys = top.sections("key", "[[key]]", KEY)?;
    let keys = keys
        .iter()
        .map(|section| key(section, dir))
        .collect::<Result<Vec<KeyStanza>, _>>()?;
    let (zones, policies) = zones(&top, dir)?;
    unique_keys(&keys, &top)?;
    let warnings = keys.iter().flat_map(KeyStanza::warnings).collect();
    let store = store_settings(&top, dir)?;
    let admin = control(&top, dir)?;
    let paths = [
        ("the store", &*store.path),
        ("the snapshot", &store.snapshot),
        ("the control socket", &admin.socket),
    ];
    files::apart(&source.file, paths)?;
    Ok(Config {
        file: source.file.clone(),
        log,
        wire,
        store: store.clone(),
        admin,
        change: change::Settings {
            store,
            had_store: false,
            zones: policies,
            keys: keys
                .iter()
                .map(|key| (key.name.clone(), key.permits.clone()))
                .collect(),
            queue: QUEUE,
            poll: POLL,
            scrub: scrub(&top)?,
        },
        keys,
        zones,
        warnings,
    })
}

/// The text is repeated where it is a key; elsewhere it could be a secret.
fn syntax(source: &Source<'_>, error: &toml::de::Error) -> ConfigError {
    let span = error.span().unwrap_or_default();
    let reason = match (error.message(), source.text.get(span.clone())) {
        ("duplicate key", Some(key)) => format!("the key `{key}` is there twice"),
        (message, _) => message.to_owned(),
    };
    ConfigError::Syntax {
        place: source.place(span.start),
        reason,
    }
}

fn store_settings(top: &Section<'_>, dir: &Path) -> Result<store::Settings, ConfigError> {
    let section = top.section("store", "[store]", STORE)?;
    let path = path_of(section.as_ref(), "path", dir)?;
    let path = path.unwrap_or_else(|| dir.join("data/lastgood.db"));
    let snapshot = path_of(section.as_ref(), "snapshot", dir)?;
    let snapshot = snapshot.unwrap_or_else(|| path.with_extension("snapshot.db"));
    Ok(store::Settings {
        snapshot: files::followed(snapshot),
        path: files::followed(path),
        busy_timeout_ms: BUSY_TIMEOUT_MS,
        retention: retention(section.as_ref())?,
    })
}

fn retention(section: Option<&Section<'_>>) -> Result<store::Retention, ConfigError> {
    let mut retention = store::Retention::default();
    if let Some(entry) = section.and_then(|section| section.get("retain_revisions")) {
        let least = store::REVISIONS_LEAST;
        retention.revisions = entry.count()? as u64;
        if retention.revisions < least {
            return Err(entry.wrong(format!("a whole number from {least} on")));
        }
    }
    if let Some(entry) = section.and_then(|section| section.get("retain_days")) {
        retention.days = entry.count()? as u64;
    }
    Ok(retention)
}

/// How often store and snapshot are read through for damage.
fn scrub(top: &Section<'_>) -> Result<Option<Duration>, ConfigError> {
    let section = top.section("store", "[store]", STORE)?;
    match section.as_ref().and_then(|section| section.get("scrub")) {
        None => Ok(Some(SCRUB)),
        Some(entry) if matches!(entry.text(""), Ok("off")) => Ok(None),
        Some(entry) => entry.span().map(Some),
    }
}

fn control(top: &Section<'_>, dir: &Path) -> Result<admin::Settings, ConfigError> {
    let section = top.section("control", "[control]", CONTROL)?;
    let socket = path_of(section.as_ref(), "socket", dir)?;
    let socket = socket.unwrap_or_else(|| dir.join("data/lastgood.sock"));
    Ok(admin::Settings {
        metrics: metrics(top)?,
        ..admin::Settings::at(socket)
    })
}

/// Where metrics are read over TCP: nowhere, unless the file says so.
fn metrics(top: &Section<'_>) -> Result<Option<SocketAddr>, ConfigError> {
    const ADDRESS: &str = "an address with a port, such as \"127.0.0.1:9153\"";
    match top.section("metrics", "[metrics]", METRICS)? {
        Some(section) => section
            .require("listen", ADDRESS)?
            .parsed(ADDRESS)
            .map(Some),
        None => Ok(None),
    }
}

fn path_of(
    section: Option<&Section<'_>>,
    key: &'static str,
    dir: &Path,
) -> Result<Option<PathBuf>, ConfigError> {
    let Some(entry) = section.and_then(|section| section.get(key)) else {
        return Ok(None);
    };
    match entry.text("the path of a file")? {
        "" => Err(entry.wrong("the path of a file")),
        text => Ok(Some(dir.join(text))),
    }
}

const ALGORITHM: &str =
    "\"hmac-sha256\", \"hmac-sha384\", \"hmac-sha512\", \"hmac-sha224\" or \"hmac-sha1\"";
const KEY_NAME: &str = "the name of a key, such as \"enactor-a.\"";

fn key(section: &Section<'_>, dir: &Path) -> Result<KeyStanza, ConfigError> {
    let name: Name = section.require("name", KEY_NAME)?.parsed(KEY_NAME)?;
    let algorithm = match section.get("algorithm") {
        None => None,
        Some(entry) => Some(entry.parsed(ALGORITHM)?),
    };
    let allow_sha1 = match section.get("allow_sha1") {
        Some(entry) => entry.flag()?,
        None => false,
    };
    let secret = match (
        section.get("secret"),
        path_of(Some(section), "secret_file", dir)?,
    ) {
        (None, Some(path)) => SecretSource::File(path),
        (Some(entry), None) => SecretSource::Inline(inline_secret(&entry)?),
        (Some(entry), Some(_)) => {
            return Err(entry.wrong_as("given beside `secret_file`", "one of the two"));
        }
        (None, None) => {
            return Err(section.missing(
                "secret_file",
                "a file made by `lastgood key generate`, or `secret` with the secret itself",
            ));
        }
    };
    let permits = section.sections("allow", "allow = [{ … }]", ALLOW)?;
    Ok(KeyStanza {
        name,
        algorithm,
        allow_sha1,
        secret,
        permits: permits.iter().map(permit).collect::<Result<_, _>>()?,
        place: section.place(),
    })
}

fn inline_secret(entry: &Entry<'_>) -> Result<Secret, ConfigError> {
    const EXPECTED: &str = "a secret in base64, as `lastgood key generate` makes it";
    let text = match entry.text(EXPECTED) {
        Ok(text) => text,
        Err(_) => return Err(entry.wrong_as("not text", EXPECTED)),
    };
    Secret::from_base64(text).map_err(|_| entry.wrong_as("not base64", EXPECTED))
}

fn unique_keys(keys: &[KeyStanza], top: &Section<'_>) -> Result<(), ConfigError> {
    let mut seen = HashSet::new();
    for (at, key) in keys.iter().enumerate() {
        if !seen.insert(&key.name) {
            let sections = top.sections("key", "[[key]]", KEY)?;
            let entry = sections[at].require("name", KEY_NAME)?;
            return Err(entry.wrong("a name that no other [[key]] has"));
        }
    }
    Ok(())
}

fn permit(section: &Section<'_>) -> Result<Permit, ConfigError> {
    const ZONE: &str = "the name of a zone, or \"*\" for every zone";
    const NAMES: &str = "owners relative to the zone: \"@\" the apex, \"api\", \"*.dyn\" below dyn, \"**\" the zone";
    const OPERATIONS: &str =
        "\"add\", \"delete\", or \"delete-record\" for deleting record by record alone";
    const FROM: &str = "an address or a range of addresses, such as \"192.0.2.0/24\"";
    let zone = section.require("zone", ZONE)?;
    let zone = match zone.text(ZONE)? {
        "*" => None,
        _ => Some(zone.parsed(ZONE)?),
    };
    let listed = section.require("names", NAMES)?;
    let names: Vec<OwnerPattern> = section.list("names", NAMES)?;
    if names.is_empty() {
        return Err(listed.wrong_as("empty", NAMES));
    }
    if let Some(zone) = &zone {
        for (item, pattern) in listed.items(NAMES)?.iter().zip(&names) {
            if let OwnerPattern::Exact(name) | OwnerPattern::Below(name) = pattern
                && repeats(name, zone)
            {
                return Err(item.wrong(format!("a name without {zone}, which it is relative to")));
            }
        }
    }
    let rdata: Vec<RdataRange> = section.list(
        "rdata",
        "a range of addresses such as \"192.0.2.0/24\", or a suffix of targets such as \"example.net.\"",
    )?;
    Ok(Permit {
        zone,
        names,
        types: record_types(section)?.unwrap_or_default(),
        rdata,
        operations: some(section, "operations", OPERATIONS)?,
        from: some(section, "from", FROM)?,
    })
}

/// The list under `key`. One that is empty would allow everything or nothing, depending on who reads
/// it.
fn some<T: FromStr>(
    section: &Section<'_>,
    key: &'static str,
    each: &str,
) -> Result<Vec<T>, ConfigError> {
    let items = section.list(key, each)?;
    match section.get(key) {
        Some(entry) if items.is_empty() => Err(entry.wrong_as("empty", each)),
        _ => Ok(items),
    }
}

/// Whether a name relative to a zone ends in the zone's own: written in full by mistake, it would
/// stand for `api.example.com.example.com.` and protect or permit nothing.
fn repeats(relative: &Name, zone: &Name) -> bool {
    !zone.is_root() && relative.is_at_or_below(zone)
}

/// The list under `types`; meta types stand in no zone.
fn record_types(section: &Section<'_>) -> Result<Option<Vec<Rtype>>, ConfigError> {
    const EACH: &str = "a record type, such as \"A\"";
    let Some(entry) = section.get("types") else {
        return Ok(None);
    };
    let types: Vec<Rtype> = section.list("types", EACH)?;
    for (item, rtype) in entry.items(EACH)?.iter().zip(&types) {
        if rtype.is_meta() {
            return Err(item.wrong(EACH));
        }
    }
    if types.is_empty() {
        return Err(entry.wrong_as("empty", "at least one record type"));
    }
    Ok(Some(types))
}

fn zones(
    top: &Section<'_>,
    dir: &Path,
) -> Result<(Vec<ZoneStanza>, Vec<change::ZonePolicy>), ConfigError> {
    const NAME: &str = "the name of a zone, such as \"example.com.\"";
    let (mut stanzas, mut policies) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for section in top.sections("zone", "[[zone]]", ZONE)? {
        let entry = section.require("name", NAME)?;
        let origin: Name = entry.parsed(NAME)?;
        if !seen.insert(origin.clone()) {
            return Err(entry.wrong("a name that no other [[zone]] has"));
        }
        policies.push(policy(&section, &origin)?);
        stanzas.push(ZoneStanza {
            origin,
            file: path_of(Some(&section), "file", dir)?,
        });
    }
    Ok((stanzas, policies))
}

fn policy(section: &Section<'_>, origin: &Name) -> Result<change::ZonePolicy, ConfigError> {
    const SERIAL: &str = "\"increment\", \"unixtime\" or \"date\"";
    let serial = match section.get("serial") {
        None => SerialPolicy::Increment,
        Some(entry) => match entry.text(SERIAL)? {
            "increment" => SerialPolicy::Increment,
            "unixtime" => SerialPolicy::UnixTime,
            "date" => SerialPolicy::Date,
            _ => return Err(entry.wrong(SERIAL)),
        },
    };
    let limits = limits::read(section)?;
    let protections = section.sections("protect", "[[zone.protect]]", PROTECT)?;
    Ok(change::ZonePolicy {
        origin: origin.clone(),
        serial,
        protections: protections
            .iter()
            .map(|section| protection(section, origin))
            .collect::<Result<_, _>>()?,
        validate: limits.validate,
        min_members: limits.min_members,
        scope: limits.scope,
        ttl: limits.ttl,
        strict: match section.get("strict") {
            Some(entry) => entry.flag()?,
            None => false,
        },
        max_age_secs: match section.get("max_age") {
            Some(entry) => Some(entry.span()?.as_secs()),
            None => None,
        },
    })
}

fn protection(section: &Section<'_>, origin: &Name) -> Result<Protection, ConfigError> {
    const NAME: &str = "a name relative to the zone, \"@\" for its apex, or an absolute one";
    let entry = section.require("name", NAME)?;
    let text = entry.text(NAME)?;
    let name = match text {
        "" => return Err(entry.wrong(NAME)),
        "@" => origin.clone(),
        absolute if absolute.ends_with('.') && !absolute.ends_with("\\.") => entry.parsed(NAME)?,
        relative if origin.is_root() => relative.parse().map_err(|_| entry.wrong(NAME))?,
        relative => format!("{relative}.{origin}")
            .parse()
            .map_err(|_| entry.wrong(NAME))?,
    };
    if !name.is_at_or_below(origin) {
        return Err(entry.wrong(format!("a name in the zone {origin}")));
    }
    if !text.ends_with('.')
        && text
            .parse()
            .is_ok_and(|relative| repeats(&relative, origin))
    {
        return Err(entry.wrong(format!("a name without {origin}, or with a dot behind it")));
    }
    Ok(Protection {
        zone: origin.clone(),
        name,
        types: record_types(section)?.unwrap_or_else(|| vec![Rtype::A, Rtype::AAAA]),
        min_members: match section.get("min_members") {
            Some(entry) => entry.count()?,
            None => 1,
        },
        external: section.list(
            "external",
            "a name outside our zones, such as \"cdn.example.net.\"",
        )?,
        declared: true,
    })
}

impl KeyStanza {
    /// A range of addresses says nothing of types that hold none.
    fn warnings(&self) -> Vec<String> {
        let is_net = |range: &RdataRange| range.prefix().is_some();
        let loose = self.permits.iter().filter(|permit| {
            permit.types.is_empty() && !permit.rdata.is_empty() && permit.rdata.iter().all(is_net)
        });
        let sentence = |permit: &Permit| {
            let zone = match &permit.zone {
                Some(zone) => zone.to_string(),
                None => "*".to_owned(),
            };
            format!(
                "{}: key {}: `allow` for {zone} has addresses in `rdata` and no `types`: CNAME, NS \
                 and every other type may be written with any data; add types = [\"A\", \"AAAA\"]",
                self.place, self.name
            )
        };
        loose.map(sentence).collect()
    }

    pub fn is_inline(&self) -> bool {
        matches!(self.secret, SecretSource::Inline(_))
    }

    /// The algorithm and the secret's octets.
    pub(super) fn read_secret(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<(Algorithm, Vec<u8>), ConfigError> {
        let default = self.algorithm.unwrap_or(Algorithm::HmacSha256);
        let wrong = |reason| ConfigError::Secret {
            place: self.place.clone(),
            name: self.name.to_string(),
            reason,
        };
        let (algorithm, secret) = match &self.secret {
            SecretSource::Inline(secret) => (default, secret.octets().to_vec()),
            SecretSource::File(path) => {
                secret::read(path, &self.name, self.algorithm, warnings).map_err(wrong)?
            }
        };
        if algorithm.is_weak() {
            if !self.allow_sha1 {
                return Err(wrong(secret::SecretError::Weak { algorithm }));
            }
            warnings.push(format!(
                "{}: key {}: {algorithm} is weak (RFC 8945 §6); hmac-sha256 is better, as soon as \
                 the client knows it",
                self.place, self.name
            ));
        }
        Ok((algorithm, secret))
    }
}
