//! The program itself, as a process of its own: for what concerns a whole process, such as its open
//! files and its memory.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;

use super::lab::Lab;
use super::library;
use super::programs;

/// A server that ends with the value.
pub struct Serving {
    pub lab: Lab,
    /// What was started: the server, or a program that watches it.
    child: Child,
    pub pid: u32,
    pub at: SocketAddr,
    stderr: PathBuf,
}

impl Serving {
    /// Starts `lastgood serve` in a prepared lab and waits until it answers for `zone`.
    pub fn start(lab: Lab, zone: &str) -> Serving {
        Serving::start_within(lab, zone, Duration::from_secs(60))
    }

    pub fn start_within(lab: Lab, zone: &str, patience: Duration) -> Serving {
        let command = lab.command(&["serve"]);
        Serving::spawn(lab, command, zone, patience)
    }

    /// Starts it by another program, which becomes it.
    pub fn start_as(lab: Lab, command: Command, zone: &str) -> Serving {
        Serving::spawn(lab, command, zone, Duration::from_secs(60))
    }

    /// Starts it under strace with these options; `None`, with a word on why, where that cannot be.
    pub fn start_traced(lab: Lab, zone: &str, options: &[&str]) -> Option<Serving> {
        let mut probe = Command::new("strace");
        let probe = probe.args(["-f", "-o", "/dev/null", "true"]).output();
        if !probe.is_ok_and(|ran| ran.status.success()) {
            programs::not_here("strace cannot trace here");
            return None;
        }
        let served = lab.command(&["serve"]);
        let mut command = Command::new("strace");
        command.args(["-f", "-o"]).arg(lab.path("trace"));
        command.args(options).arg(served.get_program());
        command.args(served.get_args());
        Some(Serving::spawn(lab, command, zone, Duration::from_secs(60)))
    }

    fn spawn(lab: Lab, mut command: Command, zone: &str, patience: Duration) -> Serving {
        let stderr = lab.path("stderr");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&stderr).expect("a file"))
            .spawn()
            .expect("the program starts");
        let mut serving = Serving {
            at: SocketAddr::from(([127, 0, 0, 1], lab.port)),
            pid: child.id(),
            child,
            stderr,
            lab,
        };
        serving.wait_until_it_answers(zone, patience);
        // The lock file of the store has the pid of the server, whoever started it.
        let lock = fs::read_to_string(serving.lab.path("data/demo.db.lock"));
        serving.pid = lock
            .ok()
            .and_then(|text| text.lines().next()?.parse().ok())
            .expect("a lock file with a pid");
        serving
    }

    fn wait_until_it_answers(&mut self, zone: &str, patience: Duration) {
        let began = Instant::now();
        let request = library::query(zone, RecordType::SOA, None);
        let request = request.to_vec().expect("a request");
        while library::try_exchange_udp(self.at, &request, Duration::from_millis(50)).is_none() {
            let ended = self.child.try_wait().expect("our own child");
            assert!(ended.is_none(), "{ended:?}: {}", self.said());
            assert!(began.elapsed() < patience, "no answer: {}", self.said());
        }
    }

    /// What it wrote to standard error.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.stderr).expect("a file")
    }

    pub fn open_files(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid));
        open.expect("a running process").count()
    }

    /// KiB of a line of `/proc/PID/status`, such as "VmRSS".
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid));
        let status = status.expect("a running process");
        let found = status
            .lines()
            .find_map(|row| row.strip_prefix(line)?.strip_prefix(':'));
        let kib = found.and_then(|rest| rest.split_whitespace().next());
        kib.and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("{line} in {status}"))
    }

    /// The CPU time of all its threads.
    pub fn worked(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid));
        let stat = stat.expect("a running process");
        let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
        // In hundredths of a second, which is what Linux tells programs on every machine.
        let fields: Vec<&str> = rest.split(' ').collect();
        let hundredths = fields[11..=12].iter().map(|text| text.parse::<u64>());
        Duration::from_millis(10 * hundredths.map(|n| n.expect("a number")).sum::<u64>())
    }

    /// Ends the server as an operator would, and gives the lab back.
    pub fn stop(mut self) -> Lab {
        self.end();
        let scratch = Lab::prepared("", &[]);
        std::mem::replace(&mut self.lab, scratch)
    }

    fn end(&mut self) {
        if self.child.try_wait().expect("our own child").is_none() {
            programs::run(Command::new("kill").arg(self.pid.to_string()), "");
            programs::wait(&mut self.child, Duration::from_secs(60));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end();
    }
}
