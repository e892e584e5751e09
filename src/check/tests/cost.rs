//! What the checks cost, counted in steps, so that no machine is too slow for it: a key that may
//! change one name must not be able to keep the writer from all other zones.

use super::*;
use crate::check::walk;
use crate::zone::Diff;

const CHAIN: usize = 20_000;
const REFERRING: usize = 100_000;

fn zone(lines: impl Iterator<Item = String>) -> ZoneImage {
    let origin: Name = "example.com.".parse().unwrap();
    let apex = [SOA].into_iter().chain(NS).map(record);
    let rest: Vec<Record> = lines.map(|line| record(&line)).collect();
    ZoneImage::from_records(origin, apex.chain(rest)).unwrap()
}

/// Aliases from c0 on, each to the next, and the last to where nothing is.
fn chain(count: usize) -> ZoneImage {
    zone((0..count).map(|n| format!("c{n} CNAME c{}.example.com.", n + 1)))
}

fn with_record(before: &ZoneImage, line: &str) -> ZoneImage {
    let record = record(line);
    let rrset = crate::rr::RrSet::new(record.rtype, record.ttl, [record.rdata]);
    let mut editor = before.edit();
    editor.set(&record.owner, record.rtype, rrset).unwrap();
    editor.finish().0
}

/// What is found from one image to the other, the steps that it took, and the names looked up.
fn cost(before: &ZoneImage, after: &ZoneImage) -> (Vec<Finding>, usize, usize) {
    let diff = Diff::between(before, after);
    let looked_up = walk::looked_up();
    let (found, steps) = added_within(STEPS_MAX, before, &diff, after, &Limits::default());
    (found, steps, walk::looked_up() - looked_up)
}

#[test]
fn the_end_of_a_long_chain_of_aliases_comes_and_goes_at_the_cost_of_those_that_are_followed() {
    let bare = chain(CHAIN);
    let ended = with_record(&bare, &format!("c{CHAIN} A 192.0.2.1"));
    let (found, steps, looked_up) = cost(&bare, &ended);
    assert_eq!(told(&found), [] as [&str; 0]);
    assert!(
        steps + looked_up < 500,
        "{steps} steps, {looked_up} look-ups"
    );
    let (found, steps, looked_up) = cost(&ended, &bare);
    assert_eq!(found.len(), walk::ALIASES_MAX - 1, "{:?}", told(&found));
    assert!(
        steps + looked_up < 1_000,
        "{steps} steps, {looked_up} look-ups"
    );
    // One in the middle breaks the way of as many.
    let led_away = with_record(&ended, "c10000 CNAME gone.example.com.");
    let (found, steps, looked_up) = cost(&ended, &led_away);
    assert_eq!(found.len(), walk::ALIASES_MAX - 1, "{:?}", told(&found));
    assert!(
        steps + looked_up < 1_000,
        "{steps} steps, {looked_up} look-ups"
    );
}

#[test]
fn a_full_check_of_a_long_chain_follows_no_alias_further_than_a_resolver_would() {
    let count = 60_000;
    let image = chain(count);
    let before = walk::looked_up();
    let found = full(&image, &Limits::default());
    let looked_up = walk::looked_up() - before;
    assert!(looked_up <= walk::ALIASES_MAX * count + 100, "{looked_up}");
    let long = found.iter().filter(|f| f.check == "alias-chain").count();
    assert_eq!(long, count - 8);
}

#[test]
fn a_wildcard_costs_nothing_to_what_leads_to_names_that_exist() {
    let lines = (0..REFERRING).map(|n| format!("m{n} MX 10 hub.example.com."));
    let bare = zone(lines.chain(["hub A 192.0.2.1".to_owned()]));
    let covered = with_record(&bare, "* A 192.0.2.2");
    for (before, after) in [(&bare, &covered), (&covered, &bare)] {
        let (found, steps, looked_up) = cost(before, after);
        assert_eq!(told(&found), [] as [&str; 0]);
        assert!(
            steps + looked_up < 20,
            "{steps} steps, {looked_up} look-ups"
        );
    }
}

#[test]
fn a_name_that_very_many_lead_to_is_lost_at_the_cost_of_these_and_regained_at_none() {
    let lines = (0..REFERRING).map(|n| format!("m{n} MX 10 hub.example.com."));
    let bare = zone(lines);
    let whole = with_record(&bare, "hub A 192.0.2.1");
    let (found, steps, looked_up) = cost(&whole, &bare);
    assert_eq!(found.len(), REFERRING);
    assert!(found.iter().all(|finding| finding.check == "mx-no-address"));
    // In each of two images.
    assert!(steps <= 4 * REFERRING + 100, "{steps}");
    assert!(looked_up <= 2 * REFERRING + 100, "{looked_up}");
    let (found, steps, looked_up) = cost(&bare, &whole);
    assert_eq!(told(&found), [] as [&str; 0]);
    assert!(
        steps + looked_up < 20,
        "{steps} steps, {looked_up} look-ups"
    );
}

#[test]
fn an_unrelated_change_does_not_pass_what_leads_to_the_apex() {
    let lines = (0..2_000).map(|n| format!("m{n} MX 10 example.com."));
    let before = zone(lines.chain(["@ A 192.0.2.1".to_owned()]));
    let (found, steps, looked_up) = cost(&before, &with_record(&before, "new A 192.0.2.2"));
    assert_eq!(told(&found), [] as [&str; 0]);
    assert!(
        steps + looked_up < 20,
        "{steps} steps, {looked_up} look-ups"
    );
}

#[test]
fn a_change_that_reaches_more_than_can_be_judged_in_time_is_an_error_with_that_reason() {
    let lines = (0..50).map(|n| format!("m{n} MX 10 hub.example.com."));
    let bare = zone(lines);
    let whole = with_record(&bare, "hub A 192.0.2.1");
    let diff = Diff::between(&whole, &bare);
    let within = |max| added_within(max, &whole, &diff, &bare, &Limits::default());
    let (found, steps) = within(100);
    assert_eq!(told(&found), ["error change-too-wide @"]);
    assert!(found[0].sentence.contains("more than 100 records"));
    assert!(steps <= 110, "{steps}");
    // Enough for those alone, whatever else is in the zone.
    assert_eq!(within(250).0.len(), 50);
}
