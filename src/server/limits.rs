//! What the system lets this process have.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::wire;

/// Files of the store, the snapshot, the control socket and its clients, logs and the runtime.
const FILES_OF_OURS: u64 = 96;

/// Lets this process open as many files as it may, and gives back how many that is. The usual soft
/// limit of 1024 is for `select`, which is not used here.
pub(super) fn raise_open_files() -> u64 {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| match soft < hard {
        true => setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard),
        false => Ok(hard),
    });
    raised.unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files stays as it is");
        getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
    })
}

/// The doors' settings, with no more TCP connections than leave files for the rest: a store that
/// lacks one cannot commit.
pub(super) fn within(open_files: u64, wire: &wire::Settings) -> wire::Settings {
    let mut wire = wire.clone();
    let sockets = wire.listen.len() * (wire.udp_threads + 1);
    let left = open_files.saturating_sub(FILES_OF_OURS + sockets as u64);
    let left = usize::try_from(left).unwrap_or(usize::MAX).max(1);
    let asked = wire.tcp.connections_max;
    if asked > left {
        tracing::warn!(
            "at most {left} TCP connections, not {asked}: this process may open {open_files} files (ulimit -n)"
        );
        wire.tcp.connections_max = left;
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_may_open_as_many_files_as_the_system_lets_it() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(raise_open_files(), hard);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
    }

    #[test]
    fn connections_leave_files_for_the_store() {
        let asked = wire::Settings {
            listen: vec!["127.0.0.1:53".parse().unwrap(); 2],
            udp_threads: 3,
            answer: crate::answer::Settings::default(),
            ask_from: Vec::new(),
            tcp: wire::TcpLimits::default(),
        };
        let most = |open_files| within(open_files, &asked).tcp.connections_max;
        assert_eq!(asked.tcp.connections_max, 1000);
        assert_eq!(most(1_000_000), 1000);
        assert_eq!(most(1024), 1024 - 96 - 8);
        assert_eq!(most(64), 1, "always one");
    }
}
