//! The store over time: what older programs wrote, what is kept of the past, whether it is as it was
//! written, and copies of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lastgood::store::{NewAudit, NewRevision, Retention, Settings, Store};
use lastgood::zone::Diff;

use crate::harness::eventually;
use crate::harness::lab::{Lab, PUBLIC_SECRET};
use crate::harness::programs::{self, Ran};

const ADD: &str = "zone example.com\nupdate add new.example.com. 60 A 192.0.2.1";
const REFUSED: &str = "zone example.com\nupdate delete api.example.com. A";

fn sqlite(database: &Path, input: &str) -> String {
    let mut command = Command::new("sqlite3");
    command
        .args(["-bail", "-cmd", ".timeout 5000"])
        .arg(database);
    programs::run(&mut command, input).expect_ok()
}

fn settings(lab: &Lab) -> Settings {
    Settings {
        path: lab.database(),
        snapshot: lab.snapshot(),
        busy_timeout_ms: 5_000,
        retention: Retention::default(),
    }
}

/// The statements of a schema, whatever the order in which they were run.
fn schema(database: &Path) -> Vec<String> {
    let text = sqlite(
        database,
        "SELECT hex(coalesce(sql, '')) || name FROM sqlite_schema ORDER BY name;
         PRAGMA user_version; PRAGMA application_id;",
    );
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn whole(ran: &Ran) {
    assert!(ran.ok() && ran.stdout.ends_with("whole\n"), "{ran}");
}

#[test]
fn a_store_of_every_earlier_schema_is_taken_over() {
    let new = Lab::demo();
    let known = sqlite(&new.database(), "PRAGMA user_version;");
    let known: u32 = known.trim().parse().expect("a number");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
    for version in 1..=known {
        let file = fixtures.join(format!("v{version}.sql"));
        if version == known && !file.exists() {
            continue;
        }
        let text = fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("a dump of schema {version}: {error}"));
        let mut lab = Lab::prepared_demo();
        fs::create_dir_all(lab.path("data")).expect("a folder");
        sqlite(&lab.database(), &text);
        lab.start();
        assert_eq!(lab.data("v1.example.com A"), ["192.0.2.77"]);
        assert_eq!(
            lab.serial("example.com"),
            2_026_070_103,
            "taken over is no change"
        );
        assert_eq!(lab.state("example.com."), "live");
        assert_eq!(lab.update(REFUSED), "REFUSED");
        assert_eq!(lab.update(ADD), "NOERROR");
        whole(&lab.cli(&["verify"]));
        let log = lab.cli(&["--json", "log", "--limit", "99"]).json();
        assert_eq!(log.as_array().map(Vec::len), Some(7), "{log}");
        assert_eq!(schema(&lab.database()), schema(&new.database()));
    }
}

#[test]
fn a_store_of_a_newer_program_is_left_alone_and_the_last_good_served() {
    let mut lab = Lab::demo();
    let known = lab.sql("PRAGMA user_version;");
    lab.stop();
    lab.sql("PRAGMA user_version = 99;");
    lab.start();
    let status = lab.until("example.com.", "holding");
    let reason = status["reason"].as_str().unwrap_or_default();
    let numbers = format!("schema 99, newer than this program's {}", known.trim());
    assert!(reason.contains(&numbers), "{reason}");
    assert_eq!(lab.data("api.example.com A"), ["192.0.2.10", "192.0.2.11"]);
    lab.stop();
    assert_eq!(lab.sql("PRAGMA user_version;").trim(), "99");
}

#[test]
fn a_flood_of_one_refusal_is_a_row_with_a_reference_and_one_that_counts() {
    let mut lab = Lab::demo();
    for _ in 0..20 {
        assert_eq!(lab.update(REFUSED), "REFUSED");
    }
    assert_eq!(lab.update(&REFUSED.replace(" A", "")), "REFUSED");
    let rows = |lab: &Lab| {
        let log = lab.cli(&["--json", "log", "--limit", "99"]).json();
        let rows = log.as_array().expect("a list").clone();
        let of = |outcome: &str| -> Vec<serde_json::Value> {
            let rows = rows.iter().filter(|row| row["outcome"] == outcome);
            rows.cloned().collect()
        };
        (of("refused"), of("repeated"))
    };
    let (refused, repeated) = rows(&lab);
    assert_eq!(
        (refused.len(), repeated.len()),
        (2, 0),
        "another reason is no repeat"
    );
    let first = refused[1]["reference"]
        .as_str()
        .expect("a reference")
        .to_owned();
    let key = format!("-y hmac-sha256:demo:{PUBLIC_SECRET}");
    assert_eq!(lab.update(REFUSED), "REFUSED");
    let told = lab.dig(&format!("{key} CH TXT last-refusal.demo.lastgood."));
    assert!(told.text.contains(&format!("ref={first}")), "{}", told.text);
    lab.stop();
    let (_, repeated) = rows(&lab);
    assert_eq!(repeated.len(), 1);
    assert_eq!(repeated[0]["detail"]["count"], 20);
    assert_eq!(repeated[0]["detail"]["first_reference"], first.as_str());
    assert_eq!(repeated[0]["rule"], "min-members");
    let log = lab.cli(&["log"]).expect_ok();
    assert!(
        log.contains(&format!("refused 20 times more within a minute of {first}")),
        "{log}"
    );
    let why = lab
        .cli(&["why", repeated[0]["reference"].as_str().expect("one")])
        .expect_ok();
    assert!(why.contains("20 times more"), "{why}");
    whole(&lab.cli(&["verify"]));
}

#[test]
fn whoever_cannot_sign_leaves_no_row() {
    let lab = Lab::demo();
    let rows = || lab.cli(&["--json", "log", "--limit", "99"]).json();
    let before = rows();
    let wrong = "hmac-sha256:demo:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let unknown = "hmac-sha256:nobody:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for key in [wrong, unknown] {
        assert_ne!(lab.update_as(key, ADD), "NOERROR");
    }
    assert_ne!(lab.nsupdate(&[], ADD), "NOERROR");
    assert_eq!(rows(), before);
}

#[test]
fn rows_that_no_zone_serves_are_told_of() {
    let lab = Lab::demo();
    lab.sql(
        "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
         ('example.com', 'lost.example.com.', 60, 'A', '192.0.2.1'),
         ('exmaple.com.', 'lost.exmaple.com.', 60, 'A', '192.0.2.1');",
    );
    let notices = || lab.cli(&["--json", "status"]).json()["notices"].to_string();
    eventually("they are noticed", || match notices() {
        text if text.contains("lost.exmaple.com.") && text.contains("zones end in a dot") => Ok(()),
        text => Err(text),
    });
    let status = lab.cli(&["status"]);
    assert!(status.ok(), "nothing holds: {status}");
    assert!(
        status.stdout.contains("Note: served by nobody: "),
        "{status}"
    );
    lab.sql("DELETE FROM record WHERE zone IN ('example.com', 'exmaple.com.');");
    eventually("they are gone", || match notices().as_str() {
        "[]" => Ok(()),
        text => Err(text.to_owned()),
    });
}

#[test]
fn the_view_is_a_zone_file() {
    let lab = Lab::demo();
    assert_eq!(
        lab.update(
            "zone example.com
             update add odd\\.one\\032two.example.com. 60 TXT \"a;b \\\"c\\\" \\\\\" \"\\200\"
             update add odd.example.com. 60 TYPE65280 \\# 3 ABCDEF"
        ),
        "NOERROR"
    );
    let text = lab.sql("SELECT line FROM zone_file WHERE zone = 'example.com.';");
    lab.write("view.zone", &text);
    let file = lab.path("view.zone").display().to_string();
    let ran = lab.cli(&["zone", "import", "example.com.", &file, "--replace"]);
    assert!(
        ran.ok() && ran.stdout.contains("nothing to change"),
        "{ran}\n{text}"
    );
}

#[test]
fn a_store_is_verified_beside_a_server_and_without_one() {
    let mut lab = Lab::demo();
    whole(&lab.cli(&["verify"]));
    let value = lab.cli(&["--json", "verify"]).json();
    let head = value["head"].as_str().expect("a head").to_owned();
    assert_eq!(value["audit_rows"], 2, "{value}");
    assert_eq!(lab.update(ADD), "NOERROR");
    for _ in 0..2 {
        let ran = lab.cli(&["verify", "--head", &head]);
        whole(&ran);
        assert!(ran.stdout.contains("earlier head: row 2, "), "{ran}");
        lab.stop();
    }
    lab.sql("DROP TRIGGER audit_update; UPDATE audit SET actor = 'nobody' WHERE id = 1;");
    let ran = lab.cli(&["verify", "--head", &head]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr
            .contains("audit row 1: its columns do not give its hash"),
        "{ran}"
    );
    let other = Lab::demo();
    let ran = other.cli(&["verify", "--head", &head]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("no audit row has the hash"), "{ran}");
}

#[test]
fn damage_beneath_a_running_server_is_found() {
    let lab = Lab::demo();
    lab.sql(
        "BEGIN; DROP TRIGGER record_update;
         UPDATE record SET rdata = '192.0.2.99' WHERE owner = 'chat.example.com.' AND type = 'A';
         COMMIT;",
    );
    let ran = lab.cli(&["verify"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr.contains("example.com.") && ran.stderr.contains("damage"),
        "{ran}"
    );
}

#[test]
fn what_lies_between_revisions_is_told() {
    let mut lab = Lab::demo();
    assert_eq!(lab.update(ADD), "NOERROR");
    assert_eq!(
        lab.update(
            "zone example.com\nupdate delete new.example.com.\nupdate add x.example.com. 60 TXT y"
        ),
        "NOERROR"
    );
    for _ in 0..2 {
        let told = lab.cli(&["diff", "example.com.", "1", "3"]).expect_ok();
        assert!(
            told.starts_with("--- example.com. revision 1, serial 2026070101\n+++ "),
            "{told}"
        );
        assert!(told.contains("\n+ x.example.com. 60 TXT \"y\"\n"), "{told}");
        assert!(!told.contains("new.example.com."), "only the net: {told}");
        let back = lab.cli(&["diff", "example.com.", "3", "2"]).expect_ok();
        assert!(
            back.contains("\n+ new.example.com. 60 A 192.0.2.1\n"),
            "{back}"
        );
        assert!(back.contains("\n- x.example.com. 60 TXT \"y\"\n"), "{back}");
        let all = lab
            .cli(&["--json", "diff", "example.com.", "0", "3"])
            .json();
        assert!(
            all["changes"].as_array().expect("a list").len() > 20,
            "{all}"
        );
        for (words, reason) in [
            (
                ["example.com.", "1", "9"],
                "no revision 9: its last one is 3",
            ),
            (["nowhere.test.", "1", "2"], "no zone nowhere.test."),
        ] {
            let ran = lab.cli(&[&["diff"], &words[..]].concat());
            assert_eq!(ran.code, Some(1), "{ran}");
            assert!(ran.stderr.contains(reason), "{ran}");
        }
        lab.stop();
    }
}

/// The files of a store that no server has open, out of the way.
fn lose(lab: &Lab) {
    for suffix in ["", "-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{suffix}", lab.database().display()));
        if path.exists() {
            fs::remove_file(path).expect("ours");
        }
    }
}

#[test]
fn a_backup_under_load_is_put_back_and_served() {
    let mut lab = Lab::demo();
    let file = lab.path("backup.db");
    let name = file.display().to_string();
    std::thread::scope(|scope| {
        let lab = &lab;
        scope.spawn(move || {
            for number in 1..=20 {
                let add =
                    format!("zone example.com\nupdate add n{number}.example.com. 60 A 192.0.2.1");
                assert_eq!(lab.update(&add), "NOERROR");
            }
        });
        for number in 0..3 {
            let ran = lab.cli(&["backup", &format!("{name}.{number}")]);
            whole(&ran);
        }
    });
    whole(&lab.cli(&["backup", &name]));
    let mode = fs::metadata(&file).expect("the backup").mode();
    assert_eq!(mode & 0o777, 0o600);
    let octets = fs::read(&file).expect("the backup");
    let again = lab.cli(&["backup", &name]);
    assert_eq!(again.code, Some(1), "{again}");
    assert!(again.stderr.contains("exists already"), "{again}");
    assert_eq!(fs::read(&file).expect("the backup"), octets);
    lab.stop();
    let offline = lab.path("offline.db").display().to_string();
    whole(&lab.cli(&["backup", &offline]));
    for copy in [&name, &offline] {
        lose(&lab);
        fs::copy(copy, lab.database()).expect("put in place");
        lab.start();
        assert_eq!(lab.state("example.com."), "live");
        assert_eq!(lab.data("n20.example.com A"), ["192.0.2.1"]);
        whole(&lab.cli(&["verify"]));
        lab.stop();
    }
    lab.start();
    assert_eq!(lab.update(ADD), "NOERROR");
}

#[test]
fn a_backup_goes_nowhere_the_server_cannot_write() {
    let lab = Lab::demo();
    let ran = lab.cli(&["backup", "/nowhere/at/all.db"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("/nowhere/at/all.db"), "{ran}");
}

#[test]
fn the_past_is_pruned_by_a_server_that_is_idle_and_still_verifies() {
    let mut lab = Lab::demo();
    lab.stop();
    let zone: lastgood::rr::Name = "example.com.".parse().expect("a name");
    let mut store = Store::open_existing(&settings(&lab)).expect("a store");
    let row = store
        .zones()
        .expect("zones")
        .rows
        .into_iter()
        .find(|row| row.origin == zone);
    let (row, diff) = (row.expect("the zone"), Diff::default());
    let tx = store.begin().expect("a transaction");
    for _ in 0..1_800 {
        let serial = row.serial.expect("a serial");
        let revision = tx
            .add_revision(NewRevision {
                zone: &zone,
                path: "update",
                actor: "key old.",
                old_serial: row.serial,
                new_serial: serial,
                digest: row.digest,
                at_unix_us: 1_000_000,
                diff: &diff,
            })
            .expect("a revision");
        tx.add_audit(NewAudit {
            zone: Some(&zone),
            base_revision: Some(revision - 1),
            revision: Some(revision),
            old_serial: row.serial,
            new_serial: row.serial,
            ..old_row()
        })
        .expect("an audit row");
    }
    tx.commit().expect("committed");
    store.close().expect("closed");
    lab.start();
    // Revision 1 is of today and stands before the old ones: nothing goes past it.
    let count = || lab.sql("SELECT count(*) FROM revision WHERE zone = 'example.com.';");
    assert_eq!(count().trim(), "1801");
    lab.stop();
    lab.sql("UPDATE revision SET at_us = 1000000 WHERE zone = 'example.com.';");
    whole_but_for_the_first(&lab);
    lab.start();
    let count = || lab.sql("SELECT count(*) FROM revision WHERE zone = 'example.com.';");
    eventually("a thousand are left", || match count().trim() {
        "1000" => Ok(()),
        more => Err(more.to_owned()),
    });
    let ran = lab.cli(&["diff", "example.com.", "1", "1801"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr.contains("what came before 801 was pruned"),
        "{ran}"
    );
    assert!(lab.cli(&["diff", "example.com.", "801", "1801"]).ok());
    // The altered revision has gone.
    whole(&lab.cli(&["verify"]));
    assert_eq!(lab.update(ADD), "NOERROR");
}

/// An audit row of 1970.
fn old_row() -> NewAudit<'static> {
    NewAudit {
        at_unix_us: 1_000_000,
        path: "update",
        actor: "key old.",
        source: None,
        transport: None,
        zone: None,
        base_revision: None,
        revision: None,
        old_serial: None,
        new_serial: None,
        outcome: "committed",
        rule: None,
        reason: "",
        rcode: "NOERROR",
        ede: None,
        mac: None,
        detail: serde_json::json!({}),
        duration_us: 1,
    }
}

#[test]
fn an_audit_that_was_pruned_has_a_checkpoint_and_a_head_of_before_still_proves_it() {
    let mut lab = Lab::prepared_demo();
    fs::create_dir(lab.path("data")).expect("a folder");
    let mut store = Store::open(&settings(&lab)).expect("a store");
    let tx = store.begin().expect("a transaction");
    for _ in 0..1_300 {
        tx.add_audit(old_row()).expect("an audit row");
    }
    tx.commit().expect("committed");
    store.close().expect("closed");
    let head = lab.cli(&["--json", "verify"]).json()["head"].clone();
    let head = head.as_str().expect("a hash");
    lab.start();
    let verified = eventually("the audit is pruned, and whole", || {
        let ran = lab.cli(&["--json", "verify", "--head", head]);
        match ran.ok() && ran.json()["audit_pruned"].as_u64() > Some(0) {
            true => Ok(ran.json()),
            false => Err(ran.to_string()),
        }
    });
    assert_eq!(verified["audit_pruned"], 302, "{verified}");
    // A thousand of before, and the row that tells of the others.
    assert_eq!(verified["audit_rows"], 1_001, "{verified}");
    assert_eq!(verified["witness"]["id"], 1_300, "{verified}");
    let checkpoint = lab.sql("SELECT detail FROM audit WHERE outcome = 'checkpoint'");
    assert!(checkpoint.contains("\"pruned\":302"), "{checkpoint}");
    // One that was taken away by hand is missed all the same.
    lab.stop();
    lab.sql("DROP TRIGGER audit_delete; DELETE FROM audit WHERE id = (SELECT min(id) FROM audit)");
    let ran = lab.cli(&["verify"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("missing"), "{ran}");
}

/// The hand that made the first revision older is seen.
fn whole_but_for_the_first(lab: &Lab) {
    let ran = lab.cli(&["verify"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr
            .contains("revision 1 of example.com. is not the one"),
        "{ran}"
    );
}

#[test]
fn files_that_belong_to_root_are_named_with_the_line_that_gives_them_back() {
    let lab = Lab::prepared_demo();
    let somebody = 65_534;
    if fs::metadata(lab.path("lastgood.toml"))
        .expect("a file")
        .uid()
        != 0
    {
        programs::not_here("only root can give files away");
        return;
    }
    let mut lab = lab;
    lab.start();
    lab.stop();
    let folder = lab.path("data");
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    let root = lab.path("");
    for path in [root.as_path(), &folder] {
        chown(path, Some(somebody), Some(somebody)).expect("root may");
    }
    for entry in fs::read_dir(&root)
        .expect("a folder")
        .chain(fs::read_dir(&folder).expect("one"))
    {
        let path = entry.expect("a file").path();
        chown(&path, Some(somebody), Some(somebody)).expect("root may");
    }
    // As `sudo cp backup.db` leaves it.
    chown(lab.database(), Some(0), Some(0)).expect("root may");
    open(&lab.database(), 0o600).expect("root may");
    let serve = lab.command(&["serve"]);
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(serve.get_program())
        .args(serve.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        programs::not_here("there is no setpriv to become another user");
        return;
    };
    let line = format!("sudo chown nobody:nogroup {}", lab.database().display());
    let found = eventually("the line is told", || {
        if child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return Ok(None);
        }
        let ran = lab.cli(&["--json", "status"]);
        match ran.stdout.contains(&line) {
            true => Ok(Some(())),
            false => Err(ran.to_string()),
        }
    });
    if found.is_none() {
        programs::not_here("another user cannot run the program where it lies");
        return;
    }
    chown(lab.database(), Some(somebody), Some(somebody)).expect("root may");
    lab.until("example.com.", "live");
    // SIGTERM, as the server's own user would.
    let pid = child.id().to_string();
    programs::run(Command::new("kill").arg(pid), "");
    programs::wait(&mut child, Duration::from_secs(20));
}
