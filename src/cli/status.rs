//! `status`: how the server and its zones are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::control::Control;
use super::{Exit, Globals, print};

/// What the server says of itself. Fields that are printed; `--json` prints all there are.
#[derive(Debug, Clone, Deserialize)]
struct Status {
    server: Process,
    snapshot: Snapshot,
    freezes: Vec<Freeze>,
    /// Why changes fail; it is one of the notices.
    #[serde(default)]
    failing: Option<String>,
    /// What is odd about the store though nothing holds.
    #[serde(default)]
    notices: Vec<String>,
    zones: Vec<Zone>,
}

#[derive(Debug, Clone, Deserialize)]
struct Snapshot {
    path: String,
    trouble: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Process {
    version: String,
    pid: u32,
    uptime_secs: u64,
    listen: Vec<String>,
    queries: u64,
    updates: BTreeMap<String, u64>,
    refusals: BTreeMap<String, u64>,
    observed: BTreeMap<String, u64>,
    tsig_failures: u64,
    unsigned_updates: u64,
    log_lines_lost: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Freeze {
    scope: String,
    since_unix: i64,
    reason: String,
    actor: String,
}

/// One zone, as `status` and `zone list` show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Zone {
    pub zone: String,
    pub serial: Option<u32>,
    pub revision: u64,
    /// `None`: nobody has counted.
    pub records: Option<usize>,
    pub state: String,
    #[serde(default)]
    pub held_secs: Option<u64>,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub mend: Option<String>,
    #[serde(default)]
    pub orphaned: bool,
    #[serde(default)]
    pub snapshot_revision: Option<u64>,
    #[serde(default)]
    pub snapshot_lag_secs: Option<u64>,
    #[serde(default)]
    pub frozen: Vec<String>,
    #[serde(default)]
    pub last_update: Option<LastUpdate>,
    #[serde(default)]
    pub last_refusal: Option<LastRefusal>,
    #[serde(default)]
    pub findings: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LastUpdate {
    reference: String,
    at: String,
    actor: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LastRefusal {
    reference: String,
    at: String,
    actor: String,
    rule: String,
    reason: String,
}

pub(super) fn run(globals: &Globals) -> anyhow::Result<Exit> {
    let config = globals.config()?;
    let answer = Control::open(&config.admin.socket)?.get("/v1/status", &[])?;
    let Some(value) = answer.json::<Value>()? else {
        return Ok(Exit::Wanting);
    };
    let status = Status::deserialize(&value)?;
    if globals.json {
        print::json(&value)?;
    } else {
        print::out(&render(&status))?;
    }
    let troubled: Vec<&str> = status
        .zones
        .iter()
        .filter(|zone| zone.is_troubled())
        .map(|zone| zone.zone.as_str())
        .collect();
    if !troubled.is_empty() {
        eprintln!("not live: {}", troubled.join(", "));
    } else if status.failing.is_some() {
        eprintln!("changes fail");
    } else {
        return Ok(Exit::Done);
    }
    Ok(Exit::Wanting)
}

impl Zone {
    fn is_troubled(&self) -> bool {
        self.state != "live"
    }

    fn state(&self) -> String {
        let mut state = match self.held_secs {
            Some(secs) => format!("{} for {}", self.state, print::span(secs)),
            None => self.state.clone(),
        };
        for (is_so, word) in [
            (!self.frozen.is_empty(), ", frozen"),
            (self.orphaned, ", orphaned"),
        ] {
            if is_so {
                state.push_str(word);
            }
        }
        state
    }

    /// That the snapshot has another revision than is served, and for how long.
    fn lag(&self) -> Option<String> {
        let kept = match self.snapshot_revision {
            Some(revision) if revision == self.revision => return None,
            Some(revision) => format!("revision {revision}, not {}", self.revision),
            None => "no revision".to_owned(),
        };
        let lag = self.snapshot_lag_secs.unwrap_or(0);
        Some(format!(
            "{}: the snapshot has {kept}, for {}",
            self.zone,
            print::span(lag)
        ))
    }
}

/// One line for each zone.
pub(super) fn zone_table(zones: &[Zone]) -> String {
    let header = ["ZONE", "SERIAL", "REVISION", "RECORDS", "STATE"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(zones.iter().map(|zone| {
        let count = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
        vec![
            zone.zone.clone(),
            count(zone.serial.map(u64::from)),
            zone.revision.to_string(),
            count(zone.records.map(|records| records as u64)),
            zone.state(),
        ]
    }));
    print::table(&rows)
}

impl Process {
    /// What came since the start, a line for each kind of thing.
    fn counted(&self) -> String {
        let updates: u64 = self.updates.values().sum();
        let mut text = format!(
            "{} queries, {updates} updates{}\n",
            self.queries,
            listed(&self.updates, " (", ")")
        );
        let strangers = [
            (self.tsig_failures, "signatures not accepted"),
            (self.unsigned_updates, "updates without a signature"),
        ];
        let refusals = listed(&self.refusals, "refused by rule: ", "");
        let strangers = strangers
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{what}: {count}"));
        let observed = listed(&self.observed, "observed, not refused, by rule: ", "");
        for line in [refusals, observed].into_iter().chain(strangers) {
            if !line.is_empty() {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

/// What there is any of.
fn listed(counts: &BTreeMap<String, u64>, before: &str, after: &str) -> String {
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    match counts.is_empty() {
        true => String::new(),
        false => format!("{before}{}{after}", counts.join(", ")),
    }
}

fn render(status: &Status) -> String {
    let server = &status.server;
    let mut text = format!(
        "lastgood {}, process {}, up {}, on {}\n{}\n",
        server.version,
        server.pid,
        print::span(server.uptime_secs),
        server.listen.join(", "),
        server.counted(),
    );
    text.push_str(&zone_table(&status.zones));
    for zone in &status.zones {
        text.push_str(&trouble(zone));
    }
    for notice in &status.notices {
        text.push_str(&format!("\nNote: {notice}\n"));
    }
    text.push_str(&snapshot(status));
    for freeze in &status.freezes {
        let since = print::time(freeze.since_unix.saturating_mul(1_000_000));
        text.push_str(&format!(
            "\nFrozen: {} since {since} UTC by {}: {}\n  To end it: lastgood thaw{}\n",
            freeze.scope,
            freeze.actor,
            print::one_line(&freeze.reason),
            thaw_options(&freeze.scope)
        ));
    }
    text.push_str(&latest(&status.zones));
    text
}

/// What is not as it should be with the last-known-good snapshot, and with the logs.
fn snapshot(status: &Status) -> String {
    let mut lines = Vec::new();
    if let Some(trouble) = &status.snapshot.trouble {
        lines.push(format!(
            "The snapshot {} cannot be written: {}",
            status.snapshot.path,
            print::one_line(trouble)
        ));
    }
    let served = status.zones.iter();
    lines.extend(
        served
            .filter(|zone| zone.state != "unavailable")
            .filter_map(Zone::lag),
    );
    if status.server.log_lines_lost > 0 {
        lines.push(format!(
            "{} log lines were lost: nobody took them from standard error",
            status.server.log_lines_lost
        ));
    }
    match lines.is_empty() {
        true => String::new(),
        false => format!("\n{}\n", lines.join("\n")),
    }
}

/// A scope such as `zone example.com.` as the options of `thaw`.
fn thaw_options(scope: &str) -> String {
    match scope.split_once(' ') {
        Some((kind, name)) => format!(" --{kind} {name}"),
        None => String::new(),
    }
}

/// What is wrong with a zone, and what to do about it.
fn trouble(zone: &Zone) -> String {
    let mut text = String::new();
    if zone.is_troubled() {
        let reason = print::one_line(zone.reason.as_deref().unwrap_or("no reason is known"));
        text.push_str(&format!("\n{} is {}: {reason}\n", zone.zone, zone.state));
        if zone.state == "holding" {
            text.push_str("  The last good version is being served; updates are refused.\n");
        }
        if let Some(mend) = &zone.mend {
            text.push_str(&format!("  To mend it:\n{}\n", mend_block(mend)));
        }
    }
    if zone.orphaned {
        text.push_str(&format!(
            "\n{0} has no stanza in the configuration; it is served with the policy it had\n  \
             To take it away: lastgood zone remove {0}\n",
            zone.zone
        ));
    }
    if !zone.findings.is_empty() && zone.state != "unavailable" {
        text.push_str(&format!("\n{} is served although:\n", zone.zone));
        for finding in &zone.findings {
            text.push_str(&format!("  {}\n", print::one_line(finding)));
        }
    }
    text
}

/// Commands stand in the first column, so that a copied here-document ends where it should.
fn mend_block(mend: &str) -> String {
    match mend.contains("<<") {
        true => mend.to_owned(),
        false => print::indented(mend, 4),
    }
}

/// The last update and the last refusal of each zone that had any.
fn latest(zones: &[Zone]) -> String {
    let mut rows = Vec::new();
    for zone in zones {
        if let Some(last) = &zone.last_update {
            rows.push(vec![
                zone.zone.clone(),
                "last update".to_owned(),
                last.reference.clone(),
                last.at.clone(),
                last.actor.clone(),
            ]);
        }
        if let Some(last) = &zone.last_refusal {
            rows.push(vec![
                zone.zone.clone(),
                "last refusal".to_owned(),
                last.reference.clone(),
                last.at.clone(),
                format!("{}, {}: {}", last.actor, last.rule, last.reason),
            ]);
        }
    }
    match rows.is_empty() {
        true => String::new(),
        false => format!("\n{}", print::table(&rows)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status() -> Status {
        serde_json::from_value(json!({
            "server": {
                "version": "0.1.0", "pid": 42, "uptime_secs": 10_200,
                "listen": ["127.0.0.1:5300", "[::1]:5300"], "store": "lastgood.db",
                "queries": 12_345, "tsig_failures": 0, "unsigned_updates": 3,
                "updates": { "committed": 4, "failed": 0, "refused": 2 },
                "refusals": { "min-members": 1, "scope": 1 },
                "observed": { "ttl": 2 },
                "log_lines_lost": 0,
            },
            "snapshot": {
                "path": "lastgood.snapshot.db", "lag_secs": 0, "trouble": "no space left",
            },
            "freezes": [{
                "scope": "zone example.com.", "since_unix": 1_760_946_491,
                "reason": "INC-421", "actor": "cli root",
            }],
            "zones": [
                {
                    "zone": "example.com.", "serial": 2_026_070_104, "revision": 4,
                    "records": 43, "state": "holding", "held_secs": 95,
                    "reason": "api.example.com. A has 0 members",
                    "mend": "sqlite3 lastgood.db <<'SQL'\nINSERT …;\nSQL",
                    "snapshot_revision": 4, "snapshot_lag_secs": 0,
                    "frozen": ["zone example.com. by cli root: INC-421"],
                    "last_update": null,
                    "last_refusal": {
                        "reference": "7Q2K", "at": "2025-10-20T07:48:11Z",
                        "actor": "key demo.", "rule": "min-members", "reason": "2 to 0",
                    },
                    "findings": [],
                },
                {
                    "zone": "2.0.192.in-addr.arpa.", "serial": 7, "revision": 1,
                    "records": 9, "state": "live", "held_secs": null, "reason": null,
                    "orphaned": true, "snapshot_revision": null, "snapshot_lag_secs": 7,
                    "mend": null, "frozen": [], "findings": [],
                    "last_update": {
                        "reference": "1ABC", "at": "2025-10-20T07:00:00Z",
                        "actor": "configuration",
                    },
                    "last_refusal": null,
                },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn status_says_what_is_wrong_and_what_to_do() {
        assert_eq!(
            render(&status()),
            "\
lastgood 0.1.0, process 42, up 2 h 50 min, on 127.0.0.1:5300, [::1]:5300
12345 queries, 6 updates (4 committed, 2 refused)
refused by rule: 1 min-members, 1 scope
observed, not refused, by rule: 2 ttl
updates without a signature: 3

ZONE                   SERIAL      REVISION  RECORDS  STATE
example.com.           2026070104  4         43       holding for 1 min 35 s, frozen
2.0.192.in-addr.arpa.  7           1         9        live, orphaned

example.com. is holding: api.example.com. A has 0 members
  The last good version is being served; updates are refused.
  To mend it:
sqlite3 lastgood.db <<'SQL'
INSERT …;
SQL

2.0.192.in-addr.arpa. has no stanza in the configuration; it is served with the policy it had
  To take it away: lastgood zone remove 2.0.192.in-addr.arpa.

The snapshot lastgood.snapshot.db cannot be written: no space left
2.0.192.in-addr.arpa.: the snapshot has no revision, for 7 s

Frozen: zone example.com. since 2025-10-20 07:48:11 UTC by cli root: INC-421
  To end it: lastgood thaw --zone example.com.

example.com.           last refusal  7Q2K  2025-10-20T07:48:11Z  key demo., min-members: 2 to 0
2.0.192.in-addr.arpa.  last update   1ABC  2025-10-20T07:00:00Z  configuration
"
        );
        assert!(status().zones[0].is_troubled());
        assert!(!status().zones[1].is_troubled());
    }
}
