//! One server, killed again and again, and what is verified after each kill.

use std::fmt;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lastgood::store;

use crate::model::{self, BIG, BIG_NAMES, Question, Seen, WRITERS, ZONES};
use crate::process::client::Client;
use crate::process::random::Random;
use crate::process::server::{Place, Server};
use crate::watcher::{self, ask};
use crate::writer::{self, Writer};

const WATCHERS: usize = 2;
const DAY: Duration = Duration::from_secs(86_400);
/// Of the audit, from days ago: eight times what one pruning lets go of.
const OLD_ROWS: i64 = 4_000;
/// Zones that reloads bring in, one after the other.
const EXTRAS: usize = 4;
/// The snapshot follows within a second; a machine that is busy may take longer.
const CATCH_UP: Duration = Duration::from_secs(30);

/// When the server is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// While everybody writes.
    Load,
    /// Within the first moments after everybody stopped, or a second later: checkpoint, pruning, and
    /// the snapshot.
    Quiet,
    /// While a zone is replaced by another version from a file.
    Import,
    /// After a SIGHUP that brings a new zone and another policy.
    Reload,
    /// While it stops.
    Stop,
    /// While it starts.
    Start,
}

const MOMENTS: [Moment; 6] = [
    Moment::Load,
    Moment::Quiet,
    Moment::Import,
    Moment::Reload,
    Moment::Stop,
    Moment::Start,
];

/// What was done, and what came of it.
#[derive(Default)]
pub struct Tally {
    /// By moment.
    killed: [usize; MOMENTS.len()],
    pub acknowledged: u64,
    refused: u64,
    resent: u64,
    imports: u64,
    pub asked: u64,
    audit_rows: u64,
    audit_pruned: u64,
}

impl Tally {
    pub fn kills(&self) -> usize {
        self.killed.iter().sum()
    }

    pub fn add(&mut self, other: Tally) {
        for (sum, more) in self.killed.iter_mut().zip(other.killed) {
            *sum += more;
        }
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.resent += other.resent;
        self.imports += other.imports;
        self.asked += other.asked;
        self.audit_rows += other.audit_rows;
        self.audit_pruned += other.audit_pruned;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills (", self.kills())?;
        for (moment, killed) in MOMENTS.iter().zip(self.killed) {
            write!(f, " {moment:?} {killed}")?;
        }
        write!(
            f,
            " ): {} updates acknowledged, {} refused, {} sent again after a kill; {} imports; \
             {} queries judged; {} audit rows at the end, {} pruned before",
            self.acknowledged,
            self.refused,
            self.resent,
            self.imports,
            self.asked,
            self.audit_rows,
            self.audit_pruned
        )
    }
}

struct Lab {
    place: Place,
    random: Random,
    seen: Seen,
    writers: Vec<Writer>,
    /// Of the big zone: the version that was acknowledged, and the one sent and not acknowledged.
    version: u32,
    next_version: Option<u32>,
    extras: usize,
    tally: Tally,
}

pub fn run(kills: usize, random: Random) -> Tally {
    let mut lab = Lab::new(random);
    lab.configure();
    lab.age();
    let mut server = lab.start();
    let first = lab.random.below(MOMENTS.len());
    for number in 0..kills {
        let moment = MOMENTS[(first + number) % MOMENTS.len()];
        lab.tally.killed[moment as usize] += 1;
        lab.kill(moment, server);
        server = lab.start();
        lab.verify(&server);
    }
    lab.load(Duration::from_millis(100), |_| ());
    for writer in &lab.writers {
        lab.tally.acknowledged += writer.acknowledged;
        lab.tally.refused += writer.refused;
        lab.tally.resent += writer.resent;
    }
    lab.tally.asked = lab.seen.asked.load(Ordering::Relaxed);
    lab.tally
}

impl Lab {
    fn new(mut random: Random) -> Lab {
        let writers = (0..WRITERS).map(|number| Writer::new(number, Random::of(random.next())));
        Lab {
            place: Place::new(),
            writers: writers.collect(),
            seen: Seen::default(),
            random,
            version: 0,
            next_version: None,
            extras: 0,
            tally: Tally::default(),
        }
    }

    fn zones(&self) -> Vec<String> {
        let extras = (0..self.extras.min(EXTRAS)).map(|number| format!("extra{number}.test"));
        let zones = ZONES.into_iter().chain([BIG]).map(str::to_owned);
        zones.chain(extras).collect()
    }

    fn configure(&self) {
        let mut text = self.place.head();
        for zone in self.zones() {
            let content = match zone.as_str() {
                BIG => model::big_text(0),
                zone => model::zone_text(zone),
            };
            self.place.write(&format!("{zone}.zone"), &content);
            text += &format!("[[zone]]\nname = \"{zone}.\"\nfile = \"{zone}.zone\"\n");
            if zone != BIG {
                text += "[[zone.protect]]\nname = \"api\"\ntypes = [\"A\"]\nmin_members = 2\n";
            }
        }
        self.place.write("lastgood.toml", &text);
    }

    /// Puts rows into the audit that are old enough to be let go of, so that pruning has something
    /// to do for a while.
    fn age(&self) {
        let settings = store::Settings {
            path: self.place.path("store.db"),
            snapshot: self.place.path("store.snapshot.db"),
            busy_timeout_ms: 1_000,
            retention: store::Retention::default(),
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        let days_ago = i64::try_from((now - 3 * DAY).as_micros()).expect("this millennium");
        let mut store = store::Store::open(&settings).expect("a new store");
        let tx = store.begin().expect("nobody else writes");
        for number in 0..OLD_ROWS {
            let row = store::NewAudit {
                at_unix_us: days_ago + number,
                path: "update",
                actor: "key old.",
                source: None,
                transport: None,
                zone: None,
                base_revision: None,
                revision: None,
                old_serial: None,
                new_serial: None,
                outcome: "refused",
                rule: Some("scope"),
                reason: "a row of days ago",
                rcode: "REFUSED",
                ede: None,
                mac: None,
                detail: serde_json::json!({}),
                duration_us: 1,
            };
            tx.add_audit(row).expect("a row");
        }
        tx.commit().expect("a commit");
        store.close().expect("closed");
    }

    fn start(&self) -> Server {
        self.seen.gone.store(false, Ordering::SeqCst);
        let zones = self.zones();
        let zones: Vec<&str> = zones.iter().map(String::as_str).collect();
        self.place.start(&zones)
    }

    /// Everybody writes and asks for so long, and while `last` does something more; then comes the
    /// end, as far as they know.
    fn load(&mut self, span: Duration, last: impl FnOnce(&Seen)) {
        let (seen, at) = (&self.seen, self.place.at);
        let random = &mut self.random;
        thread::scope(|scope| {
            for writer in &mut self.writers {
                scope.spawn(move || {
                    let _stop = StopOnPanic(seen);
                    writer.run(&mut Client::of(at), seen);
                });
            }
            for _ in 0..WATCHERS {
                let mut random = Random::of(random.next());
                scope.spawn(move || {
                    let _stop = StopOnPanic(seen);
                    watcher::run(&mut Client::of(at), seen, &mut random);
                });
            }
            thread::sleep(span);
            last(seen);
            seen.gone.store(true, Ordering::SeqCst);
        });
    }

    fn kill(&mut self, moment: Moment, server: Server) {
        let millis = |millis: usize| Duration::from_millis(millis as u64);
        let (span, then) = (self.random.below(250), self.random.below(40));
        match moment {
            Moment::Load => self.load(millis(20 + span), |seen| end(seen, server)),
            Moment::Quiet => {
                self.load(millis(20 + span), |_| ());
                // Two in three around the checkpoint, one around the snapshot.
                let pause = match self.random.below(3) {
                    0 => 900 + self.random.below(250),
                    _ => 180 + self.random.below(250),
                };
                self.seen.gone.store(false, Ordering::SeqCst);
                let (seen, at) = (&self.seen, self.place.at);
                let mut random = Random::of(self.random.next());
                thread::scope(|scope| {
                    scope.spawn(|| {
                        let _stop = StopOnPanic(seen);
                        watcher::run(&mut Client::of(at), seen, &mut random);
                    });
                    thread::sleep(millis(pause));
                    end(seen, server);
                });
            }
            Moment::Import => self.import(millis(span / 4), millis(then * 8), server),
            Moment::Reload => {
                self.extras = (self.extras + 1).min(EXTRAS);
                self.configure();
                self.load(millis(20 + span / 2), |seen| {
                    server.signal("HUP");
                    thread::sleep(millis(then));
                    end(seen, server);
                });
            }
            Moment::Stop => self.load(millis(20 + span / 2), |seen| {
                // From here on it may refuse connections; what it answers must still be right.
                seen.gone.store(true, Ordering::SeqCst);
                server.signal("TERM");
                thread::sleep(millis(then));
                server.kill();
            }),
            Moment::Start => {
                self.load(millis(20 + span / 4), |seen| end(seen, server));
                self.seen.gone.store(false, Ordering::SeqCst);
                let (seen, at) = (&self.seen, self.place.at);
                let mut random = Random::of(self.random.next());
                let server = self.place.spawn();
                thread::scope(|scope| {
                    scope.spawn(|| {
                        let _stop = StopOnPanic(seen);
                        watcher::run(&mut Client::of(at), seen, &mut random);
                    });
                    thread::sleep(millis(then * 4));
                    end(seen, server);
                });
            }
        }
    }

    /// Replaces the big zone by the next version, and kills in the midst of it, or soon after.
    fn import(&mut self, span: Duration, then: Duration, server: Server) {
        let version = self.version + 1;
        self.place.write("next.zone", &model::big_text(version));
        let file = self.place.path("next.zone");
        let file = file.to_str().expect("a path of ours");
        let mut command = self
            .place
            .command(&["zone", "import", "big.test.", file, "--replace"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut done = None;
        self.load(span, |seen| {
            let mut importing = command.spawn().expect("the program runs");
            let begun = Instant::now();
            while begun.elapsed() < then && done.is_none() {
                done = importing.try_wait().expect("our own child");
                thread::sleep(Duration::from_millis(1));
            }
            end(seen, server);
            // It ends by itself: nobody answers any more.
            done = done.or_else(|| importing.wait().ok());
        });
        self.tally.imports += 1;
        match done.is_some_and(|status| status.success()) {
            true => self.version = version,
            false => self.next_version = Some(version),
        }
    }

    fn verify(&mut self, server: &Server) {
        let Lab {
            seen,
            random,
            writers,
            ..
        } = self;
        let mut client = Client::of(self.place.at);
        for zone in 0..=ZONES.len() {
            ask(&mut client, seen, Question::Serial { zone }, random).expect("it runs");
        }
        for writer in writers.iter_mut() {
            writer.verify(&mut client, seen);
        }
        writer::verify_counts(writers, &mut client, seen, random);
        self.verify_big(&mut client);
        let found = self.place.json(&["verify"]);
        assert_eq!(found["whole"], true, "{found}");
        let number = |key: &str| found[key].as_u64().expect("a number");
        self.tally.audit_rows = number("audit_rows");
        self.tally.audit_pruned = number("audit_pruned");
        self.verify_snapshot();
        let log = self.place.log();
        for word in ["panic", "ERROR"] {
            assert!(!log.contains(word), "{}", self.place.log_end());
        }
        let _ = server;
    }

    /// One version or the other, not some of each.
    fn verify_big(&mut self, client: &mut Client) {
        let mut versions = Vec::new();
        for _ in 0..40 {
            let name = self.random.below(BIG_NAMES);
            let version = ask(client, &self.seen, Question::Big { name }, &mut self.random);
            versions.push(version.expect("it runs") as u32);
        }
        let exported = self.place.json(&["zone", "export", "big.test."]);
        let text = exported["text"].as_str().expect("a zone file").to_owned();
        let version = versions[0];
        let quoted = format!("\"{version}\"");
        let rows = text.lines().filter(|line| line.ends_with(&quoted)).count();
        assert_eq!(
            rows, BIG_NAMES,
            "of version {version}, and there are {versions:?}"
        );
        assert!(
            versions.iter().all(|&other| other == version),
            "{versions:?}"
        );
        let open = self.next_version.take();
        assert!(
            version == self.version || Some(version) == open,
            "version {} was acknowledged, {open:?} was sent, {version} is served",
            self.version
        );
        self.version = version;
    }

    fn verify_snapshot(&mut self) {
        let begun = Instant::now();
        let mut last = String::new();
        while begun.elapsed() < CATCH_UP {
            let status = self.place.cli(&["--json", "status"]);
            let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
            let zones = status["zones"].as_array().expect("zones");
            assert_eq!(zones.len(), self.zones().len(), "{status}");
            for zone in zones {
                assert_eq!(zone["state"], "live", "{zone}");
            }
            let behind = zones
                .iter()
                .find(|z| z["revision"] != z["snapshot_revision"]);
            match behind {
                None => return self.verify_shown(zones),
                Some(zone) => last = zone.to_string(),
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the snapshot did not catch up: {last}");
    }

    /// What `snapshot show` has of each zone is what is served.
    fn verify_shown(&mut self, zones: &[serde_json::Value]) {
        let shown = self.place.json(&["snapshot", "show"]);
        for zone in zones {
            let kept = shown["zones"].as_array().expect("zones").iter();
            let kept = kept.clone().find(|kept| kept["zone"] == zone["zone"]);
            let kept = kept.unwrap_or_else(|| panic!("{} is not in {shown}", zone["zone"]));
            for field in ["revision", "records"] {
                assert_eq!(kept[field], zone[field], "{kept} and {zone}");
            }
        }
        // Record by record, of one zone each time.
        let name = zones[self.random.below(zones.len())]["zone"]
            .as_str()
            .expect("a name");
        let kept = self.place.json(&["snapshot", "export", name]);
        let live = self.place.json(&["zone", "export", name]);
        assert_eq!(kept["text"], live["text"], "snapshot and store of {name}");
    }
}

fn end(seen: &Seen, server: Server) {
    seen.gone.store(true, Ordering::SeqCst);
    server.kill();
}

/// When one client fails, the others need not go on.
struct StopOnPanic<'a>(&'a Seen);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.gone.store(true, Ordering::SeqCst);
        }
    }
}
