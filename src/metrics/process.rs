//! What the system says of this process.

use std::fs;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike;

/// `None`: the system does not say.
#[derive(Debug, Clone, Default)]
pub(super) struct Process {
    pub cpu_secs: Option<f64>,
    pub resident_octets: Option<u64>,
    pub virtual_octets: Option<u64>,
    pub open_fds: Option<u64>,
    pub max_fds: Option<u64>,
    pub threads: Option<u64>,
}

impl Process {
    pub fn read() -> Process {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Process {
            cpu_secs: cpu_secs(),
            resident_octets: number(&status, "VmRSS:").map(|kib| kib * 1024),
            virtual_octets: number(&status, "VmSize:").map(|kib| kib * 1024),
            open_fds: open_fds(),
            max_fds: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(now, _)| now),
            threads: number(&status, "Threads:"),
        }
    }
}

/// Of all threads, in user and system mode.
fn cpu_secs() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Some(micros as f64 / 1e6)
}

fn open_fds() -> Option<u64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the directory that was just read.
    u64::try_from(open.saturating_sub(1)).ok()
}

/// The number behind a key of `/proc/self/status`.
fn number(status: &str, key: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_what_this_process_uses() {
        let before = Process::read();
        assert!(before.cpu_secs.is_some());
        let resident = before.resident_octets.unwrap();
        assert!(resident > 100_000 && resident <= before.virtual_octets.unwrap());
        assert!(before.threads.unwrap() >= 1);
        let files: Vec<_> = (0..50)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        let after = Process::read();
        // Other tests open and close files at the same time.
        assert!(after.open_fds.unwrap() >= files.len() as u64);
        assert!(after.open_fds <= after.max_fds);
    }

    #[test]
    fn a_key_that_is_not_there_is_no_number() {
        let status = "Name:\tlastgood\nVmRSS:\t    1234 kB\nThreads:\t7\n";
        assert_eq!(number(status, "VmRSS:"), Some(1234));
        assert_eq!(number(status, "Threads:"), Some(7));
        assert_eq!(number(status, "VmSize:"), None);
        assert_eq!(number("VmRSS:\tnone", "VmRSS:"), None);
    }
}
