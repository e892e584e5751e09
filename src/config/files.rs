//! Where the files of a server are: the store, its snapshot and the control socket.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::ConfigError;

/// More links than this are a circle; opening the file will say so.
const LINKS_MAX: usize = 40;

/// The file that a link leads to, be it there or not. SQLite keeps its log beside that one, and two
/// names of one file must not be two stores.
pub(super) fn followed(path: PathBuf) -> PathBuf {
    let mut at = path.clone();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&at) {
            Ok(target) => at = at.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return at,
        }
    }
    path
}

/// Two that are one would be set aside for each other, or deleted.
pub(super) fn apart(config: &Path, files: [(&str, &Path); 3]) -> Result<(), ConfigError> {
    for (index, (first, path)) in files.iter().enumerate() {
        for (second, other) in &files[..index] {
            if place(path) == place(other) {
                return Err(ConfigError::OneFile {
                    file: config.to_owned(),
                    first: (*second).to_owned(),
                    second: (*first).to_owned(),
                    path: path.to_path_buf(),
                });
            }
        }
    }
    Ok(())
}

/// The same for every name of a file that may not be there yet.
fn place(path: &Path) -> PathBuf {
    if let (Some(Ok(folder)), Some(name)) = (path.parent().map(fs::canonicalize), path.file_name())
    {
        return folder.join(name);
    }
    let mut place = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_default().components() {
        match part {
            Component::ParentDir => drop(place.pop()),
            Component::CurDir => {}
            part => place.push(part),
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_followed_to_what_may_not_be_there_yet() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("second", at("first")).unwrap();
        symlink(at("disk/third"), at("second")).unwrap();
        assert_eq!(followed(at("first")), at("disk/third"));
        assert_eq!(followed(at("none")), at("none"));
        symlink("round", at("about")).unwrap();
        symlink("about", at("round")).unwrap();
        assert_eq!(followed(at("about")), at("about"));
    }

    #[test]
    fn one_file_by_two_names_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let is_apart = |a: &str, b: &str| {
            let files = [("a", &*at(a)), ("b", &*at(b)), ("c", Path::new("/c"))];
            apart(Path::new("x.toml"), files).is_ok()
        };
        // Before the folders are there, and after.
        for _ in 0..2 {
            assert!(is_apart("data/a", "data/b") && is_apart("data/a", "other/a"));
            for same in ["data/a", "data/../data/a", "./data/./a"] {
                assert!(!is_apart("data/a", same), "{same}");
            }
            fs::create_dir_all(at("data")).unwrap();
        }
        symlink("data", at("link")).unwrap();
        assert!(!is_apart("data/a", "link/a"));
    }
}
