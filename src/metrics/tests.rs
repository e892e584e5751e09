//! What a scrape shows of what was counted.

use std::thread;

use super::*;

fn page(counters: &Counters) -> String {
    counters.page(Scrape::default())
}

/// The value of one sample, written as it stands on the page.
#[track_caller]
fn value(page: &str, sample: &str) -> f64 {
    let rest = page
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    let rest = rest.unwrap_or_else(|| panic!("{sample} is on the page:\n{page}"));
    rest.parse().expect("a number")
}

fn zone(name: &str, state: State) -> Zone {
    Zone {
        name: name.to_owned(),
        serial: Some(4_294_967_295),
        revision: Some(7),
        records: Some(43),
        state,
    }
}

#[test]
fn what_threads_count_for_themselves_is_summed() {
    let counters = Counters::default();
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut tally = counters.tally();
            scope.spawn(move || {
                for _ in 0..10_000 {
                    tally.answered(0);
                    tally.answered(3);
                }
                tally.answered(16);
                tally.response_lost();
                tally.slow_path_full();
            });
        }
    });
    counters.query(Transport::Udp, 0);
    counters.query(Transport::Tcp, 5);
    counters.response_lost();
    let page = page(&counters);
    let of = |transport, rcode| {
        let labels = format!("transport=\"{transport}\",rcode=\"{rcode}\"");
        value(&page, &format!("lastgood_queries_total{{{labels}}}"))
    };
    assert_eq!(of("udp", "NOERROR"), 40_001.0);
    assert_eq!(of("udp", "NXDOMAIN"), 40_000.0);
    assert_eq!(of("udp", "BADVERS"), 4.0);
    assert_eq!(of("tcp", "REFUSED"), 1.0);
    assert_eq!(of("tcp", "NOERROR"), 0.0);
    assert_eq!(value(&page, "lastgood_udp_responses_dropped_total"), 5.0);
    assert_eq!(value(&page, "lastgood_slow_path_dropped_total"), 4.0);
    assert_eq!(counters.totals().queries, 80_006);
}

#[test]
fn a_connection_is_open_until_it_ends() {
    let counters = Counters::default();
    let connection = counters.connection();
    let second = counters.connection();
    drop(second);
    counters.connection_evicted();
    let seen = page(&counters);
    assert_eq!(value(&seen, "lastgood_tcp_connections_open"), 1.0);
    assert_eq!(value(&seen, "lastgood_tcp_connections_accepted_total"), 2.0);
    assert_eq!(value(&seen, "lastgood_tcp_connections_evicted_total"), 1.0);
    drop(connection);
    assert_eq!(
        value(&page(&counters), "lastgood_tcp_connections_open"),
        0.0
    );
}

#[test]
fn updates_stand_on_the_page_by_path_outcome_and_rule() {
    let counters = Counters::default();
    counters.update("update", Fate::Committed);
    counters.update("update", Fate::Refused);
    counters.refusal("min-members");
    counters.update("edit by hand", Fate::Refused);
    counters.refusal("min-members");
    counters.tsig_failure();
    counters.unsigned_update();
    let page = page(&counters);
    let of = |path, outcome| {
        let labels = format!("path=\"{path}\",outcome=\"{outcome}\"");
        value(&page, &format!("lastgood_updates_total{{{labels}}}"))
    };
    assert_eq!(of("update", "committed"), 1.0);
    assert_eq!(of("update", "refused"), 1.0);
    assert_eq!(of("update", "unavailable"), 0.0);
    assert_eq!(of("edit by hand", "refused"), 1.0);
    let by_rule = "lastgood_refusals_total{rule=\"min-members\"}";
    assert_eq!(value(&page, by_rule), 2.0);
    assert_eq!(value(&page, "lastgood_tsig_failures_total"), 1.0);
    assert_eq!(value(&page, "lastgood_unsigned_updates_total"), 1.0);
    let totals = counters.totals();
    assert_eq!(totals.updates["refused"], 1);
    assert_eq!(totals.refusals["min-members"], 2);
}

#[test]
fn the_stages_of_a_group_are_measured_apart() {
    const JUDGED: Duration = Duration::from_millis(5);
    let counters = Counters::default();
    let begun = Instant::now();
    let mut clock = counters.clock();
    for _ in 0..3 {
        clock.judge(|| {
            let since = Instant::now();
            while since.elapsed() < JUDGED {}
        });
    }
    clock.committed();
    clock.published();
    let whole = begun.elapsed().as_secs_f64();
    let page = page(&counters);
    let of = |part, stage| {
        let sample = format!("lastgood_update_stage_duration_seconds_{part}{{stage=\"{stage}\"}}");
        value(&page, &sample)
    };
    assert_eq!(of("count", "judge"), 3.0);
    assert_eq!(of("count", "commit"), 1.0);
    assert_eq!(of("count", "publish"), 1.0);
    assert!(of("sum", "judge") >= 0.0149);
    let stages = ["judge", "commit", "publish"].map(|stage| of("sum", stage));
    let sum: f64 = stages.iter().sum();
    assert!(
        sum <= whole,
        "no moment is of two stages: {stages:?}, {whole}"
    );
}

#[test]
fn a_zone_that_holds_says_so_and_ages() {
    let counters = Counters::default();
    counters.store_seen();
    let since = Instant::now() - Duration::from_secs(90);
    let unavailable = Zone {
        serial: None,
        revision: None,
        records: None,
        ..zone("gone.", State::Unavailable)
    };
    let page = counters.page(Scrape {
        zones: vec![
            zone("live.", State::Live),
            zone("held.", State::Holding { since }),
            unavailable,
        ],
        snapshot: None,
    });
    let of = |family: &str, zone: &str| {
        value(&page, &format!("lastgood_zone_{family}{{zone=\"{zone}\"}}"))
    };
    assert!(page.contains("lastgood_zone_serial{zone=\"live.\"} 4294967295\n"));
    assert_eq!(of("revision", "held."), 7.0);
    assert_eq!(of("records", "held."), 43.0);
    let states = ["live.", "held.", "gone."].map(|zone| (of("hold", zone), of("available", zone)));
    assert_eq!(states, [(0.0, 1.0), (1.0, 1.0), (0.0, 0.0)]);
    assert!(of("age_seconds", "live.") < 60.0);
    assert!(of("age_seconds", "held.") >= 90.0);
    assert!(!page.contains("serial{zone=\"gone.\"}"));
    assert!(!page.contains("age_seconds{zone=\"gone.\"}"));
}

#[test]
fn a_live_zone_ages_while_nobody_looks_at_its_data() {
    let counters = Counters::default();
    assert_eq!(counters.store_unseen(), None);
    counters.store_seen();
    let first = counters.store_unseen().unwrap();
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(5) {}
    let later = counters.store_unseen().unwrap();
    assert!(
        later >= first + Duration::from_millis(4),
        "{first:?} {later:?}"
    );
    counters.store_seen();
    assert!(counters.store_unseen().unwrap() < later);
}

#[test]
fn the_snapshot_has_a_lag_and_revisions() {
    let page = Counters::default().page(Scrape {
        zones: Vec::new(),
        snapshot: Some(Snapshot {
            lag: Duration::from_millis(1500),
            is_failing: true,
            revisions: vec![("example.com.".to_owned(), 41)],
        }),
    });
    assert_eq!(value(&page, "lastgood_snapshot_lag_seconds"), 1.5);
    assert_eq!(value(&page, "lastgood_snapshot_failing"), 1.0);
    let revision = "lastgood_zone_snapshot_revision{zone=\"example.com.\"}";
    assert_eq!(value(&page, revision), 41.0);
}

#[test]
fn a_name_with_quotes_and_backslashes_stays_one_label() {
    let page = Counters::default().page(Scrape {
        zones: vec![zone("a\\\"b\\092.example.", State::Live)],
        snapshot: None,
    });
    let label = r#"lastgood_zone_revision{zone="a\\\"b\\092.example."}"#;
    assert_eq!(value(&page, label), 7.0);
}

#[test]
fn ten_thousand_zones_are_a_page() {
    let counters = Counters::default();
    counters.store_seen();
    let zones = (0..10_000).map(|number| zone(&format!("zone-{number}.example."), State::Live));
    let scrape = Scrape {
        zones: zones.collect(),
        snapshot: None,
    };
    let since = Instant::now();
    let page = classic(&counters.page(scrape));
    let took = since.elapsed();
    for family in [
        "serial",
        "revision",
        "records",
        "hold",
        "available",
        "age_seconds",
    ] {
        let start = format!("lastgood_zone_{family}{{");
        let rows = page.lines().filter(|line| line.starts_with(&start));
        assert_eq!(rows.count(), 10_000, "{family}");
    }
    // Prometheus waits ten seconds unless told otherwise.
    assert!(took < Duration::from_secs(5), "{took:?}");
}
