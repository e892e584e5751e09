//! The program itself, as a process that can be killed: no goodbye, no last write.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::lab::Lab;
use super::{eventually, programs};

pub struct Process {
    child: Child,
    pub at: SocketAddr,
}

impl Process {
    /// Serves the lab's configuration over IPv4; `RUST_LOG` is `level`. Its words are added to the
    /// lab's file `said`.
    pub fn start(lab: &Lab, level: &str) -> Process {
        let at = SocketAddr::from(([127, 0, 0, 1], lab.port));
        let config = lab.read("lastgood.toml");
        let lines = config
            .lines()
            .map(|line| match line.starts_with("listen = [") {
                true => format!("listen = [\"{at}\"]\n"),
                false => format!("{line}\n"),
            });
        lab.write("lastgood.toml", &lines.collect::<String>());
        let said = File::options()
            .create(true)
            .append(true)
            .open(lab.path("said"));
        let said = said.expect("a file");
        // A file that may not grow is an error of that write, not the end of the process.
        let served = lab.command(&["serve"]);
        let child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
            .arg(served.get_program())
            .args(served.get_args())
            .env("RUST_LOG", level)
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("a file"))
            .stderr(said)
            .spawn()
            .expect("the program starts");
        let mut process = Process { child, at };
        eventually("the server answers", || {
            if let Some(status) = process.child.try_wait().expect("our own child") {
                let said = fs::read_to_string(lab.path("said")).unwrap_or_default();
                return Err(format!("it ended: {status}\n{said}"));
            }
            let ran = lab.cli(&["--json", "status"]);
            ran.ok().then_some(()).ok_or(ran.to_string())
        });
        process
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child");
        programs::wait(&mut self.child, Duration::from_secs(20)).expect("it ends in time");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
