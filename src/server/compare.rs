//! What is otherwise in another configuration: what a reload brings, and what only a restart does.

use std::collections::HashMap;
use std::fmt::Debug;

use crate::change::ZonePolicy;
use crate::config::{Config, KeyStanza};
use crate::rr::Name;
use crate::tsig::Keys;

/// A configuration with its secrets.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    pub config: &'a Config,
    pub keys: &'a Keys,
}

/// What a reload changes, in sentences. Zones without a stanza are told elsewhere.
pub(super) fn changes(old: Read<'_>, new: Read<'_>) -> Vec<String> {
    let mut sentences = zone_changes(&old.config.change.zones, &new.config.change.zones);
    sentences.extend(key_changes(old, new));
    sentences
}

fn zone_changes(old: &[ZonePolicy], new: &[ZonePolicy]) -> Vec<String> {
    let known: HashMap<&Name, &ZonePolicy> = old.iter().map(|zone| (&zone.origin, zone)).collect();
    let mut sentences = Vec::new();
    for zone in new {
        let origin = &zone.origin;
        let Some(before) = known.get(origin) else {
            sentences.push(format!("zone {origin}: a new stanza"));
            continue;
        };
        let parts = [
            ("serial", before.serial != zone.serial),
            ("protections", before.protections != zone.protections),
            ("validate", before.validate != zone.validate),
            ("min_members", before.min_members != zone.min_members),
            ("scope", before.scope != zone.scope),
            ("ttl", before.ttl != zone.ttl),
            ("strict", before.strict != zone.strict),
            ("max_age", before.max_age_secs != zone.max_age_secs),
        ];
        let other: Vec<&str> = parts
            .iter()
            .filter(|(_, is_other)| *is_other)
            .map(|(part, _)| *part)
            .collect();
        if !other.is_empty() {
            sentences.push(format!("zone {origin}: {}", other.join(", ")));
        }
    }
    sentences
}

fn key_changes(old: Read<'_>, new: Read<'_>) -> Vec<String> {
    let by_name = |keys: &'_ [KeyStanza]| -> HashMap<Name, usize> {
        let numbered = keys.iter().enumerate();
        numbered.map(|(at, key)| (key.name.clone(), at)).collect()
    };
    let (before, after) = (by_name(&old.config.keys), by_name(&new.config.keys));
    let mut sentences = Vec::new();
    for key in &new.config.keys {
        let name = &key.name;
        let Some(&at) = before.get(name) else {
            sentences.push(format!("key {name}: new"));
            continue;
        };
        if !old.keys.agree_on(name, new.keys) {
            sentences.push(format!("key {name}: another secret"));
        }
        if old.config.keys[at].permits != key.permits {
            sentences.push(format!("key {name}: allow"));
        }
    }
    let gone = old.config.keys.iter().map(|key| &key.name);
    sentences.extend(
        gone.filter(|name| !after.contains_key(name))
            .map(|name| format!("key {name}: gone; what it signs is not accepted any more")),
    );
    sentences
}

/// What the server was started with and cannot take up while it runs, where the file says otherwise.
pub(super) fn needs_restart(started: &Config, new: &Config) -> Vec<String> {
    let (old, now) = (started, new);
    let ask_from = |config: &Config| -> Vec<String> {
        let ranges = config.wire.ask_from.iter();
        ranges.map(ToString::to_string).collect()
    };
    [
        stays("[server] listen", &old.wire.listen, &now.wire.listen),
        stays(
            "[server] udp_threads",
            &old.wire.udp_threads,
            &now.wire.udp_threads,
        ),
        stays("[server] log", &old.log, &now.log),
        stays(
            "[server] version",
            &old.wire.answer.version,
            &now.wire.answer.version,
        ),
        stays(
            "[server] identity",
            &old.wire.answer.identity,
            &now.wire.answer.identity,
        ),
        stays("[server] ask_from", &ask_from(old), &ask_from(now)),
        stays(
            "[server] tcp_connections",
            &old.wire.tcp.connections_max,
            &now.wire.tcp.connections_max,
        ),
        stays(
            "[server] tcp_connections_per_address",
            &old.wire.tcp.connections_per_address_max,
            &now.wire.tcp.connections_per_address_max,
        ),
        stays(
            "[server] tcp_idle_secs",
            &old.wire.tcp.idle.as_secs(),
            &now.wire.tcp.idle.as_secs(),
        ),
        stays("[store] path", &old.store.path, &now.store.path),
        stays("[store] snapshot", &old.store.snapshot, &now.store.snapshot),
        stays(
            "[store] retain_revisions",
            &old.store.retention.revisions,
            &now.store.retention.revisions,
        ),
        stays(
            "[store] retain_days",
            &old.store.retention.days,
            &now.store.retention.days,
        ),
        stays("[store] scrub", &old.change.scrub, &now.change.scrub),
        stays("[metrics] listen", &old.admin.metrics, &now.admin.metrics),
        stays("[control] socket", &old.admin.socket, &now.admin.socket),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn stays<T: PartialEq + Debug>(what: &str, old: &T, new: &T) -> Option<String> {
    (old != new).then(|| format!("{what} stays {old:?} until a restart; the file says {new:?}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(server: &str, rest: &str) -> (Config, Keys) {
        let text = format!("[server]\nlisten = [\"127.0.0.1:0\"]\n{server}\n{rest}");
        let config = Config::from_str(&text, Path::new("/etc/dns")).unwrap();
        let keys = config.load_keys().unwrap().keys;
        (config, keys)
    }

    fn key(name: &str, secret: &str, names: &str) -> String {
        format!(
            "[[key]]\nname = \"{name}\"\nsecret = \"{secret}\"\n\
             allow = [{{ zone = \"*\", names = [\"{names}\"] }}]\n"
        )
    }

    #[test]
    fn what_is_otherwise_is_told_and_nothing_else() {
        let zones = "[[zone]]\nname = \"a.\"\n[[zone]]\nname = \"b.\"\n";
        let old = [
            key("same.", "AAAA", "x"),
            key("rolled.", "AAAA", "x"),
            key("moved.", "AAAA", "x"),
            key("gone.", "AAAA", "x"),
            zones.to_owned(),
        ];
        let new = [
            key("same.", "AAAA", "x"),
            key("rolled.", "BBBB", "x"),
            key("moved.", "AAAA", "y"),
            key("new.", "AAAA", "x"),
            "[[zone]]\nname = \"a.\"\nserial = \"date\"\nstrict = true\n".to_owned(),
            "[[zone]]\nname = \"c.\"\n".to_owned(),
        ];
        let (old, old_keys) = read("", &old.concat());
        let (new, new_keys) = read("", &new.concat());
        let old = Read {
            config: &old,
            keys: &old_keys,
        };
        let new = Read {
            config: &new,
            keys: &new_keys,
        };
        assert_eq!(changes(old, old), [""; 0]);
        assert_eq!(
            changes(old, new),
            [
                "zone a.: serial, strict",
                "zone c.: a new stanza",
                "key rolled.: another secret",
                "key moved.: allow",
                "key new.: new",
                "key gone.: gone; what it signs is not accepted any more",
            ]
        );
    }

    #[test]
    fn what_only_a_restart_brings_is_told_with_both_values() {
        let (old, _) = read("udp_threads = 1", "");
        let (new, _) = read(
            "udp_threads = 2\nlog = \"json\"\nask_from = [\"192.0.2.0/24\"]",
            "[store]\npath = \"other.db\"\n",
        );
        assert_eq!(needs_restart(&old, &old), [""; 0]);
        assert_eq!(
            needs_restart(&old, &new),
            [
                "[server] udp_threads stays 1 until a restart; the file says 2",
                "[server] log stays Human until a restart; the file says Json",
                "[server] ask_from stays [] until a restart; the file says [\"192.0.2.0/24\"]",
                "[store] path stays \"/etc/dns/data/lastgood.db\" until a restart; \
                 the file says \"/etc/dns/other.db\"",
                "[store] snapshot stays \"/etc/dns/data/lastgood.snapshot.db\" until a restart; \
                 the file says \"/etc/dns/other.snapshot.db\"",
            ]
        );
    }
}
