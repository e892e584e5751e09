//! What is synced to the disk, and when: the system calls of a server, counted with strace.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use hickory_proto::op::ResponseCode;

use crate::harness::eventually;
use crate::harness::lab::{Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};
use crate::harness::programs::{self, Ran};

const ADD: &str = "zone example.com\nupdate add new.example.com. 60 A 192.0.2.1";
const REFUSED: &str = "zone example.com\nupdate delete api.example.com. A";

/// A server under strace, which writes down each sync.
struct Traced {
    lab: Lab,
    strace: std::process::Child,
    pid: String,
    at: std::net::SocketAddr,
}

impl Traced {
    /// `None`, with a word on why, where strace cannot be used.
    fn start() -> Option<Traced> {
        let probe = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "true"])
            .output();
        if !probe.is_ok_and(|ran| ran.status.success()) {
            programs::not_here("strace cannot trace, so no sync was counted");
            return None;
        }
        let lab = Lab::prepared_demo();
        let at = std::net::SocketAddr::from(([127, 0, 0, 1], lab.port));
        let served = lab.command(&["serve"]);
        let strace = Command::new("strace")
            .args(["-f", "-y", "-e", "trace=fsync,fdatasync", "-o"])
            .arg(lab.path("trace"))
            .arg(served.get_program())
            .args(served.get_args())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace starts");
        let pid = eventually("the server answers", || {
            let ran = lab.cli(&["--json", "status"]);
            match ran.ok() {
                true => Ok(ran.json()["server"]["pid"].to_string()),
                false => Err(ran.to_string()),
            }
        });
        Some(Traced {
            lab,
            strace,
            pid,
            at,
        })
    }

    fn update(&self, script: &str) -> Ran {
        let mut command = Command::new("nsupdate");
        command.args(["-y", &format!("hmac-sha256:demo:{PUBLIC_SECRET}")]);
        let input = format!(
            "server {} {}\n{script}\nsend\n",
            self.at.ip(),
            self.at.port()
        );
        programs::run(&mut command, &input)
    }

    /// Syncs of the store's log, by name of the call.
    fn syncs(&self, call: &str) -> usize {
        let trace = self.lab.read("trace");
        let lines = trace.lines().filter(|line| line.contains("/demo.db-wal>"));
        lines
            .filter(|line| line.contains(&format!(" {call}(")))
            .count()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        programs::run(Command::new("kill").arg(&self.pid), "");
        programs::wait(&mut self.strace, Duration::from_secs(20));
    }
}

#[test]
fn an_update_is_synced_before_its_answer_and_a_flood_of_refusals_is_not() {
    let Some(traced) = Traced::start() else {
        return;
    };
    let before = traced.syncs("fdatasync");
    assert!(traced.update(ADD).ok());
    // strace writes a line when the call returns, which is before the answer was sent.
    let after = traced.syncs("fdatasync");
    assert!(after > before, "{}", traced.lab.read("trace"));
    assert_eq!(traced.syncs("fsync"), 0, "one flush less for each commit");
    for _ in 0..30 {
        assert!(traced.update(REFUSED).both().contains("REFUSED"));
    }
    // One for the first of them; what is done while nobody waits has its own now and then.
    let flood = traced.syncs("fdatasync") - after;
    assert!(flood <= 8, "{flood} syncs for 30 refusals");
}

#[test]
fn updates_that_wait_together_share_a_sync() {
    let Some(traced) = Traced::start() else {
        return;
    };
    const CLIENTS: usize = 16;
    const EACH: usize = 8;
    let before = traced.syncs("fdatasync");
    let at = traced.at;
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                for number in 0..EACH {
                    let owner = format!("n{number}.c{client}.example.com.");
                    let key = library::demo_key();
                    let update = library::update("example.com.", key, false, |section| {
                        section.add_a(&owner, [192, 0, 2, 1]);
                    });
                    let answer = update.send(at, Transport::Tcp);
                    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
                }
            });
        }
    });
    let syncs = traced.syncs("fdatasync") - before;
    let updates = CLIENTS * EACH;
    assert!(syncs >= EACH, "each waits for a sync of its own: {syncs}");
    assert!(syncs <= updates / 2, "{syncs} syncs for {updates} updates");
}
