//! Ansible's community.general.nsupdate, unmodified, run by a playbook (`tests/clients/records.yml`).
//!
//! It asks with messages that hold prerequisites and nothing else whether there is anything to do, and
//! by queries for the zone and the TTL; then it sends the update, and takes the RCODE for the outcome.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clients::{self, RECORDS};
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::programs;

/// Each record is a Python that starts, and the machine may be busy.
const BOUND: Duration = Duration::from_secs(180);

/// What Ansible said of one record.
#[derive(Debug)]
struct Told {
    record: String,
    /// `ok`, `changed` or `failed`.
    status: String,
    module: Value,
}

impl Told {
    /// Where it failed, why.
    fn why(&self) -> &str {
        self.module["msg"].as_str().unwrap_or_default()
    }
}

/// Runs the playbook over `records`, and finds Ansible content exactly if nothing failed.
#[track_caller]
fn play(lab: &Lab, records: &Value, words: &[&str]) -> Vec<Told> {
    let at = lab.v4();
    let variables = json!({
        "server": at.ip().to_string(), "port": at.port(), "secret": PUBLIC_SECRET,
        "records": records,
    });
    lab.write("variables.json", &variables.to_string());
    let clients = clients::clients();
    let home = lab.path("home");
    fs::create_dir_all(&home).expect("a folder");
    lab.write("home/ansible.cfg", "");
    let mut command = Command::new(clients.join("venv/bin/ansible-playbook"));
    command
        // Neither settings of whoever runs the tests, nor traces in their home or beside the collection.
        .env_clear()
        .env("PATH", env::var_os("PATH").expect("a path"))
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ANSIBLE_CONFIG", home.join("ansible.cfg"))
        .env("ANSIBLE_HOME", home.join(".ansible"))
        // Else in the home that the system knows, whatever HOME says.
        .env("ANSIBLE_REMOTE_TMP", home.join("tmp"))
        .env("ANSIBLE_COLLECTIONS_PATH", clients.join("ansible"))
        // The results of the module too.
        .arg("-v")
        .args(words)
        .arg("-e")
        .arg(format!("@{}", lab.path("variables.json").display()))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/records.yml"));
    let ran = programs::run_within(&mut command, "", BOUND);
    let told: Vec<Told> = ran.stdout.lines().filter_map(read).collect();
    let asked = records.as_array().expect("a list").iter();
    let asked: Vec<&str> = asked.filter_map(|one| one["record"].as_str()).collect();
    let answered: Vec<&str> = told.iter().map(|one| one.record.as_str()).collect();
    assert_eq!(answered, asked, "{ran}");
    let failed = told.iter().any(|one| one.status == "failed");
    assert_eq!(ran.code, Some(if failed { 2 } else { 0 }), "{ran}");
    told
}

/// `changed: [localhost] => (item=RECORD) => {…}`; of what failed the first arrow is missing.
fn read(line: &str) -> Option<Told> {
    let (head, module) = line.split_once(") => ")?;
    let (head, record) = head.split_once("(item=")?;
    let (status, _) = head.split_once(": [localhost]")?;
    Some(Told {
        record: record.to_owned(),
        status: status.to_owned(),
        module: serde_json::from_str(module).ok()?,
    })
}

#[track_caller]
fn play_all(lab: &Lab, records: &Value, words: &[&str], status: &str) {
    for told in play(lab, records, words) {
        assert_eq!(told.status, status, "{told:?}");
    }
}

fn serials(lab: &Lab) -> [u32; 2] {
    ["a.test", "2.0.192.in-addr.arpa"].map(|zone| lab.serial(zone))
}

/// Plays it twice: the first time everything changes, by one revision each, the second time nothing does.
#[track_caller]
fn play_to_the_end(lab: &Lab, records: &Value, revisions: [u32; 2]) {
    let before = serials(lab);
    play_all(lab, records, &[], "changed");
    let after = serials(lab);
    let risen: Vec<u32> = after
        .iter()
        .zip(before)
        .map(|(new, old)| new - old)
        .collect();
    assert_eq!(risen, revisions);
    play_all(lab, records, &[], "ok");
    assert_eq!(serials(lab), after, "asking changes nothing");
}

/// TTL and RDATA as dig has them.
#[track_caller]
fn answers(lab: &Lab, wanted: &[(&str, &str, &[&str])]) {
    for (question, ttl, data) in wanted {
        let reply = lab.dig(question);
        assert_eq!(reply.data(), *data, "{question}: {}", reply.text);
        for record in &reply.answer {
            assert_eq!(record.split(' ').nth(1), Some(*ttl), "{question}: {record}");
        }
    }
}

#[test]
fn ansible_brings_records_to_what_the_playbook_says_and_then_leaves_them_alone() {
    let lab = clients::lab_for_clients();
    let first = json!([
        { "zone": "a.test", "record": "one", "ttl": 60, "value": ["192.0.2.1", "192.0.2.2"] },
        { "zone": "a.test", "record": "two", "value": "192.0.2.3", "protocol": "udp" },
        { "zone": "a.test", "record": "text", "type": "TXT", "ttl": 60, "value": "v=spf1 a -all" },
        { "zone": "a.test", "record": "strings", "type": "TXT", "ttl": 60, "value": "\"a b\" \"c\"" },
        { "zone": "a.test", "record": "alias", "type": "CNAME", "ttl": 60, "value": "web.a.test." },
        { "zone": "a.test", "record": "mail", "type": "MX", "ttl": 60,
          "value": ["10 web.a.test.", "20 one.a.test."] },
        // Without a zone it looks for it. What a wildcard would answer alike is nothing that is there.
        { "record": "new.deep.wild.a.test.", "ttl": 300, "value": "192.0.2.1" },
        { "record": "7.2.0.192.in-addr.arpa.", "type": "PTR", "ttl": 60, "value": "one.a.test.",
          "protocol": "udp" },
    ]);
    play_to_the_end(&lab, &first, [7, 1]);
    answers(
        &lab,
        &[
            ("one.a.test A", "60", &["192.0.2.1", "192.0.2.2"]),
            ("two.a.test A", "3600", &["192.0.2.3"]),
            ("text.a.test TXT", "60", &["\"v=spf1 a -all\""]),
            ("strings.a.test TXT", "60", &["\"a b\" \"c\""]),
            ("alias.a.test CNAME", "60", &["web.a.test."]),
            (
                "mail.a.test MX",
                "60",
                &["10 web.a.test.", "20 one.a.test."],
            ),
            ("new.deep.wild.a.test A", "300", &["192.0.2.1"]),
            ("7.2.0.192.in-addr.arpa PTR", "60", &["one.a.test."]),
        ],
    );
    // The name is there by itself now, and the wildcard no longer covers what is beside and below it.
    assert_eq!(lab.dig("deep.wild.a.test A").status, "NOERROR");
    assert_eq!(lab.dig("x.deep.wild.a.test A").status, "NXDOMAIN");

    let second = json!([
        // The TTL alone; one value; fewer values; another text.
        { "zone": "a.test", "record": "one", "ttl": 120, "value": ["192.0.2.1", "192.0.2.2"] },
        { "zone": "a.test", "record": "two", "value": "192.0.2.4", "protocol": "udp" },
        { "zone": "a.test", "record": "mail", "type": "MX", "ttl": 60, "value": "20 one.a.test." },
        { "zone": "a.test", "record": "text", "type": "TXT", "ttl": 60, "value": ["x", "y z"] },
        // An alias, whose own SOA query is answered with that alias.
        { "record": "www.a.test.", "type": "CNAME", "ttl": 300, "value": "one.a.test." },
        // NS: it adds, and deletes one by one what it found by a query: in an answer at the apex, in
        // the authority section at a cut.
        { "record": "a.test.", "type": "NS", "ttl": 300, "value": ["ns1.invalid.", "ns3.invalid."] },
        { "record": "cut.a.test.", "type": "NS", "ttl": 300, "value": ["ns4.invalid."] },
        { "record": "7.2.0.192.in-addr.arpa.", "type": "PTR", "ttl": 60, "value": "two.a.test." },
    ]);
    let before = serials(&lab);
    let few = json!([second[0], second[1]]);
    play_all(&lab, &few, &["--check"], "changed");
    assert_eq!(serials(&lab), before, "a dry run changes nothing");
    play_to_the_end(&lab, &second, [7, 1]);
    answers(
        &lab,
        &[
            ("one.a.test A", "120", &["192.0.2.1", "192.0.2.2"]),
            ("two.a.test A", "3600", &["192.0.2.4"]),
            ("mail.a.test MX", "60", &["20 one.a.test."]),
            ("text.a.test TXT", "60", &["\"x\"", "\"y z\""]),
            ("www.a.test CNAME", "300", &["one.a.test."]),
            ("a.test NS", "300", &["ns1.invalid.", "ns3.invalid."]),
            ("7.2.0.192.in-addr.arpa PTR", "60", &["two.a.test."]),
        ],
    );
    let referral = lab.dig("x.cut.a.test A").authority;
    assert_eq!(referral, ["cut.a.test. 300 IN NS ns4.invalid."]);
}

#[test]
fn ansible_takes_away_what_is_to_be_absent_and_nothing_else() {
    let lab = clients::lab_for_clients();
    let beside = "update add web.a.test. 60 TXT stays\nupdate add web.a.test. 60 A 192.0.2.5";
    assert_eq!(lab.update(beside), "NOERROR");
    let absent = json!([
        { "zone": "a.test", "record": "web", "state": "absent" },
        { "zone": "a.test", "record": "a.b.ent", "state": "absent", "protocol": "udp" },
        { "record": "www.a.test.", "type": "CNAME", "state": "absent" },
        { "record": "cut.a.test.", "type": "NS", "state": "absent", "protocol": "udp" },
    ]);
    play_to_the_end(&lab, &absent, [4, 0]);
    assert!(lab.data("web.a.test A").is_empty());
    assert_eq!(lab.data("web.a.test TXT"), ["\"stays\""]);
    for gone in ["a.b.ent.a.test A", "b.ent.a.test A", "www.a.test CNAME"] {
        assert_eq!(lab.dig(gone).status, "NXDOMAIN", "{gone}");
    }
    // What was glue is data.
    assert_eq!(lab.data("ns.cut.a.test A"), ["192.0.2.53"]);

    // What nobody has, and what only a wildcard would answer.
    let before = serials(&lab);
    let never = json!([
        { "zone": "a.test", "record": "never", "state": "absent" },
        { "record": "x.wild.a.test.", "state": "absent" },
    ]);
    play_all(&lab, &never, &[], "ok");
    assert_eq!(serials(&lab), before);
    assert_eq!(lab.data("x.wild.a.test A"), ["192.0.2.1"]);
}

/// `web` is protected, TTLs have a floor, and two keys may do little.
fn guarded_lab() -> Lab {
    let key = |name: &str, zone: &str| {
        format!(
            "[[key]]\nname = \"{name}.\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{PUBLIC_SECRET}\"\n\
             allow = [{{ zone = \"{zone}\", names = [\"mine\"], types = [\"A\"] }}]\n"
        )
    };
    let config = lab::head()
        + &key("little", "a.test.")
        + &key("stranger", "b.test.")
        + "[[zone]]\nname = \"b.test.\"\nfile = \"b.zone\"\n\
           [[zone]]\nname = \"a.test.\"\nfile = \"a.zone\"\n\
           [zone.limits]\nttl = { mode = \"enforce\", min = 30 }\n[[zone.protect]]\nname = \"web\"\n";
    let zone = lab::apex("a.test.") + RECORDS;
    Lab::of(
        &config,
        &[("a.zone", &zone), ("b.zone", &lab::apex("b.test."))],
    )
}

#[test]
fn ansible_fails_where_a_guard_refuses_and_says_so() {
    let lab = guarded_lab();
    let serial = lab.serial("a.test");
    let refused = json!([
        { "zone": "a.test", "record": "web", "state": "absent" },
        { "record": "web.a.test.", "state": "absent", "protocol": "udp" },
        { "zone": "a.test", "record": "web", "ttl": 5, "value": "192.0.2.9" },
        { "zone": "a.test", "record": "new", "ttl": 5, "value": "192.0.2.9" },
        { "zone": "a.test", "record": "new", "ttl": 60, "value": "192.0.2.9", "key": "little" },
        { "zone": "a.test", "record": "new", "ttl": 60, "value": "192.0.2.9", "key": "stranger" },
    ]);
    let told = play(&lab, &refused, &[]);
    let whys = [
        "Failed to delete record (rc: 5)",
        "Failed to delete record (rc: 5)",
        "Failed to update DNS record (rc: 5)",
        "Failed to create DNS record (rc: 5)",
        "Failed to create DNS record (rc: 5)",
        "Failed to create DNS record (rc: 5)",
    ];
    for (told, why) in told.iter().zip(whys) {
        assert_eq!(told.status, "failed", "{told:?}");
        assert_eq!(told.why(), why, "{told:?}");
        assert_eq!(told.module["dns_rc_str"], "REFUSED", "{told:?}");
    }
    assert_eq!(lab.serial("a.test"), serial);
    assert_eq!(lab.data("web.a.test A"), ["192.0.2.2"]);
    assert_eq!(lab.dig("new.a.test A").status, "NXDOMAIN");
    let log = lab.cli(&["--json", "log", "a.test.", "--limit", "50"]);
    let rows = log.json();
    let rules: BTreeSet<_> = rows
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| Some((row["actor"].as_str()?, row["rule"].as_str()?)))
        .collect();
    let wanted = [
        ("key demo.", "min-members"),
        ("key demo.", "ttl"),
        ("key little.", "scope"),
        ("key stranger.", "scope"),
    ];
    assert_eq!(rules, BTreeSet::from(wanted), "{log}");

    // Another address in one message is no emptying, and a refused record does not harm its neighbours.
    let mixed = json!([
        { "zone": "a.test", "record": "web", "ttl": 300, "value": "192.0.2.9" },
        { "zone": "a.test", "record": "web", "state": "absent" },
        { "zone": "a.test", "record": "mine", "ttl": 60, "value": "192.0.2.7", "key": "little" },
    ]);
    let told = play(&lab, &mixed, &[]);
    let statuses: Vec<&str> = told.iter().map(|told| told.status.as_str()).collect();
    assert_eq!(statuses, ["changed", "failed", "changed"], "{told:?}");
    assert_eq!(lab.data("web.a.test A"), ["192.0.2.9"]);
    assert_eq!(lab.data("mine.a.test A"), ["192.0.2.7"]);
}

#[test]
fn ansible_is_told_of_keys_and_zones_that_are_not_ours() {
    let lab = guarded_lab();
    let other = PUBLIC_SECRET.replace("WKZ", "XKZ");
    let wrong = json!([
        { "zone": "a.test", "record": "new", "value": "192.0.2.9", "secret": other },
        { "zone": "a.test", "record": "new", "value": "192.0.2.9", "key": "nobody" },
        { "record": "new.a.test.", "value": "192.0.2.9", "key": "nobody", "protocol": "udp" },
        // What it signs with when it is not told.
        { "zone": "a.test", "record": "new", "value": "192.0.2.9", "algorithm": "hmac-md5" },
        { "record": "new.example.org.", "value": "192.0.2.9" },
        { "zone": "example.org", "record": "new", "value": "192.0.2.9" },
    ]);
    let whys = [
        "TSIG update error (PeerBadSignature)",
        "TSIG update error (PeerBadKey)",
        "TSIG update error (PeerBadKey)",
        "TSIG update error (PeerBadKey)",
        "Zone lookup failure",
        "Failed to create DNS record (rc: 9)",
    ];
    for (told, why) in play(&lab, &wrong, &[]).iter().zip(whys) {
        assert_eq!(told.status, "failed", "{told:?}");
        assert!(told.why().starts_with(why), "{told:?}");
    }
    // It takes the refusal of its question for "there is none". The name is still there.
    let stranger = json!([
        { "zone": "a.test", "record": "web", "state": "absent", "key": "stranger" },
    ]);
    let told = play(&lab, &stranger, &[]);
    assert_eq!(told[0].status, "ok", "{told:?}");
    assert_eq!(told[0].module["dns_rc_str"], "REFUSED", "{told:?}");
    assert_eq!(lab.data("web.a.test A"), ["192.0.2.2"]);
}
