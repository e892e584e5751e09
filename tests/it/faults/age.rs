//! Holds that last.

use super::*;
use crate::harness::querier::Querier;

const EMPTY_API: &str = "DELETE FROM record WHERE owner = 'api.example.com.' AND type = 'A';";

#[test]
fn data_grow_old_in_metrics_and_status_and_are_served_all_the_same() {
    let lab = demo();
    let querier = Querier::of_demo(lab.v4());
    let sample = format!("lastgood_zone_age_seconds{{zone=\"{ZONE}\"}}");
    assert!(metric(&lab, &sample) < 5.0);
    lab.sql(EMPTY_API);
    lab.until(ZONE, "holding");
    eventually("the age grows", || match metric(&lab, &sample) {
        age if age > 2.0 => Ok(()),
        age => Err(age.to_string()),
    });
    let held = lab.status(ZONE)["held_secs"].as_u64();
    assert!(held >= Some(2), "{held:?}");
    assert_eq!(
        lab.dig("api.example.com A").ede.map(|(code, _)| code),
        Some(3)
    );
    mend(&lab, ZONE);
    assert!(metric(&lab, &sample) < 2.0);
    querier.end();
}

#[test]
fn data_older_than_max_age_are_not_served_and_not_lost() {
    let mut lab = prepared();
    let config = lab.read("lastgood.toml");
    let stanza = "name = \"example.com.\"\n";
    let bounded = config.replacen(stanza, &format!("{stanza}max_age = \"2s\"\n"), 1);
    assert_ne!(config, bounded);
    lab.write("lastgood.toml", &bounded);
    lab.start();
    acknowledge(&lab, "before");
    lab.sql(EMPTY_API);
    lab.until(ZONE, "holding");
    assert_eq!(lab.data("api.example.com A"), ["192.0.2.10", "192.0.2.11"]);
    let status = lab.until(ZONE, "unavailable");
    assert!(status["reason"].to_string().contains("max_age"), "{status}");
    for words in ["api.example.com A", "nothing.example.com A +tcp"] {
        let reply = lab.dig(words);
        assert_eq!(reply.status, "SERVFAIL", "{}", reply.text);
        assert_eq!(reply.ede.map(|(code, _)| code), Some(24));
        assert!(reply.answer.is_empty());
    }
    assert_eq!(
        metric(&lab, &format!("lastgood_zone_available{{zone=\"{ZONE}\"}}")),
        0.0
    );
    assert_eq!(
        metric(&lab, &format!("lastgood_zone_hold{{zone=\"{ZONE}\"}}")),
        1.0
    );
    refuses_with_not_ready(&lab);
    assert_eq!(lab.data("-x 192.0.2.25"), ["mail.example.com."]);
    // What was served last is still there for whoever mends it.
    mend(&lab, ZONE);
    assert_eq!(lab.data("api.example.com A"), ["192.0.2.10", "192.0.2.11"]);
    is_there(&lab, "before");
    lab.sql(EMPTY_API);
    lab.until(ZONE, "unavailable");
    lab.cli(&["snapshot", "restore", ZONE]).expect_ok();
    lab.until(ZONE, "live");
    assert_eq!(lab.data("api.example.com A"), ["192.0.2.10", "192.0.2.11"]);
}
