//! The live data are damaged while the server runs: it keeps answering from the last good image, says
//! so, and the repair by hand ends it.

use std::fs;
use std::process::Command;

use hickory_proto::rr::RecordType;

use crate::harness::eventually;
use crate::harness::lab::{Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};
use crate::harness::programs;

const EMPTY_API: &str = "DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A';";
const REPAIR_API: &str = "INSERT INTO record (zone, owner, ttl, type, rdata)
    SELECT zone, owner, 60, 'A', '192.0.2.10' FROM record WHERE owner = 'api.example.com.' LIMIT 1;
    INSERT INTO record (zone, owner, ttl, type, rdata)
    SELECT zone, owner, 60, 'A', '192.0.2.11' FROM record WHERE owner = 'api.example.com.' LIMIT 1;";

/// Still the last good answer, and marked as such for those who speak EDNS.
#[track_caller]
fn last_good(lab: &Lab) {
    for words in ["api.example.com A", "api.example.com A +tcp"] {
        let reply = lab.dig(words);
        assert_eq!(reply.data(), ["192.0.2.10", "192.0.2.11"], "{}", reply.text);
        let (code, text) = reply.ede.clone().expect("an extended error");
        assert_eq!(code, 3, "{}", reply.text);
        assert!(
            text.starts_with("lastgood rev=") && text.contains("held="),
            "{text}"
        );
        assert!(reply.has("aa"), "{}", reply.text);
    }
    let kdig = lab.kdig("api.example.com A +edns");
    let told = kdig.ede.clone().expect("an extended error");
    assert!(
        told.0 == 3 && told.1.starts_with("lastgood rev="),
        "{}",
        kdig.text
    );
    let plain = library::query("api.example.com.", RecordType::A, None);
    let plain = library::ask(lab.v4(), Transport::Udp, &plain);
    assert!(
        plain.edns.is_none() && plain.answers.len() == 2,
        "no EDNS asked, none given"
    );
    let absent = lab.dig("nothing.example.com A");
    assert_eq!(absent.status, "NXDOMAIN");
    assert_eq!(absent.ede.map(|(code, _)| code), Some(19));
    let other = lab.dig("-x 192.0.2.25");
    assert_eq!(
        (other.data(), other.ede),
        (vec!["mail.example.com.".to_owned()], None)
    );
}

#[track_caller]
fn live(lab: &Lab) {
    lab.until("example.com.", "live");
    let reply = lab.dig("api.example.com A");
    assert_eq!(reply.data(), ["192.0.2.10", "192.0.2.11"], "{}", reply.text);
    assert_eq!(reply.ede, None, "{}", reply.text);
}

#[test]
fn rows_of_a_protected_name_deleted_by_hand_are_still_answered() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    lab.sql(EMPTY_API);
    let status = lab.until("example.com.", "holding");
    let text = status.to_string();
    assert!(
        text.contains("api.example.com.") && text.contains("min-members"),
        "{text}"
    );
    assert!(
        !status["mend"].as_str().unwrap_or_default().is_empty(),
        "{text}"
    );
    last_good(&lab);
    // People read the same.
    let ran = lab.cli(&["status"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    let shown = ran.stdout;
    assert!(
        shown.contains("holding") && shown.contains("api.example.com."),
        "{shown}"
    );

    // Nothing else is let in meanwhile.
    let add = "zone example.com\nupdate add meanwhile.example.com. 60 A 192.0.2.1";
    assert_eq!(lab.update(add), "REFUSED");
    let update = library::update("example.com.", library::demo_key(), true, |section| {
        section.add_a("meanwhile.example.com.", [192, 0, 2, 1]);
    });
    let response = update.send(lab.v4(), Transport::Udp);
    assert_eq!(
        library::extended_errors(&response)
            .first()
            .map(|(code, _)| *code),
        Some(14)
    );

    lab.sql(REPAIR_API);
    live(&lab);
    assert_eq!(lab.update(add), "NOERROR");
    assert!(lab.serial("example.com") > serial);
}

#[test]
fn rows_that_cannot_be_read_are_named_and_the_last_good_answer_stays() {
    let lab = Lab::demo();
    for (damage, repair) in [
        (
            "UPDATE record SET rdata = 'not an address' WHERE owner = 'chat.example.com.' AND type = 'A';",
            "UPDATE record SET rdata = '192.0.2.30' WHERE owner = 'chat.example.com.' AND type = 'A';",
        ),
        (
            "UPDATE record SET type = 'NOTYPE' WHERE owner = 'chat.example.com.' AND type = 'A';",
            "UPDATE record SET type = 'A' WHERE owner = 'chat.example.com.' AND type = 'NOTYPE';",
        ),
        (
            "UPDATE record SET owner = 'chat..example.com.' WHERE owner = 'chat.example.com.';",
            "UPDATE record SET owner = 'chat.example.com.' WHERE owner = 'chat..example.com.';",
        ),
        (
            "UPDATE record SET owner = 'chat.example.org.' WHERE owner = 'chat.example.com.';",
            "UPDATE record SET owner = 'chat.example.com.' WHERE owner = 'chat.example.org.';",
        ),
    ] {
        lab.sql(damage);
        let status = lab.until("example.com.", "holding");
        assert!(status.to_string().contains("chat."), "{damage}: {status}");
        assert_eq!(lab.data("chat.example.com A"), ["192.0.2.30"], "{damage}");
        last_good(&lab);
        lab.sql(repair);
        live(&lab);
    }
}

#[test]
fn a_zone_without_soa_or_name_servers_is_not_served_the_last_good_is() {
    let lab = Lab::demo();
    for rtype in ["SOA", "NS"] {
        let keep = format!(
            "CREATE TABLE kept AS SELECT zone, owner, ttl, type, rdata FROM record
             WHERE owner = 'example.com.' AND type = '{rtype}';
             DELETE FROM record WHERE owner = 'example.com.' AND type = '{rtype}';"
        );
        lab.sql(&keep);
        let status = lab.until("example.com.", "holding");
        assert!(status.to_string().contains(rtype), "{status}");
        last_good(&lab);
        assert!(!lab.data(&format!("example.com {rtype}")).is_empty());
        lab.sql(
            "INSERT INTO record (zone, owner, ttl, type, rdata) SELECT * FROM kept; DROP TABLE kept;",
        );
        live(&lab);
    }
}

#[test]
fn every_row_gone_is_no_empty_zone() {
    let lab = Lab::demo();
    lab.sql("CREATE TABLE kept AS SELECT * FROM record; DELETE FROM record;");
    lab.until("example.com.", "holding");
    lab.until("2.0.192.in-addr.arpa.", "holding");
    assert_eq!(lab.data("api.example.com A"), ["192.0.2.10", "192.0.2.11"]);
    assert_eq!(lab.data("-x 192.0.2.25"), ["mail.example.com."]);
    lab.sql("INSERT INTO record SELECT * FROM kept; DROP TABLE kept;");
    live(&lab);
    lab.until("2.0.192.in-addr.arpa.", "live");
}

/// The store's files moved out of the way, to be put back.
fn files(lab: &Lab) -> Vec<(std::path::PathBuf, std::path::PathBuf)> {
    ["", "-wal", "-shm"]
        .iter()
        .map(|ending| {
            let name = format!("{}{ending}", lab.database().display());
            (name.clone().into(), format!("{name}.aside").into())
        })
        .filter(|(from, _): &(std::path::PathBuf, _)| from.exists())
        .collect()
}

#[test]
fn a_database_that_was_removed_is_missed_and_welcomed_back() {
    let lab = Lab::demo();
    let moved = files(&lab);
    for (from, aside) in &moved {
        fs::rename(from, aside).expect("moved aside");
    }
    let status = lab.until("example.com.", "holding");
    assert!(status.to_string().contains("demo.db"), "{status}");
    last_good_everywhere(&lab);
    let add = "zone example.com\nupdate add lost.example.com. 60 A 192.0.2.1";
    assert_ne!(
        lab.update(add),
        "NOERROR",
        "nothing is promised that cannot be kept"
    );
    assert!(
        !lab.database().exists(),
        "no empty database is put in its place"
    );
    for (from, aside) in &moved {
        fs::rename(aside, from).expect("moved back");
    }
    live(&lab);
    lab.until("2.0.192.in-addr.arpa.", "live");
    eventually("updates are let in again", || {
        match lab.update(add).as_str() {
            "NOERROR" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
}

/// Both zones hold.
#[track_caller]
fn last_good_everywhere(lab: &Lab) {
    lab.until("2.0.192.in-addr.arpa.", "holding");
    for (words, count) in [("api.example.com A", 2), ("-x 192.0.2.25", 1)] {
        let reply = lab.dig(words);
        assert_eq!(reply.answer.len(), count, "{}", reply.text);
        assert_eq!(
            reply.ede.as_ref().map(|(code, _)| *code),
            Some(3),
            "{}",
            reply.text
        );
    }
}

#[test]
fn a_database_that_was_replaced_is_not_believed() {
    let lab = Lab::demo();
    let moved = files(&lab);
    for (from, aside) in &moved {
        fs::rename(from, aside).expect("moved aside");
    }
    // Another database, without zones.
    let mut command = Command::new("sqlite3");
    command.arg(lab.database());
    programs::run(&mut command, "CREATE TABLE other (x);").expect_ok();
    lab.until("example.com.", "holding");
    last_good_everywhere(&lab);
    let add = "zone example.com\nupdate add lost.example.com. 60 A 192.0.2.1";
    assert_ne!(lab.update(add), "NOERROR");
    fs::remove_file(lab.database()).expect("ours to remove");
    for (from, aside) in &moved {
        fs::rename(aside, from).expect("moved back");
    }
    live(&lab);
}

#[test]
fn a_database_of_garbage_is_not_believed() {
    let lab = Lab::demo();
    let moved = files(&lab);
    for (from, aside) in &moved {
        fs::rename(from, aside).expect("moved aside");
    }
    fs::write(lab.database(), vec![0x5a; 40_000]).expect("a file");
    lab.until("example.com.", "holding");
    last_good_everywhere(&lab);
    fs::remove_file(lab.database()).expect("ours to remove");
    for (from, aside) in &moved {
        fs::rename(aside, from).expect("moved back");
    }
    live(&lab);
}

#[test]
fn an_update_in_the_same_moment_as_the_damage_is_judged_by_what_is_served() {
    let lab = Lab::demo();
    lab.sql(EMPTY_API);
    // At once, before anybody looked: the damage must not be committed along with it.
    let status = lab.update("zone example.com\nupdate add quick.example.com. 60 A 192.0.2.1");
    assert_eq!(status, "REFUSED");
    lab.until("example.com.", "holding");
    last_good(&lab);
    let key = format!("-y hmac-sha256:demo:{PUBLIC_SECRET}");
    let reply = lab.dig(&format!("{key} CH TXT last-refusal.demo.lastgood."));
    assert_eq!(reply.status, "NOERROR", "{}", reply.text);
}

#[test]
fn a_fresh_demo_has_nothing_to_complain_of() {
    let lab = Lab::demo();
    for zone in ["example.com.", "2.0.192.in-addr.arpa."] {
        let status = lab.status(zone);
        assert_eq!(status["state"], "live", "{status}");
        assert_eq!(status["findings"], serde_json::json!([]), "{status}");
    }
}

#[test]
fn a_database_cut_off_in_place_is_not_believed() {
    let lab = Lab::demo();
    // By another process: this one must not open the file of the server that it runs.
    let cut = format!(": > '{}'", lab.database().display());
    programs::run(Command::new("sh").args(["-c", &cut]), "").expect_ok();
    lab.until("example.com.", "holding");
    last_good_everywhere(&lab);
    let add = "zone example.com\nupdate add lost.example.com. 60 A 192.0.2.1";
    assert_ne!(lab.update(add), "NOERROR");
}

#[test]
fn a_small_repair_does_not_carry_a_large_deletion_with_it() {
    let lab = Lab::demo();
    lab.sql("DELETE FROM record WHERE owner IN ('api.example.com.', 'web.example.com.');");
    lab.until("example.com.", "holding");
    // One of the two is put back: the other is still missing.
    lab.sql(REPAIR_API_WHOLE);
    let still = eventually("the hold is about web alone", || {
        let status = lab.status("example.com.");
        let reason = status["reason"].as_str().unwrap_or_default().to_owned();
        if reason.contains("www.example.com.") && !reason.contains("api.example.com. A ") {
            Ok(status)
        } else {
            Err(status.to_string())
        }
    });
    assert_eq!(still["state"], "holding", "{still}");
    assert_eq!(lab.data("web.example.com A"), ["192.0.2.80"]);
    // What the status offers is what a person would do.
    let mend = still["mend"].as_str().expect("what to do").to_owned();
    programs::run(Command::new("sh").args(["-c", &mend]), "").expect_ok();
    live(&lab);
    assert_eq!(lab.data("web.example.com A"), ["192.0.2.80"]);
}

const REPAIR_API_WHOLE: &str = "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
    ('example.com.', 'api.example.com.', 60, 'A', '192.0.2.10'),
    ('example.com.', 'api.example.com.', 60, 'A', '192.0.2.11'),
    ('example.com.', 'api.example.com.', 60, 'AAAA', '2001:db8::10'),
    ('example.com.', 'api.example.com.', 60, 'AAAA', '2001:db8::11');";

/// Does what the status says: lines for the shell, or, where they would be many, an export and an
/// import.
fn mend(lab: &Lab, zone: &str, said: &str) {
    if said.starts_with("sqlite3 ") {
        programs::run(Command::new("sh").args(["-c", said]), "").expect_ok();
        lab.until(zone, "live");
        return;
    }
    assert!(
        said.contains("zone export") && said.contains("--replace"),
        "{said}"
    );
    lab.write("mend.zone", &lab.cli(&["zone", "export", zone]).expect_ok());
    let file = lab.path("mend.zone").display().to_string();
    lab.cli(&["zone", "import", zone, &file, "--replace"])
        .expect_ok();
    lab.until(zone, "live");
}

#[test]
fn what_status_says_to_do_mends_every_kind_of_damage() {
    let lab = Lab::demo();
    for damage in [
        EMPTY_API,
        "UPDATE record SET rdata = '300.1.1.1' WHERE owner = 'api.example.com.' AND type = 'A';",
        "DELETE FROM record WHERE type = 'SOA' AND owner = 'example.com.';",
        "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES
         ('example.com.', 'www.example.com.', 60, 'A', '192.0.2.1');",
        "DELETE FROM record;",
    ] {
        lab.sql(damage);
        lab.until("example.com.", "holding");
        assert_eq!(
            lab.data("api.example.com A"),
            ["192.0.2.10", "192.0.2.11"],
            "{damage}"
        );
        eventually("every zone is mended", || {
            for zone in ["example.com.", "2.0.192.in-addr.arpa."] {
                let status = lab.status(zone);
                if status["state"] == "holding" {
                    mend(&lab, zone, status["mend"].as_str().unwrap_or_default());
                    return Err(status.to_string());
                }
            }
            Ok(())
        });
        live(&lab);
        assert_eq!(lab.data("-x 192.0.2.25"), ["mail.example.com."], "{damage}");
    }
}

#[test]
fn somebody_who_keeps_the_store_locked_stops_no_answer() {
    use std::io::Write;
    use std::process::Stdio;
    let lab = Lab::demo();
    let mut other = Command::new("sqlite3")
        .arg(lab.database())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sqlite3");
    let mut stdin = other.stdin.take().expect("piped");
    stdin
        .write_all(b"BEGIN IMMEDIATE;\nSELECT 'locked';\n")
        .expect("sent");
    let mut said = std::io::BufReader::new(other.stdout.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).expect("said");
    assert_eq!(line.trim(), "locked");
    std::thread::scope(|scope| {
        let add = "zone example.com\nupdate add patient.example.com. 60 A 192.0.2.1";
        let update = scope.spawn(|| lab.update(add));
        for _ in 0..5 {
            assert_eq!(lab.data("api.example.com A"), ["192.0.2.10", "192.0.2.11"]);
        }
        stdin.write_all(b"ROLLBACK;\n").expect("sent");
        drop(stdin);
        assert_eq!(update.join().expect("a client"), "NOERROR");
    });
    programs::wait(&mut other, std::time::Duration::from_secs(10)).expect("it ends");
    assert_eq!(lab.data("patient.example.com A"), ["192.0.2.1"]);
}
