//! The scrub, edits by hand and a restart where there is very much: what they cost, and whether
//! anybody waits for them. Here in a size that does not keep anybody waiting; in full, and with the
//! figures that it prints, by `tests/scale`.

mod probes;

use std::env;
use std::fmt::Write;
use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;

use crate::harness::exposition::{self, Page};
use crate::harness::lab::{Lab, apex, head};
use crate::harness::library::{self, Transport};
use crate::harness::programs;
use crate::harness::serving::Serving;
use probes::{Measured, Probes};

/// Far beyond what the full sizes take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Where everything else is left alone.
const BESIDE: &str = "beside.example.";

/// A number, by a variable or as here.
fn number(variable: &str, here: u64) -> u64 {
    env::var(variable).map_or(here, |text| text.parse().expect("a number"))
}

/// What the writer may work for one thing that happens, however large the store is; and for each row
/// that is touched.
fn writer_may_work(rows: u64) -> Duration {
    let once = number("LASTGOOD_WRITER_MS", 250);
    let each = number("LASTGOOD_WRITER_ROW_US", 1_000);
    Duration::from_millis(once) + Duration::from_micros(each * rows)
}

/// A server with very much to serve, and the zone in which things happen.
struct Stage {
    serving: Serving,
    zone: String,
}

fn settings(zones: &str) -> String {
    // Scrubs come when something asks for them, so that they can be told apart.
    let head = head().replace("[control]", "scrub = \"off\"\n[control]");
    format!("{head}[[zone]]\nname = \"{BESIDE}\"\nfile = \"beside\"\n{zones}")
}

const PROTECTED: &str = "[[zone.protect]]\nname = \"api\"\ntypes = [\"A\"]\nmin_members = 2\n";

/// The zone's apex and what is protected in it.
fn beginning(origin: &str) -> String {
    format!(
        "{}api A 192.0.2.1\napi A 192.0.2.2\nstays A 192.0.2.3\n",
        apex(origin)
    )
}

impl Stage {
    fn set(lab: Lab, zone: &str) -> Stage {
        lab.write("beside", &beginning(BESIDE));
        let serving = Serving::start_within(lab, zone, PATIENCE);
        let stage = Stage {
            serving,
            zone: zone.to_owned(),
        };
        stage.scrubbed_since(0.0);
        stage
    }

    fn until(&self, what: &str, mut is_so: impl FnMut(&Stage) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < PATIENCE, "{what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn sample(&self, name: &str) -> f64 {
        let stream = UnixStream::connect(self.serving.lab.path("data/demo.sock"));
        let stream = stream.expect("a connection");
        let accept = "Accept: application/openmetrics-text;version=1.0.0\r\n";
        let http = exposition::request(stream, "GET /metrics", accept);
        Page::modern(&http.body).value(name)
    }

    fn probes(&self) -> Probes {
        let stays = format!("stays.{BESIDE}");
        Probes::start(self.serving.pid, self.serving.at, BESIDE, &stays)
    }

    /// Measures while `act` goes on, and for a moment after; tells, and gives it back. `act` says for how
    /// long somebody else may have had the store locked: so long updates have to wait.
    fn measure(&self, what: &str, act: impl FnOnce() -> Duration) -> Measured {
        let before = self.serving.memory_kib("VmRSS");
        let probes = self.probes();
        let began = Instant::now();
        let locked = act();
        let took = began.elapsed();
        thread::sleep(Duration::from_millis(number("LASTGOOD_LINGER_MS", 300)));
        let measured = probes.end();
        let log = fs::metadata(self.serving.lab.path("data/demo.db-wal"));
        let cpu = |thread: &str| measured.of(thread).as_secs_f64();
        println!(
            "{what}: {:.3} s; CPU s: writer {:.3} (measured {:.1} s), scrub {:.2}, snapshot {:.2}; \
             median/p99/max ms: {} updates {}, {} queries {}, nothing {}; MiB: {} -> {}, most {}, \
             log {}",
            took.as_secs_f64(),
            cpu("writer"),
            measured.took.as_secs_f64(),
            cpu("scrub"),
            cpu("snapshot"),
            measured.updates.count(),
            measured.updates,
            measured.queries.count(),
            measured.queries,
            measured.idle,
            before / 1024,
            self.serving.memory_kib("VmRSS") / 1024,
            self.serving.memory_kib("VmHWM") / 1024,
            log.map_or(0, |log| log.len()) >> 20,
        );
        let late = Duration::from_millis(number("LASTGOOD_LATE_MS", 2_000));
        let noise = measured.idle.max();
        assert!(
            measured.updates.max() <= late + noise + locked,
            "{what}: an update waited"
        );
        assert!(
            measured.queries.max() <= late + noise,
            "{what}: a query waited"
        );
        measured
    }

    /// What the updates of a quiet second cost the writer.
    fn quiet(&self) -> Duration {
        let measured = self.measure("nothing happens", || {
            thread::sleep(Duration::from_millis(number("LASTGOOD_QUIET_MS", 700)));
            Duration::ZERO
        });
        measured.of("writer") / measured.updates.count() as u32
    }

    #[track_caller]
    fn writer_worked_little(what: &str, quiet: Duration, measured: &Measured, rows: u64) {
        let updates = quiet * measured.updates.count() as u32;
        let worked = measured.of("writer").saturating_sub(updates);
        // What an update costs is not the same from one second to the next, and more while others work.
        let most = writer_may_work(rows) + updates;
        println!("  beside the updates the writer worked {worked:.1?}, at most {most:?}");
        assert!(worked <= most, "{what}: the writer worked {worked:?}");
    }

    /// Tells how long `sqlite3` took for it.
    fn sql(&self, statement: &str) -> Duration {
        let began = Instant::now();
        self.serving.lab.sql(statement);
        began.elapsed()
    }

    /// Waits until the scrub that the last commit of somebody else asked for is over.
    fn scrubbed_since(&self, before: f64) {
        self.until("a scrub", |stage| {
            stage.sample("lastgood_scrubs_total") > before
        });
    }

    fn addresses(&self, name: &str) -> Vec<String> {
        let request = library::query(name, RecordType::A, Some(1232));
        let response = library::ask(self.serving.at, Transport::Udp, &request);
        let data = response.answers.iter().map(|r| r.data.to_string());
        data.collect()
    }

    fn marks(&self, name: &str) -> Vec<u16> {
        let request = library::query(name, RecordType::A, Some(1232));
        let response = library::ask(self.serving.at, Transport::Udp, &request);
        let errors = library::extended_errors(&response).into_iter();
        errors.map(|(code, _)| code).collect()
    }

    /// Somebody else commits and `is_seen` comes true; the scrub that this asks for is waited for
    /// without being measured.
    fn edited(
        &self,
        what: &str,
        (quiet, rows): (Duration, u64),
        statement: &str,
        is_seen: impl Fn(&Stage) -> bool,
    ) {
        let scrubs = self.sample("lastgood_scrubs_total");
        let measured = self.measure(what, || {
            let typed = self.sql(statement);
            println!("  sqlite3 itself took {:.3} s", typed.as_secs_f64());
            self.until(what, |stage| is_seen(stage));
            typed
        });
        Stage::writer_worked_little(what, quiet, &measured, rows);
        self.scrubbed_since(scrubs);
    }

    /// Everything that is done to a store by hand.
    fn play(&self, rows: u64) {
        let zone = self.zone.clone();
        let quiet = self.quiet();
        let scrubs = self.sample("lastgood_scrubs_total");
        let measured = self.measure("a scrub", || {
            let typed = self.sql("REPLACE INTO meta VALUES ('scale', '1')");
            self.scrubbed_since(scrubs);
            typed
        });
        Stage::writer_worked_little("a scrub", quiet, &measured, 0);
        let first = format!("h0.{zone}");
        self.edited(
            "one row edited",
            (quiet, 1),
            &format!("UPDATE record SET rdata = '198.51.100.1' WHERE zone = '{zone}' AND owner = '{first}'"),
            |stage| stage.addresses(&first) == ["198.51.100.1"],
        );
        let last = format!("h{}.{zone}", rows - 1);
        let owners = (0..rows).map(|number| format!("'h{number}.{zone}'"));
        let owners: Vec<String> = owners.collect();
        self.edited(
            &format!("{rows} rows edited"),
            (quiet, rows),
            &format!(
                "UPDATE record SET rdata = '198.51.100.2' WHERE zone = '{zone}' AND owner IN ({})",
                owners.join(",")
            ),
            |stage| stage.addresses(&last) == ["198.51.100.2"],
        );
        let api = format!("api.{zone}");
        self.edited(
            "a protected name broken",
            (quiet, 1),
            &format!("DELETE FROM record WHERE zone = '{zone}' AND owner = '{api}' AND rdata = '192.0.2.1'"),
            |stage| stage.marks(&api) == [3],
        );
        assert_eq!(self.addresses(&api).len(), 2);
        assert_eq!(
            self.marks(&format!("stays.{BESIDE}")),
            [0; 0],
            "others do not hold"
        );
        self.edited(
            "and repaired",
            (quiet, 1),
            &format!("INSERT INTO record (zone, owner, ttl, type, rdata) VALUES ('{zone}', '{api}', 300, 'A', '192.0.2.1')"),
            |stage| stage.marks(&api).is_empty(),
        );
        // Without a trace: damage, which the scrub finds.
        let stays = format!("stays.{zone}");
        let untraced = |address: &str| {
            format!(
                ".dbconfig enable_trigger off\nUPDATE record SET rdata = '{address}' WHERE zone = '{zone}' AND owner = '{stays}'"
            )
        };
        self.edited(
            "a row damaged",
            (quiet, 1),
            &untraced("192.0.2.9"),
            |stage| stage.marks(&stays) == [3],
        );
        assert_eq!(self.addresses(&stays), ["192.0.2.3"]);
        self.edited(
            "and as it was",
            (quiet, 1),
            &untraced("192.0.2.3"),
            |stage| stage.marks(&stays).is_empty(),
        );
        let status = self.serving.lab.cli(&["--json", "status"]).json();
        let zones = status["zones"].as_array().expect("a list");
        assert!(zones.iter().all(|zone| zone["state"] == "live"));
    }

    /// Killed, and started again with a scrub at once; measured while it looks through what it has.
    fn killed(self) {
        let stays = format!("stays.{}", self.zone);
        let probes = Probes::start(self.serving.pid, self.serving.at, &self.zone, &stays);
        thread::sleep(Duration::from_millis(300));
        probes.end();
        let Stage { serving, zone } = self;
        programs::run(
            Command::new("kill").args(["-9", &serving.pid.to_string()]),
            "",
        );
        let lab = serving.stop();
        let config = lab.read("lastgood.toml");
        lab.write("lastgood.toml", &config.replace("scrub = \"off\"\n", ""));
        let began = Instant::now();
        let serving = Serving::start_within(lab, &zone, PATIENCE);
        let took = began.elapsed();
        println!(
            "after a kill: answers after {:.2} s, {:.2} s of CPU",
            took.as_secs_f64(),
            serving.worked().as_secs_f64()
        );
        let stage = Stage { serving, zone };
        let measured = stage.measure("looking through what is there after the start", || {
            stage.scrubbed_since(0.0);
            Duration::ZERO
        });
        // It has what changed in the last second before: not the whole of a large zone to write.
        let (worked, most) = (measured.of("snapshot"), writer_may_work(0));
        assert!(worked <= most, "the snapshot's thread worked {worked:?}");
    }
}

#[test]
fn nobody_waits_for_the_scrub_or_an_edit_by_hand_of_a_very_large_zone() {
    let records = number("LASTGOOD_RECORDS", 20_000);
    let zone = "large.example.";
    let stanza = format!("[[zone]]\nname = \"{zone}\"\nfile = \"zone\"\n{PROTECTED}");
    let lab = Lab::prepared(&settings(&stanza), &[]);
    let mut text = beginning(zone);
    for number in 0..records {
        let address = std::net::Ipv4Addr::from_bits((11 << 24) + number as u32);
        writeln!(text, "h{number} A {address}").expect("memory");
    }
    lab.write("zone", &text);
    drop(text);
    let stage = Stage::set(lab, zone);
    println!("{records} records in one zone");
    stage.play(number("LASTGOOD_EDITED", 500));
    stage.killed();
}

#[test]
fn nobody_waits_for_the_scrub_or_an_edit_by_hand_where_there_are_very_many_zones() {
    let zones = number("LASTGOOD_ZONES", 300);
    // One of them is larger, to be edited.
    let (zone, edited) = ("edited.example.", number("LASTGOOD_EDITED", 500));
    let mut stanzas = format!("[[zone]]\nname = \"{zone}\"\nfile = \"zone\"\n{PROTECTED}");
    let lab = Lab::prepared("", &[]);
    fs::create_dir(lab.path("zones")).expect("a folder");
    for number in 0..zones {
        let origin = format!("z{number}.example.");
        let mut text = beginning(&origin);
        for host in 0..4 {
            writeln!(text, "h{host} A 198.51.100.{host}").expect("memory");
        }
        lab.write(&format!("zones/{number}"), &text);
        write!(
            stanzas,
            "[[zone]]\nname = \"{origin}\"\nfile = \"zones/{number}\"\n{PROTECTED}"
        )
        .expect("memory");
    }
    let mut text = beginning(zone);
    for number in 0..edited {
        writeln!(text, "h{number} A 203.0.113.1").expect("memory");
    }
    lab.write("zone", &text);
    let config = settings(&stanzas).replace(":0\"", &format!(":{}\"", lab.port));
    lab.write("lastgood.toml", &config);
    let stage = Stage::set(lab, zone);
    println!("{zones} zones");
    stage.play(edited);
    stage.killed();
}
