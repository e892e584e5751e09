//! Rows of the table `zone` that somebody wrote by hand: a zone that comes by rows alone passes the
//! same door as any other, and a row that is wrong concerns the zone it names and no other.

use lastgood::rr::Name;
use lastgood::zone::ZoneImage;
use lastgood::zonefile;

use crate::harness::attack::{lab_of, passes, protect};
use crate::harness::eventually;
use crate::harness::lab::{self, Lab};

const SUB: &str = "api.ex.test.";

fn three() -> Lab {
    lab_of(&[
        (
            "ex.test.",
            "api A 192.0.2.1\napi A 192.0.2.2\napi AAAA 2001:db8::1\napi AAAA 2001:db8::2\n\
             www A 192.0.2.3\n",
            &protect("api", "\"A\", \"AAAA\"", 2),
        ),
        ("other.test.", "www A 192.0.2.4\n", ""),
        ("free.test.", "www A 192.0.2.5\n", ""),
    ])
}

fn notices(lab: &Lab) -> Vec<String> {
    let status = lab.cli(&["--json", "status"]).json();
    let notices = status["notices"].as_array().cloned().unwrap_or_default();
    let text = |notice: &serde_json::Value| notice.as_str().unwrap_or_default().to_owned();
    notices.iter().map(text).collect()
}

/// Waits until one of the notices says all of this.
#[track_caller]
fn told(lab: &Lab, words: &[&str]) -> String {
    eventually("a notice", || {
        let all = notices(lab);
        let says = |notice: &&String| words.iter().all(|word| notice.contains(word));
        all.iter()
            .find(says)
            .cloned()
            .ok_or_else(|| format!("{all:?}"))
    })
}

/// What the notice says takes the row away, as a person pastes it.
#[track_caller]
fn take_away(lab: &Lab, notice: &str) {
    let (_, mend) = notice.split_once("to take it away: ").expect("a mend");
    let command = mend.split("; or, to make").next().unwrap_or(mend);
    lab.shell(command);
    let left = || {
        let all = notices(lab);
        match all.iter().any(|told| told == notice) {
            true => Err(format!("{all:?}")),
            false => Ok(()),
        }
    };
    eventually("the notice is gone", left);
}

#[track_caller]
fn api_is_whole(lab: &Lab) {
    assert_eq!(lab.data("api.ex.test A"), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(lab.data("api.ex.test AAAA"), ["2001:db8::1", "2001:db8::2"]);
    for zone in ["ex.test.", "other.test.", "free.test."] {
        assert_eq!(lab.state(zone), "live", "{zone}: {}", lab.status(zone));
    }
}

fn zone_row(zone: &str, digest: &str) -> String {
    format!("INSERT INTO zone VALUES ('{zone}', 1, 1, '{digest}');")
}

fn records(zone: &str, more: &[(&str, &str, &str)]) -> String {
    let soa = "ns1.invalid. hostmaster.invalid. 1 7200 900 1209600 300";
    let apex = [
        (zone, "SOA", soa),
        (zone, "NS", "ns1.invalid."),
        (zone, "NS", "ns2.invalid."),
    ];
    let row = |(owner, rtype, rdata): &(&str, &str, &str)| {
        format!(
            "INSERT INTO record (zone, owner, ttl, type, rdata) \
             VALUES ('{zone}', '{owner}', 300, '{rtype}', '{rdata}');"
        )
    };
    apex.iter().chain(more).map(row).collect()
}

/// A whole zone, in one commit.
fn whole(zone: &str, digest: &str, more: &[(&str, &str, &str)]) -> String {
    let (row, records) = (zone_row(zone, digest), records(zone, more));
    format!("BEGIN; {row} {records} COMMIT;")
}

fn image_of(text: &str, zone: &str) -> ZoneImage {
    let origin: Name = zone.parse().expect("a name");
    let parsed = zonefile::parse(text.as_bytes(), &origin, &|_, _| {
        Err(std::io::ErrorKind::Unsupported.into())
    });
    ZoneImage::from_records(origin, parsed.records).expect("within the zone")
}

#[test]
fn an_empty_zone_by_rows_alone_hides_no_name_of_the_zone_above() {
    let mut lab = three();
    lab.sql(&zone_row(SUB, &"0".repeat(64)));
    told(&lab, &[SUB, "no records"]);
    api_is_whole(&lab);
    lab.restart();
    let notice = told(&lab, &[SUB, "no records"]);
    api_is_whole(&lab);
    take_away(&lab, &notice);
    lab.restart();
    api_is_whole(&lab);
    assert_eq!(notices(&lab), [""; 0]);
}

#[test]
fn a_whole_zone_by_rows_alone_is_judged_against_what_it_would_hide() {
    let mut lab = three();
    // With rows that add up to what its row says, too.
    let digest = image_of(&lab::apex(SUB), SUB).digest().to_string();
    lab.sql(&whole(SUB, &digest, &[]));
    told(&lab, &[SUB, "min-members", "api.ex.test. A"]);
    api_is_whole(&lab);
    lab.restart();
    let notice = told(&lab, &[SUB, "min-members"]);
    api_is_whole(&lab);
    let log = lab.cli(&["--json", "log"]).expect_ok();
    assert!(log.contains("min-members"), "{log}");
    take_away(&lab, &notice);
    lab.restart();
    api_is_whole(&lab);
}

#[test]
fn a_zone_by_rows_alone_that_hides_nothing_is_taken_in_as_an_import_is() {
    let mut lab = three();
    let www = [("www.new.test.", "A", "192.0.2.7")];
    lab.sql(&whole("new.test.", &"0".repeat(64), &www));
    lab_serves(&lab, "www.new.test A", "192.0.2.7");
    lab.settle("new.test.");
    let log = lab.cli(&["--json", "log", "new.test."]).expect_ok();
    assert!(log.contains("edit by hand"), "{log}");
    lab.stop();
    let more = [("www.late.test.", "A", "192.0.2.8")];
    lab.sql(&whole("late.test.", &"0".repeat(64), &more));
    lab.start();
    assert_eq!(lab.data("www.late.test A"), ["192.0.2.8"]);
    assert_eq!(lab.data("www.new.test A"), ["192.0.2.7"]);
    assert_eq!(notices(&lab), [""; 0]);
}

#[track_caller]
fn lab_serves(lab: &Lab, words: &str, data: &str) {
    eventually(words, || {
        let reply = lab.dig(words);
        match reply.data() == [data] {
            true => Ok(()),
            false => Err(format!("{} {:?}", reply.text, notices(lab))),
        }
    });
}

#[test]
fn a_zone_that_keeps_a_protected_name_from_its_members_may_be_removed() {
    let lab = three();
    lab.write("sub.zone", &lab::apex(SUB));
    let file = lab.path("sub.zone").display().to_string();
    let forced = ["--override", "min-members", "--reason", "a mistake"];
    // One rule at a time: it takes both types.
    lab.cli(&[&["zone", "import", SUB, &file], &forced[..]].concat())
        .expect_ok();
    assert_eq!(lab.data("api.ex.test A"), [""; 0]);
    lab.cli(&["zone", "remove", SUB]).expect_ok();
    api_is_whole(&lab);
    // One that keeps nobody from anything stays as hard to remove as it was.
    let ran = lab.cli(&["zone", "remove", "free.test."]);
    assert_eq!(ran.code, Some(1), "{ran}");
}

#[test]
fn a_row_that_cannot_be_read_holds_the_zone_it_names_and_no_other() {
    let mut lab = three();
    for (number, wrong) in ["digest = 'zz'", "revision = -5", "serial = 99999999999"]
        .into_iter()
        .enumerate()
    {
        let by_sql = |lab: &Lab| {
            lab.sql(&format!(
                "UPDATE zone SET {wrong} WHERE origin = 'other.test.';"
            ));
        };
        let add = format!("update add n{number}.other.test. 60 A 192.0.2.9");
        by_sql(&lab);
        mend_by(&lab, Mend::Sql);
        by_sql(&lab);
        mend_by(&lab, Mend::Restore);
        lab.stop();
        by_sql(&lab);
        lab.start();
        mend_by(&lab, Mend::Sql);
        passes(&lab, "other.test.", &[&add]);
        lab.stop();
        by_sql(&lab);
        lab.start();
        mend_by(&lab, Mend::Restore);
        lab.restart();
        api_is_whole(&lab);
        assert_eq!(
            lab.data(&format!("n{number}.other.test A")),
            ["192.0.2.9"],
            "{wrong}"
        );
    }
}

enum Mend {
    Sql,
    Restore,
}

#[track_caller]
fn mend_by(lab: &Lab, how: Mend) {
    let status = lab.until("other.test.", "holding");
    assert!(
        status["reason"].to_string().contains("table zone"),
        "{status}"
    );
    assert_eq!(lab.data("www.other.test A"), ["192.0.2.4"]);
    assert_eq!(lab.data("api.ex.test A"), ["192.0.2.1", "192.0.2.2"]);
    // The others are not concerned.
    for zone in ["ex.test.", "free.test."] {
        let script = format!("update delete z.{zone}\nupdate add z.{zone} 60 A 192.0.2.9");
        passes(lab, zone, &[&script]);
        assert_eq!(lab.state(zone), "live");
    }
    let script = "zone other.test.\nupdate add z.other.test. 60 A 192.0.2.9";
    assert_eq!(lab.update(script), "REFUSED");
    match how {
        Mend::Sql => drop(lab.shell(status["mend"].as_str().expect("a mend"))),
        Mend::Restore => drop(lab.cli(&["snapshot", "restore", "other.test."]).expect_ok()),
    }
    lab.until("other.test.", "live");
}

#[test]
fn a_row_that_names_no_zone_is_told_of_and_holds_none() {
    let mut lab = three();
    for name in ["a..b", "ex.test", "\\101x.test.", "it''s \"$(x)\" a..b."] {
        lab.sql(&zone_row(name, "zz"));
        let notice = told(&lab, &["names no zone"]);
        api_is_whole(&lab);
        passes(
            &lab,
            "ex.test.",
            &["update add z.ex.test. 60 A 192.0.2.9\nupdate delete z.ex.test."],
        );
        lab.restart();
        assert_eq!(told(&lab, &["names no zone"]), notice);
        api_is_whole(&lab);
        take_away(&lab, &notice);
    }
}

#[test]
fn a_revision_that_nobody_committed_is_not_taken_in() {
    let mut lab = three();
    lab.settle("ex.test.");
    let text = lab.cli(&["zone", "export", "ex.test."]).expect_ok();
    let less: String = text
        .lines()
        .filter(|line| !line.starts_with("api") || !line.contains("192.0.2."))
        .map(|line| format!("{line}\n"))
        .collect();
    let digest = image_of(&less, "ex.test.").digest();
    assert_ne!(digest, image_of(&text, "ex.test.").digest());
    // One that nobody protects goes the same way: it needs a revision, a serial, an audit row.
    let forge = |revision: &str| {
        format!(
            "BEGIN; DELETE FROM record WHERE owner = 'api.ex.test.' AND type = 'A';
             DELETE FROM touched;
             UPDATE zone SET revision = {revision}, digest = '{digest}'
              WHERE origin = 'ex.test.'; COMMIT;"
        )
    };
    lab.sql(&forge("revision + 1"));
    let status = lab.until("ex.test.", "holding");
    assert!(status["reason"].to_string().contains("nobody"), "{status}");
    assert_eq!(lab.data("api.ex.test A"), ["192.0.2.1", "192.0.2.2"]);
    lab.restart();
    lab.until("ex.test.", "holding");
    assert_eq!(lab.data("api.ex.test A"), ["192.0.2.1", "192.0.2.2"]);
    lab.cli(&["snapshot", "restore", "ex.test."]).expect_ok();
    lab.until("ex.test.", "live");
    lab.settle("ex.test.");
    // At the number that it has, while no server runs.
    let text = lab.cli(&["zone", "export", "ex.test."]).expect_ok();
    let less: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("api") || !line.contains("192.0.2."))
        .collect();
    let digest = image_of(&less.join("\n"), "ex.test.").digest();
    lab.stop();
    lab.sql(&format!(
        "DELETE FROM record WHERE owner = 'api.ex.test.' AND type = 'A';
         UPDATE zone SET digest = '{digest}' WHERE origin = 'ex.test.';"
    ));
    lab.start();
    let status = lab.until("ex.test.", "holding");
    assert!(
        status["reason"].to_string().contains("min-members"),
        "{status}"
    );
    assert_eq!(lab.data("api.ex.test A"), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn a_freeze_that_cannot_be_read_is_told_of_and_those_that_can_stay() {
    let mut lab = three();
    lab.cli(&["freeze", "--zone", "free.test."]).expect_ok();
    lab.stop();
    lab.sql(
        "INSERT INTO freeze VALUES ('zonne x', -7, CAST(x'ff' AS TEXT), 'a');
         INSERT OR REPLACE INTO meta VALUES ('policies', '[junk');",
    );
    lab.start();
    let notice = told(&lab, &["freezes nothing"]);
    api_is_whole(&lab);
    let frozen = "zone free.test.\nupdate add z.free.test. 60 A 192.0.2.9";
    assert_eq!(lab.update(frozen), "REFUSED");
    passes(&lab, "ex.test.", &["update add z.ex.test. 60 A 192.0.2.9"]);
    let script = "zone ex.test.\nupdate delete api.ex.test. A";
    assert_eq!(lab.update(script), "REFUSED");
    take_away(&lab, &notice);
    // One that was in force, and whose row was spoilt since, is in force still.
    lab.settle("ex.test.");
    lab.stop();
    lab.sql("UPDATE freeze SET scope = 'zone free..test.';");
    lab.start();
    told(&lab, &["freezes nothing"]);
    assert_eq!(lab.update(frozen), "REFUSED");
}

#[test]
fn no_override_is_offered_that_would_be_refused() {
    let lab = three();
    lab.sql("DELETE FROM record WHERE owner = 'free.test.' AND type = 'SOA';");
    let status = lab.until("free.test.", "holding");
    let mend = status["mend"].as_str().expect("a mend");
    assert!(!mend.contains("zone accept"), "{mend}");
    lab.shell(mend);
    lab.until("free.test.", "live");
}

#[test]
fn a_removal_that_nobody_made_takes_no_protection_away() {
    let mut lab = three();
    lab.settle("ex.test.");
    lab.stop();
    lab.sql(
        "DELETE FROM record WHERE owner = 'api.ex.test.';
         INSERT INTO revision
             SELECT zone, number + 1, at_us, 'remove', actor, old_serial, new_serial, digest, diff
             FROM revision WHERE zone = 'ex.test.' ORDER BY number DESC LIMIT 1;",
    );
    lab.start();
    lab.until("ex.test.", "holding");
    assert_eq!(lab.data("api.ex.test A"), ["192.0.2.1", "192.0.2.2"]);
    lab.restart();
    lab.until("ex.test.", "holding");
    assert_eq!(lab.data("api.ex.test A"), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn a_row_of_the_history_that_cannot_be_read_holds_nothing_back() {
    let mut lab = three();
    lab.settle("ex.test.");
    lab.stop();
    let copy = "for file in *snapshot*; do";
    lab.shell(&format!(
        "cd '{}'; mkdir -p ../older; {copy} cp \"$file\" ../older/; done",
        lab.path("data").display()
    ));
    lab.start();
    for name in ["one", "two"] {
        let update = format!("update add {name}.ex.test. 60 A 192.0.2.9");
        passes(&lab, "ex.test.", &[&update]);
    }
    lab.settle("ex.test.");
    lab.stop();
    // The snapshot is behind, as after a crash, and the history does not say what came since.
    lab.shell(&format!(
        "cd '{}'; rm -f *snapshot*; cp ../older/* .",
        lab.path("data").display()
    ));
    lab.sql(
        "UPDATE revision SET diff = 'x'
         WHERE zone = 'ex.test.' AND number = (SELECT max(number) FROM revision WHERE zone = 'ex.test.');",
    );
    lab.start();
    api_is_whole(&lab);
    assert_eq!(lab.data("two.ex.test A"), ["192.0.2.9"]);
    passes(
        &lab,
        "ex.test.",
        &["update add three.ex.test. 60 A 192.0.2.9"],
    );
}
