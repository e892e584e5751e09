//! Taking the path of the control socket: from nobody, or from a server that is dead.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};

const BACKLOG: i32 = 64;
const OWNER_ONLY: u32 = 0o600;

/// The bound socket; nobody is answered yet. Goes away with its file when nothing comes of it.
#[derive(Debug)]
pub struct Listener {
    listener: Option<UnixListener>,
    bound: Bound,
}

/// The file of a socket, as it was made: by the time it is to go, another server may have its own
/// on the path.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    path: PathBuf,
    made: Made,
}

/// An inode's number is used again; when it was made is not.
type Made = (u64, u64, i64, i64);

fn made(path: &Path) -> io::Result<Made> {
    let found = std::fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino(), found.mtime(), found.mtime_nsec()))
}

impl Bound {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, if it is still the one that was made.
    pub fn remove(&self) -> io::Result<()> {
        match made(&self.path) {
            Ok(there) if there == self.made => std::fs::remove_file(&self.path),
            Ok(_) => Err(io::Error::other("another server has taken its path")),
            Err(error) => Err(error),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("a server answers already at the control socket {}", .0.display())]
    Live(PathBuf),
    #[error("{} is not a socket, and in the way of the control socket", .0.display())]
    NotASocket(PathBuf),
    #[error("the control socket {}: {reason}", path.display())]
    Io { path: PathBuf, reason: io::Error },
}

impl Listener {
    /// Binds with mode 0600. A socket that nobody answers at is removed first.
    pub fn bind(path: &Path) -> Result<Listener, SocketError> {
        make_way(path)?;
        let io_error = |reason| SocketError::Io {
            path: path.to_owned(),
            reason,
        };
        let listener = bind_private(path).map_err(io_error)?;
        Ok(Listener {
            listener: Some(listener),
            bound: Bound {
                path: path.to_owned(),
                made: made(path).map_err(io_error)?,
            },
        })
    }

    pub(super) fn into_tokio(mut self) -> io::Result<(tokio::net::UnixListener, Bound)> {
        let listener = self.listener.take().expect("taken once, by value");
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        Ok((listener, self.bound.clone()))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.listener.is_some() {
            // What stays behind is taken by the next server.
            let _ = self.bound.remove();
        }
    }
}

fn make_way(path: &Path) -> Result<(), SocketError> {
    let io_error = |reason| SocketError::Io {
        path: path.to_owned(),
        reason,
    };
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(error)),
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::Live(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(io_error)
        }
        Err(error) => Err(io_error(error)),
    }
}

fn bind_private(path: &Path) -> io::Result<UnixListener> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // On Linux the file takes its mode from the unbound socket, so that there is no moment at which
    // others could open it, whatever the umask. Elsewhere the second call does it.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    socket.bind(&SockAddr::unix(path)?)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(OWNER_ONLY))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_may_open_the_control_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/control.sock");
        let _listener = Listener::bind(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn the_socket_of_a_dead_server_is_taken_and_that_of_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let live = Listener::bind(&path).unwrap();
        assert!(matches!(Listener::bind(&path), Err(SocketError::Live(_))));
        drop(live);
        assert!(!path.exists(), "a start that failed leaves nothing behind");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a server that was killed leaves its socket");
        Listener::bind(&path).unwrap();
    }

    #[test]
    fn a_socket_that_another_server_has_taken_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let first = Listener::bind(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let _second = Listener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
    }

    #[test]
    fn a_file_in_the_way_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(
            Listener::bind(&path),
            Err(SocketError::NotASocket(_))
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(120));
        assert!(matches!(Listener::bind(&path), Err(SocketError::Io { .. })));
    }
}
