//! The zones that all servers get: those of the repository, and generated ones.

use std::fs;
use std::path::{Path, PathBuf};

use lastgood::rr::{Name, Rtype};
use lastgood::server::read_zone_file;
use lastgood::zone::ZoneImage;

use crate::generator;
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
        assert!(
            parsed.problems.is_empty(),
            "{}: {:?}",
            file.display(),
            parsed.problems
        );
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
    let origin = |file: &Path| {
        Some(format!(
            "{}.",
            file.file_name()?.to_str()?.strip_suffix(".zone")?
        ))
    };
    files
        .iter()
        .filter_map(|file| Some(Zone::read(&origin(file)?, file, None)))
        .collect()
}

/// Zones made up from `seed` and the numbers after it. Every fifth is a child of the one before, so
/// that both sides of a cut, or of what is no cut, are served.
pub fn generated(count: usize, seed: u64, folder: &Path) -> Vec<Zone> {
    let mut zones: Vec<Zone> = Vec::new();
    for n in 0..count {
        let seed = seed.wrapping_add(n as u64);
        let parent = zones.last().filter(|_| n % 5 == 4);
        let child = parent.and_then(|parent| child(&parent.image, seed, folder));
        zones.push(child.unwrap_or_else(|| write(&format!("z{seed}.test."), seed, folder)));
    }
    zones
}

/// nsd looks below a DNAME across zones: what holds in one must hold in both.
fn child(parent: &ZoneImage, seed: u64, folder: &Path) -> Option<Zone> {
    let origin = parent.origin().child(generator::CHILD.as_bytes()).ok()?;
    let child = write(&origin.to_string(), seed, folder);
    let redirects = |image: &ZoneImage| image.apex().rrset(Rtype::DNAME).is_some();
    (!redirects(parent) && !redirects(&child.image)).then_some(child)
}

fn write(origin: &str, seed: u64, folder: &Path) -> Zone {
    let file = folder.join(format!("{origin}zone"));
    fs::write(&file, generator::zone(origin, seed)).expect("a zone file");
    Zone::read(origin, &file, Some(seed))
}
