//! The zones that all servers get: those of the repository, and generated ones.

use std::fs;
use std::path::{Path, PathBuf};

use lastgood::rr::{Name, Rtype};
use lastgood::server::read_zone_file;
use lastgood::zone::ZoneImage;

use crate::questions::Question;

pub struct Zone {
    /// Absolute, with its dot.
    pub origin: String,
    pub file: PathBuf,
    /// What it was generated from.
    pub seed: Option<u64>,
    /// Which names there are to ask for, and what known differences look at. Answers are not taken
    /// from here.
    pub image: ZoneImage,
}

impl Zone {
    pub fn read(origin: &str, file: &Path, seed: Option<u64>) -> Zone {
        let name: Name = origin.parse().expect("a name");
        let parsed = read_zone_file(file, &name).expect("a zone file");
        assert!(parsed.problems.is_empty(), "{}: {:?}", file.display(), parsed.problems);
        Zone {
            origin: origin.to_owned(),
            file: file.to_owned(),
            seed,
            image: ZoneImage::from_records(name, parsed.records).expect("records of the zone"),
        }
    }

    pub fn question_for_soa(&self) -> Question {
        Question::new(self.image.origin().clone(), Rtype::SOA)
    }
}

/// Every zone of `zones/` and `zones/situations/`.
pub fn of_the_repository() -> Vec<Zone> {
    let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    let mut files: Vec<PathBuf> = [zones.clone(), zones.join("situations")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("the zones"))
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let origin = |file: &Path| Some(format!("{}.", file.file_name()?.to_str()?.strip_suffix(".zone")?));
    files
        .iter()
        .filter_map(|file| Some(Zone::read(&origin(file)?, file, None)))
        .collect()
}
