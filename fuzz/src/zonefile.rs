//! A zone file to an image: whatever can be read of it prints to a file that reads the same.

use lastgood::check::{self, Limits};
use lastgood::rr::Name;
use lastgood::zone::ZoneImage;
use lastgood::zonefile::{parse, print};

use super::update::storable;
use super::world;

pub fn run(text: &[u8]) {
    if generates_much(text) {
        return;
    }
    let origin = world::name("example.com.");
    let include = |_: &std::path::Path, file: &str| match file {
        "itself" => Ok(text.to_vec()),
        "small" => Ok(b"small 60 IN TXT \"included\"\n".to_vec()),
        _ => Err(std::io::Error::other("there is no such file")),
    };
    let parsed = parse(text, &origin, &include);
    for problem in &parsed.problems {
        assert!(!problem.reason.is_empty() && problem.line > 0);
    }
    for record in &parsed.records {
        assert!(record.owner.is_at_or_below(&origin), "{record} is outside");
        storable(record);
    }
    let image = ZoneImage::from_records(origin.clone(), parsed.records);
    let image = image.expect("nothing of it is outside the zone");
    check::full(&image, &Limits::default());
    again(&image, &origin);
}

fn again(image: &ZoneImage, origin: &Name) {
    let printed = print(image);
    let none = |_: &std::path::Path, _: &str| Err(std::io::Error::other("nothing is included"));
    let read = parse(printed.as_bytes(), origin, &none);
    assert!(
        read.problems.is_empty(),
        "{:?} in\n{printed}",
        read.problems
    );
    let read = ZoneImage::from_records(origin.clone(), read.records).expect("all in the zone");
    assert!(
        read.digest() == image.digest(),
        "read again, this is another zone:\n{printed}"
    );
}

/// A `$GENERATE` may make a million records, which is not what is looked for here.
fn generates_much(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    let generates = lower.windows(9).any(|word| word == b"$generate");
    let digits = |part: &[u8]| part.len() > 3;
    generates && text.split(|octet| !octet.is_ascii_digit()).any(digits)
}
