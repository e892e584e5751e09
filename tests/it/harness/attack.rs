//! What the tests of the guards have in common: zones given as text, and scripts that are refused or
//! that pass.

use super::lab::{self, Lab};

/// A server for zones given as text, with more configuration for each.
pub fn lab_of(zones: &[(&str, &str, &str)]) -> Lab {
    let mut config = lab::head();
    let mut files = Vec::new();
    for (origin, records, policy) in zones {
        config += &format!("[[zone]]\nname = \"{origin}\"\nfile = \"{origin}zone\"\n{policy}\n");
        files.push((format!("{origin}zone"), lab::apex(origin) + records));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Lab::of(&config, &files)
}

pub fn protect(name: &str, types: &str, min_members: usize) -> String {
    format!("[[zone.protect]]\nname = \"{name}\"\ntypes = [{types}]\nmin_members = {min_members}\n")
}

/// Each script is refused, and the zone is byte for byte what it was.
#[track_caller]
pub fn refused(lab: &Lab, zone: &str, scripts: &[&str]) {
    let before = exported(lab, zone);
    for script in scripts {
        let status = lab.update(&format!("zone {zone}\n{script}"));
        assert_eq!(status, "REFUSED", "{script}");
        assert_eq!(exported(lab, zone), before, "{script}");
    }
}

#[track_caller]
pub fn passes(lab: &Lab, zone: &str, scripts: &[&str]) {
    for script in scripts {
        assert_eq!(
            lab.update(&format!("zone {zone}\n{script}")),
            "NOERROR",
            "{script}"
        );
    }
}

pub fn exported(lab: &Lab, zone: &str) -> String {
    lab.cli(&["zone", "export", zone]).expect_ok()
}
