//! Clients that people have, unmodified: what they send, and that they are content with the answers.
//! Ansible's are in `playbooks`.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::ports;
use crate::harness::programs::{self, Ran};
use crate::harness::{eventually, library};

/// A zone with whatever makes it hard to find out where a name belongs.
pub const RECORDS: &str = "*.wild A 192.0.2.1\ncut NS ns.cut\nns.cut A 192.0.2.53\nwww CNAME web\n\
                       web A 192.0.2.2\na.b.ent A 192.0.2.3\nmoved DNAME elsewhere.invalid.\n";

pub fn lab_for_clients() -> Lab {
    let zone = |origin: &str| format!("[[zone]]\nname = \"{origin}\"\nfile = \"{origin}zone\"\n");
    let config = lab::head() + &zone("a.test.") + &zone("2.0.192.in-addr.arpa.");
    Lab::of(
        &config,
        &[
            ("a.test.zone", &(lab::apex("a.test.") + RECORDS)),
            (
                "2.0.192.in-addr.arpa.zone",
                &lab::apex("2.0.192.in-addr.arpa."),
            ),
        ],
    )
}

/// Where `tests/run` puts the clients that are not installed.
pub fn clients() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let clients = target.expect("the target folder").join("clients");
    let complete = ["requirements.txt", "ansible/complete", "kea/complete"];
    assert!(
        complete.iter().all(|file| clients.join(file).exists()),
        "{} is not complete: tests/clients/install makes it",
        clients.display()
    );
    clients
}

/// A script of `tests/clients`, told where the lab is.
fn python(lab: &Lab, script: &str, words: &[&str]) -> Ran {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let at = lab.v4();
    let mut command = Command::new(clients().join("venv/bin/python"));
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(scripts.join(script))
        .args([&at.ip().to_string(), &at.port().to_string(), PUBLIC_SECRET])
        .args(words);
    programs::run(&mut command, "")
}

fn texts(lab: &Lab, name: &str) -> Vec<String> {
    lab.dig(&format!("{name} TXT")).data()
}

#[test]
fn nsupdate_finds_the_zone_of_any_name_without_being_told() {
    let lab = lab_for_clients();
    for name in [
        "a.test",
        "new.a.test",
        "deep.down.new.a.test",
        // Nothing of the sort exists, but a wildcard answers for it.
        "new.wild.a.test",
        "x.y.wild.a.test",
        // On the other side of a cut, and the glue.
        "cut.a.test",
        "deep.cut.a.test",
        "ns.cut.a.test",
        // Aliases lead elsewhere, and the update does not follow.
        "below.www.a.test",
        "b.ent.a.test",
        "x.a.b.ent.a.test",
    ] {
        let serial = lab.serial("a.test");
        let status = lab.update(&format!("update add {name}. 60 TXT found"));
        assert_eq!(status, "NOERROR", "{name}");
        assert_eq!(lab.serial("a.test"), serial + 1, "{name}");
        let exported = lab.cli(&["zone", "export", "a.test."]).expect_ok();
        let relative = name.strip_suffix(".a.test").unwrap_or(name);
        let is_there = |line: &str| line.starts_with(relative) || line.starts_with("a.test.");
        assert!(
            exported
                .lines()
                .any(|line| line.contains("found") && is_there(line)),
            "{name} in {exported}"
        );
    }
    // Nobody here answers for it, and nsupdate says so instead of waiting.
    let status = lab.update("update add www.example.org. 60 TXT lost");
    assert!(
        !status.contains("timed out") && status != "NOERROR",
        "{status}"
    );
    let serial = lab.serial("2.0.192.in-addr.arpa");
    let status = lab.update("update add 7.2.0.192.in-addr.arpa. 60 PTR www.a.test.");
    assert_eq!(status, "NOERROR");
    assert_eq!(lab.serial("2.0.192.in-addr.arpa"), serial + 1);
}

#[test]
fn certbot_answers_challenges_at_any_depth() {
    let lab = lab_for_clients();
    let certbot = |words: &[&str]| python(&lab, "drive_certbot.py", words);
    for (name, signed) in [
        ("_acme-challenge.a.test", false),
        ("_acme-challenge.x.y.www.a.test", false),
        ("_acme-challenge.deep.wild.a.test", true),
    ] {
        let run = |verb, text| {
            let mut words = vec![verb, name, text];
            words.extend(signed.then_some("signed"));
            certbot(&words).expect_ok()
        };
        // Two challenges of one name, as for a wildcard beside the name itself.
        run("add", "first");
        run("add", "second");
        assert_eq!(texts(&lab, name), ["\"first\"", "\"second\""], "{name}");
        run("del", "first");
        assert_eq!(texts(&lab, name), ["\"second\""], "{name}");
        run("del", "second");
        assert!(texts(&lab, name).is_empty(), "{name}");
    }
    // Below a cut the name is the zone's to write, though nobody will be told of it.
    certbot(&["add", "_acme-challenge.deep.cut.a.test", "x"]).expect_ok();
    let ran = certbot(&["add", "_acme-challenge.not.ours.example.org", "x"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr.contains("Unable to determine base domain"),
        "{ran}"
    );
}

#[test]
fn every_suffix_that_is_not_ours_gets_an_answer_over_tcp() {
    let lab = lab_for_clients();
    for name in ["a.b.example.org.", "example.org.", "org.", "test.", "."] {
        let query = library::query(name, hickory_proto::rr::RecordType::SOA, None);
        let answer = library::ask(lab.v4(), library::Transport::Tcp, &query);
        assert!(answer.answers.is_empty(), "{name}");
        assert!(!answer.metadata.authoritative, "{name}");
    }
}

#[test]
fn octodns_brings_a_zone_to_what_is_asked_in_batches() {
    let lab = lab_for_clients();
    let octodns = |batch: &str, before: &serde_json::Value, after: &serde_json::Value| {
        let (before, after) = (before.to_string(), after.to_string());
        python(&lab, "drive_octodns.py", &[batch, &before, &after])
    };
    let mut first = vec![
        json!(["api", "A", 60, ["192.0.2.1", "192.0.2.2"]]),
        json!(["api", "AAAA", 60, ["2001:db8::1"]]),
        json!(["alias", "CNAME", 60, ["api.a.test."]]),
        json!(["", "MX", 300, [{"preference": 10, "exchange": "mx.a.test."}]]),
        json!(["_sip._tcp", "SRV", 60, [
            {"priority": 1, "weight": 2, "port": 5060, "target": "web.a.test."}
        ]]),
        json!(["ca", "CAA", 60, [{"flags": 0, "tag": "issue", "value": "ca.test"}]]),
        json!(["long", "TXT", 60, ["v=spf1 -all", "x".repeat(300)]]),
    ];
    first.extend((0..40).map(|n| json!([format!("n{n}"), "A", 60, ["192.0.2.9"]])));
    let count = first.len();
    let first = json!(first);
    let serial = lab.serial("a.test");
    let done = octodns("10", &json!([]), &first).expect_ok();
    assert_eq!(done.trim(), count.to_string());
    let batches = u32::try_from(count.div_ceil(10)).expect("few");
    assert_eq!(
        lab.serial("a.test"),
        serial + batches,
        "a revision for each batch"
    );
    assert_eq!(lab.data("api.a.test A"), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(lab.data("_sip._tcp.a.test SRV"), ["1 2 5060 web.a.test."]);
    assert_eq!(lab.data("a.test MX"), ["10 mx.a.test."]);
    assert_eq!(lab.data("ca.a.test CAA"), ["0 issue \"ca.test\""]);
    assert_eq!(texts(&lab, "long.a.test").len(), 2);

    // Replaced, deleted, and turned from one type into another, in one message.
    let second = json!([
        ["api", "A", 120, ["192.0.2.2", "192.0.2.3"]],
        ["alias", "A", 60, ["192.0.2.7"]],
    ]);
    octodns("1000", &first, &second).expect_ok();
    assert_eq!(lab.data("api.a.test A"), ["192.0.2.2", "192.0.2.3"]);
    assert_eq!(
        lab.dig("api.a.test A").answer[0],
        "api.a.test. 120 IN A 192.0.2.2"
    );
    assert_eq!(lab.data("alias.a.test A"), ["192.0.2.7"]);
    assert!(texts(&lab, "long.a.test").is_empty());
    assert_eq!(lab.dig("n7.a.test A").status, "NXDOMAIN");
}

#[test]
fn octodns_is_told_when_a_batch_is_refused() {
    let config = lab::head()
        + "[[zone]]\nname = \"a.test.\"\nfile = \"a.zone\"\n[[zone.protect]]\nname = \"web\"\n";
    let zone = lab::apex("a.test.") + RECORDS;
    let lab = Lab::of(&config, &[("a.zone", &zone)]);
    let web = json!([["web", "A", 300, ["192.0.2.2"]]]).to_string();
    let ran = python(&lab, "drive_octodns.py", &["10", &web, "[]"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("REFUSED"), "{ran}");
    assert_eq!(lab.data("web.a.test A"), ["192.0.2.2"]);
}

/// Kea's DDNS server, told by a DHCP server of leases.
struct Kea {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Kea {
    fn start(lab: &Lab) -> Kea {
        let folder = TempDir::new().expect("a folder");
        let (port, at) = (ports::free(), lab.v4());
        let server = json!([{ "ip-address": at.ip().to_string(), "port": at.port() }]);
        let zones = |name: &str| {
            json!({ "ddns-domains":
                [{ "name": name, "key-name": "demo.", "dns-servers": server }] })
        };
        let config = json!({ "DhcpDdns": {
            "ip-address": "127.0.0.1", "port": port, "dns-server-timeout": 10000,
            "ncr-protocol": "UDP", "ncr-format": "JSON",
            "tsig-keys": [{ "name": "demo.", "algorithm": "HMAC-SHA256", "secret": PUBLIC_SECRET }],
            "forward-ddns": zones("a.test."), "reverse-ddns": zones("2.0.192.in-addr.arpa."),
            "loggers": [{ "name": "kea-dhcp-ddns", "severity": "INFO",
                "output_options": [{ "output": folder.path().join("log") }] }],
        }});
        let file = folder.path().join("kea.json");
        fs::write(&file, config.to_string()).expect("a file");
        let root = clients().join("kea");
        let folders = fs::read_dir(root.join("usr/lib")).expect("a folder");
        let libraries = folders
            .map(|entry| entry.expect("an entry").path())
            .find(|path| path.to_string_lossy().ends_with("-linux-gnu"))
            .expect("the libraries of this machine's kind");
        let child = Command::new(root.join("usr/sbin/kea-dhcp-ddns"))
            .args(["-c".as_ref(), file.as_os_str()])
            .env("LD_LIBRARY_PATH", libraries)
            .env("KEA_PIDFILE_DIR", folder.path())
            .env("KEA_LOCKFILE_DIR", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("kea-dhcp-ddns (tests/clients/install unpacks it)");
        let log = folder.path().join("log");
        let kea = Kea {
            child,
            port,
            _folder: folder,
        };
        eventually("Kea listens", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            match said.contains("DHCP_DDNS_STARTED") {
                true => Ok(()),
                false => Err(said),
            }
        });
        kea
    }

    /// A lease begins (0) or ends (1).
    fn tell(&self, change: u8, name: &str, address: &str, dhcid: &str) {
        let request = json!({
            "change-type": change, "forward-change": true, "reverse-change": true,
            "fqdn": name, "ip-address": address, "dhcid": dhcid,
            "lease-expires-on": "20300121132405", "lease-length": 1300,
            "use-conflict-resolution": true,
        });
        let text = request.to_string();
        let octets = u16::try_from(text.len()).expect("short").to_be_bytes();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let message = [&octets, text.as_bytes()].concat();
        socket
            .send_to(&message, ("127.0.0.1", self.port))
            .expect("sent");
    }
}

impl Drop for Kea {
    fn drop(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }
}

#[test]
fn kea_keeps_the_names_of_leases_by_dhcid() {
    let lab = lab_for_clients();
    let kea = Kea::start(&lab);
    let (ours, other) = (
        format!("000101{}", "A1".repeat(32)),
        format!("000101{}", "FF".repeat(32)),
    );
    let becomes = |words: &str, wanted: &[&str]| {
        eventually(words, || match lab.dig(words).data() {
            data if data == wanted => Ok(()),
            data => Err(format!("{data:?}")),
        });
    };
    kea.tell(0, "host.a.test.", "192.0.2.77", &ours);
    becomes("host.a.test A", &["192.0.2.77"]);
    becomes("77.2.0.192.in-addr.arpa PTR", &["host.a.test."]);
    assert_eq!(lab.data("host.a.test DHCID").len(), 1);
    // The same client with another address: the name is in use, by its own DHCID.
    kea.tell(0, "host.a.test.", "192.0.2.78", &ours);
    becomes("host.a.test A", &["192.0.2.78"]);
    becomes("78.2.0.192.in-addr.arpa PTR", &["host.a.test."]);
    // Another client may not have it.
    let failed = |count: usize| {
        let log = lab.cli(&["--json", "log", "a.test.", "--limit", "50"]);
        let rows = log.json();
        let rows = rows.as_array().cloned().unwrap_or_default();
        let is_it = |row: &&serde_json::Value| row["rcode"] == "NXRRSET";
        let found = rows.iter().filter(is_it).count();
        match found == count {
            true => Ok(()),
            false => Err(format!("{found} updates met no DHCID of theirs")),
        }
    };
    kea.tell(0, "host.a.test.", "192.0.2.79", &other);
    eventually("another client is turned away", || failed(1));
    assert_eq!(lab.data("host.a.test A"), ["192.0.2.78"]);
    // The end of a lease takes the name away, and of another client's nothing.
    kea.tell(1, "host.a.test.", "192.0.2.78", &other);
    eventually("another client's end is none", || failed(2));
    assert_eq!(lab.data("host.a.test A"), ["192.0.2.78"]);
    kea.tell(1, "host.a.test.", "192.0.2.78", &ours);
    becomes("host.a.test A", &[]);
    becomes("host.a.test DHCID", &[]);
    becomes("78.2.0.192.in-addr.arpa PTR", &[]);
}
