//! A person edits the rows with sqlite3: what is fit becomes a revision of its own.

use crate::harness::eventually;
use crate::harness::lab::Lab;

fn add(name: &str, address: &str) -> String {
    format!(
        "INSERT INTO record (zone, owner, ttl, type, rdata)
         SELECT zone, '{name}', 60, 'A', '{address}' FROM record
         WHERE owner = 'api.example.com.' LIMIT 1;"
    )
}

#[track_caller]
fn answers(lab: &Lab, words: &str, data: &[&str]) {
    eventually(words, || {
        let reply = lab.dig(words);
        if reply.data() == data {
            Ok(())
        } else {
            Err(reply.text)
        }
    });
}

#[test]
fn a_row_added_by_hand_is_served_as_a_revision_with_a_higher_serial() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    let revision = lab.status("example.com.")["revision"]
        .as_u64()
        .expect("a revision");
    lab.sql(&add("hand.example.com.", "192.0.2.77"));
    answers(&lab, "hand.example.com A", &["192.0.2.77"]);
    assert!(lab.serial("example.com") > serial);
    let status = lab.status("example.com.");
    assert_eq!(status["state"], "live", "{status}");
    assert_eq!(status["revision"].as_u64(), Some(revision + 1), "{status}");
    let rows = lab.cli(&["--json", "log", "example.com."]).expect_ok();
    assert!(rows.contains("edit by hand"), "{rows}");
    assert!(rows.contains("hand.example.com."), "its diff: {rows}");
    // The serial was written back, where the person can see it.
    let soa = lab.sql("SELECT rdata FROM record WHERE owner = 'example.com.' AND type = 'SOA';");
    assert!(
        soa.contains(&lab.serial("example.com").to_string()),
        "{soa}"
    );
}

#[test]
fn a_serial_set_back_by_hand_goes_forward_all_the_same() {
    let lab = Lab::demo();
    let serial = lab.serial("example.com");
    let soa = "ns1.example.com. hostmaster.example.com. 5 7200 900 1209600 300";
    lab.sql(&format!(
        "BEGIN; UPDATE record SET rdata = '{soa}' WHERE owner = 'example.com.' AND type = 'SOA';
         {} COMMIT;",
        add("older.example.com.", "192.0.2.78")
    ));
    answers(&lab, "older.example.com A", &["192.0.2.78"]);
    let after = lab.serial("example.com");
    assert!(after > serial, "{after}");
}

#[test]
fn edits_by_hand_of_many_kinds_are_taken_as_they_are_meant() {
    let lab = Lab::demo();
    // Another spelling, another TTL, a changed address, a deleted name that nobody protects.
    lab.sql(
        "UPDATE record SET rdata = '192.0.2.31' WHERE owner = 'chat.example.com.' AND type = 'A';",
    );
    answers(&lab, "chat.example.com A", &["192.0.2.31"]);
    lab.sql("UPDATE record SET ttl = 77 WHERE owner = 'chat.example.com.';");
    eventually("the TTL", || {
        let reply = lab.dig("chat.example.com A");
        if reply.answer[0].contains(" 77 IN ") {
            Ok(())
        } else {
            Err(reply.text)
        }
    });
    lab.sql("DELETE FROM record WHERE owner = 'vip.customers.example.com.';");
    answers(&lab, "vip.customers.example.com A", &["192.0.2.90"]);
    lab.sql("UPDATE record SET rdata = '2001:DB8:0:0::31' WHERE owner = 'chat.example.com.' AND type = 'AAAA';");
    answers(&lab, "chat.example.com AAAA", &["2001:db8::31"]);
    assert_eq!(lab.state("example.com."), "live");
}

#[test]
fn updates_and_edits_by_hand_live_side_by_side() {
    let lab = Lab::demo();
    for number in 1..=10 {
        lab.sql(&add(&format!("hand{number}.example.com."), "192.0.2.1"));
        let script =
            format!("zone example.com\nupdate add wire{number}.example.com. 60 A 192.0.2.2");
        assert_eq!(lab.update(&script), "NOERROR");
        // The update saw the edit: one line of revisions, nothing lost.
        assert_eq!(
            lab.data(&format!("hand{number}.example.com A")),
            ["192.0.2.1"]
        );
        assert_eq!(
            lab.data(&format!("wire{number}.example.com A")),
            ["192.0.2.2"]
        );
    }
    assert_eq!(lab.state("example.com."), "live");
}

#[test]
fn an_edit_while_no_server_runs_is_taken_in_at_the_start() {
    let mut lab = Lab::demo();
    let serial = lab.serial("example.com");
    lab.stop();
    lab.sql(&add("offline.example.com.", "192.0.2.79"));
    lab.start();
    answers(&lab, "offline.example.com A", &["192.0.2.79"]);
    assert!(lab.serial("example.com") > serial);
    assert_eq!(lab.state("example.com."), "live");
}
