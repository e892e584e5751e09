//! Other programs: run, fed, read, and ended when they take too long.

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// No client needs more than a fraction of this.
const BOUND: Duration = Duration::from_secs(30);

/// Says why a test cannot run on this machine. Where `CI` is true it has to run, and fails.
#[track_caller]
pub fn not_here(why: impl fmt::Display) {
    eprintln!("NOT TESTED: {why}");
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "not tested, and CI=true: {why}"
    );
}

/// What a program did.
#[derive(Clone, Debug)]
pub struct Ran {
    pub code: Option<i32>,
    /// What ended it from outside, if something did.
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// The output of a program that had to succeed.
    #[track_caller]
    pub fn expect_ok(self) -> String {
        assert!(self.ok(), "{self}");
        self.stdout
    }

    pub fn both(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self}"))
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit {:?} signal {:?}\nstdout: {}\nstderr: {}",
            self.code, self.signal, self.stdout, self.stderr
        )
    }
}

/// Runs to the end, with `input` on its standard input.
pub fn run(command: &mut Command, input: &str) -> Ran {
    run_within(command, input, BOUND)
}

/// The same for one that is slow by nature.
pub fn run_within(command: &mut Command, input: &str, bound: Duration) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error} (tests/run installs what is needed)"));
    let stdout = reader(child.stdout.take().expect("piped"));
    let stderr = reader(child.stderr.take().expect("piped"));
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // A program that ends without reading its input is no failure of ours.
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()).is_ok());
    let status =
        wait(&mut child, bound).unwrap_or_else(|| panic!("{command:?} did not end in {bound:?}"));
    writer.join().expect("the writer does not panic");
    Ran {
        code: status.code(),
        signal: status.signal(),
        stdout: stdout.join().expect("the reader does not panic"),
        stderr: stderr.join().expect("the reader does not panic"),
    }
}

fn reader(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut octets = Vec::new();
        from.read_to_end(&mut octets).expect("a pipe can be read");
        String::from_utf8_lossy(&octets).into_owned()
    })
}

/// How a child ended that ends in time; else it is ended, and there is none.
pub fn wait(child: &mut Child, bound: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            return Some(status);
        }
        if start.elapsed() > bound {
            child.kill().expect("our own child");
            child.wait().expect("our own child");
            return None;
        }
        thread::sleep(Duration::from_millis(3));
    }
}
