use super::*;
use crate::publish::live;
use crate::rr::{Record, Rtype, rdata};
use crate::zone::{Published, Writer, pointer};

fn image(last: u8) -> ZoneImage {
    let record = |owner: &str, rtype: Rtype, text: &str| Record {
        owner: owner.parse().unwrap(),
        rtype,
        ttl: 60,
        rdata: rdata::from_text(rtype, text).unwrap(),
    };
    let records = [
        record("example.", Rtype::SOA, "ns. h. 1 2 3 4 5"),
        record("www.example.", Rtype::A, &format!("192.0.2.{last}")),
    ];
    ZoneImage::from_records("example.".parse().unwrap(), records).unwrap()
}

fn serving(last: u8, revision: u64) -> (Writer, Reader) {
    let (mut writer, reader) = pointer();
    writer.replace(live(&Published::default(), image(last), revision));
    (writer, reader)
}

fn second(extent: Extent) -> Commit {
    let promoted = Promotion {
        image: Arc::new(image(2)),
        revision: 2,
        extent,
    };
    Commit {
        promoted: vec![promoted],
        ..Commit::default()
    }
}

fn kept(path: &Path) -> Option<(u64, ZoneImage)> {
    let snapshot = Snapshot::open_existing(path).ok()?;
    let row = snapshot.zones().ok()?.into_iter().next()?;
    Some((row.revision, snapshot.load(&row).ok()?))
}

#[test]
fn what_is_served_is_in_the_snapshot_when_the_keeper_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let (mut writer, reader) = serving(1, 1);
    let keeper = Keeper::start(path.clone(), HashMap::new(), reader);
    keeper.catch_up(HashMap::new());
    writer.replace(live(&Published::default(), image(2), 2));
    let owners = Extent::Owners(["www.example.".parse().unwrap()].into());
    keeper.committed(second(owners));
    keeper
        .reserve(vec![("example.".parse().unwrap(), 1000)])
        .unwrap();
    drop(keeper);
    let (revision, back) = kept(&path).unwrap();
    assert_eq!((revision, back.digest()), (2, image(2).digest()));
}

fn begun(path: &Path, reader: Reader) -> Keeper {
    let keeper = Keeper::start(path.to_owned(), HashMap::new(), reader);
    keeper.catch_up(HashMap::new());
    let start = Instant::now();
    while keeper.status().status().zones.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "no promotion");
        std::thread::sleep(Duration::from_millis(20));
    }
    keeper
}

/// How long a zone waits that the snapshot has never had, behind something that waits already.
fn first_promotion() -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = pointer();
    let keeper = Keeper::start(dir.path().join("s.db"), HashMap::new(), reader);
    keeper.keep("policies", "[]".into());
    writer.replace(live(&Published::default(), image(2), 2));
    let start = Instant::now();
    keeper.committed(second(Extent::Whole));
    keeper.pass_on();
    while keeper.status().status().zones.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "no promotion");
        std::thread::sleep(Duration::from_millis(5));
    }
    start.elapsed()
}

#[test]
fn a_zone_that_the_snapshot_has_never_had_waits_for_no_batch() {
    // On a busy machine it may take longer now and then; without being hurried it always does.
    let is_soon = (0..5).any(|_| first_promotion() < BATCH * 3 / 4);
    assert!(is_soon, "five times it waited");
}

#[test]
fn a_zone_that_went_before_it_was_written_leaves_no_lag() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = serving(1, 1);
    let keeper = begun(&dir.path().join("s.db"), reader);
    writer.replace(Published::default());
    keeper.committed(second(Extent::Whole));
    keeper.committed(Commit {
        removed: vec!["example.".parse().unwrap()],
        ..Commit::default()
    });
    let report = keeper.report.clone();
    drop(keeper);
    assert!(lock(&report).waiting.is_empty(), "it would grow for ever");
}

#[test]
fn a_snapshot_cut_off_while_serving_is_written_anew_and_updates_get_their_serials() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let (_writer, reader) = serving(1, 1);
    let keeper = begun(&path, reader);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(100).unwrap();
    let ceiling = vec![("example.".parse().unwrap(), 2000)];
    assert_eq!(keeper.reserve(ceiling), Ok(()));
    drop(keeper);
    assert_eq!(kept(&path).unwrap().0, 1, "written anew");
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    std::fs::write(&path, [7u8; 5000]).unwrap();
    let (_writer, reader) = serving(3, 9);
    let keeper = Keeper::start(path.clone(), HashMap::new(), reader);
    keeper.catch_up(HashMap::new());
    drop(keeper);
    assert_eq!(kept(&path).unwrap().0, 9);
    let aside = std::fs::read_dir(dir.path()).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains(".aside-")
    });
    assert_eq!(aside.count(), 1);
}

#[test]
fn a_fault_of_our_own_is_told_and_loses_nothing_that_was_to_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let (mut writer, reader) = serving(1, 1);
    let keeper = begun(&path, reader);
    keeper.keep("policies", "[]".into());
    writer.replace(live(&Published::default(), image(2), 2));
    keeper.committed(second(Extent::Whole));
    keeper.keep(FAULTY, String::new());
    let start = Instant::now();
    let until = |what: &str, is_so: &dyn Fn(SnapshotStatus) -> bool| {
        while !is_so(keeper.status().status()) {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    until("it is told", &|status| status.trouble.is_some());
    until("it is over", &|status| {
        status.trouble.is_none() && status.zones[0].revision == 2
    });
    let name: Name = "example.".parse().unwrap();
    keeper.reserve(vec![(name.clone(), 2000)]).unwrap();
    drop(keeper);
    let (revision, back) = kept(&path).unwrap();
    assert_eq!((revision, back.digest()), (2, image(2).digest()));
    let snapshot = Snapshot::open_existing(&path).unwrap();
    assert_eq!(snapshot.value("policies").unwrap().as_deref(), Some("[]"));
    assert_eq!(snapshot.ceilings().unwrap()[&name], 2000);
}
