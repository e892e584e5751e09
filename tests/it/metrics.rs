//! What Prometheus reads: at the control socket, and at an address of its own where one is given.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::harness::eventually;
use crate::harness::exposition::{Http, Page, request};
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};

const PATIENCE: Duration = Duration::from_secs(20);
const OPENMETRICS: &str = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1\r\n";

/// The demo with metrics over TCP.
fn demo() -> Lab {
    let mut lab = Lab::prepared_demo();
    let config = lab.read("lastgood.toml");
    lab.write(
        "lastgood.toml",
        &format!("{config}\n[metrics]\nlisten = \"127.0.0.1:0\"\n"),
    );
    lab.start();
    lab
}

fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&at, PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

fn over_tcp(lab: &Lab, line: &str, headers: &str) -> Http {
    let at = lab.metrics().expect("an address for metrics");
    request(connect(at), line, headers)
}

fn over_control(lab: &Lab, line: &str, headers: &str) -> Http {
    let stream = UnixStream::connect(lab.path("data/demo.sock")).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    request(stream, line, headers)
}

#[track_caller]
fn page(lab: &Lab) -> Page {
    let http = over_control(lab, "GET /metrics", OPENMETRICS);
    assert_eq!(http.status, 200, "{http:?}");
    Page::modern(&http.body)
}

fn queries(transport: &str, rcode: &str) -> String {
    format!("lastgood_queries_total{{transport=\"{transport}\",rcode=\"{rcode}\"}}")
}

fn updates(path: &str, outcome: &str) -> String {
    format!("lastgood_updates_total{{path=\"{path}\",outcome=\"{outcome}\"}}")
}

fn of_zone(family: &str) -> String {
    format!("lastgood_zone_{family}{{zone=\"example.com.\"}}")
}

#[test]
fn queries_and_updates_of_real_clients_are_counted() {
    let lab = demo();
    let before = page(&lab);
    for _ in 0..5 {
        lab.dig("api.example.com A");
    }
    lab.dig("missing.example.com A");
    lab.dig("api.example.com A +tcp");
    lab.dig("example.net A");
    let script = "zone example.com\nupdate add new.example.com. 60 A 192.0.2.99";
    assert_eq!(lab.update(script), "NOERROR");
    let script = "zone example.com\nupdate delete api.example.com. A";
    assert_eq!(lab.update(script), "REFUSED");
    let other = PUBLIC_SECRET.replace('W', "X");
    let script = "zone example.com\nupdate add other.example.com. 60 A 192.0.2.99";
    let status = lab.update_as(&format!("hmac-sha256:demo:{other}"), script);
    assert_ne!(status, "NOERROR");
    assert_eq!(lab.nsupdate(&[], script), "REFUSED");

    let after = page(&lab);
    let more = |sample: &str| after.value(sample) - before.value(sample);
    assert_eq!(more(&queries("udp", "NXDOMAIN")), 1.0);
    assert_eq!(more(&queries("udp", "REFUSED")), 1.0);
    // nsupdate asks for the SOA before it sends.
    assert!(more(&queries("udp", "NOERROR")) >= 5.0);
    assert!(more(&queries("tcp", "NOERROR")) >= 1.0);
    assert_eq!(more(&updates("update", "committed")), 1.0);
    assert_eq!(more(&updates("update", "refused")), 1.0);
    assert_eq!(
        after.value("lastgood_refusals_total{rule=\"min-members\"}"),
        1.0
    );
    assert!(more("lastgood_tsig_failures_total") >= 1.0);
    assert!(more("lastgood_unsigned_updates_total") >= 1.0);
    assert_eq!(
        more("lastgood_update_stage_duration_seconds_count{stage=\"judge\"}"),
        2.0
    );
    for stage in ["judge", "commit", "publish"] {
        let labels = format!("stage=\"{stage}\"");
        after.check_histogram("lastgood_update_stage_duration_seconds", &labels);
    }
    assert!(more("process_cpu_seconds_total") >= 0.0);
    assert!(after.value("lastgood_uptime_seconds") > 0.0);
    assert!(after.value("process_resident_memory_bytes") > 1e6);
    assert!(after.value("process_open_fds") > 5.0);

    // The same, for people.
    let status = lab.cli(&["status"]).expect_ok();
    assert!(
        status.contains("2 updates (1 committed, 1 refused)"),
        "{status}"
    );
    assert!(
        status.contains("refused by rule: 1 min-members"),
        "{status}"
    );
    assert!(status.contains("updates without a signature: "), "{status}");
    let value = lab.cli(&["--json", "status"]).json();
    let server = &value["server"];
    assert!(server["queries"].as_u64() >= Some(8), "{server}");
    assert_eq!(server["updates"]["committed"], 1, "{server}");
    assert_eq!(server["refusals"]["min-members"], 1, "{server}");
}

#[test]
fn every_zone_shows_serial_revision_records_and_hold() {
    let lab = demo();
    let first = page(&lab);
    assert_eq!(
        first.value(&of_zone("serial")),
        f64::from(lab.serial("example.com"))
    );
    assert_eq!(first.value(&of_zone("revision")), 1.0);
    let status = lab.status("example.com.");
    assert_eq!(
        status["records"].as_f64(),
        Some(first.value(&of_zone("records")))
    );
    assert_eq!(first.value(&of_zone("hold")), 0.0);
    assert_eq!(first.value(&of_zone("available")), 1.0);
    assert!(first.value(&of_zone("age_seconds")) < 20.0);
    assert!(first.has("lastgood_zone_serial{zone=\"2.0.192.in-addr.arpa.\"}"));

    lab.sql("DELETE FROM record WHERE owner = 'api.example.com.' AND type IN ('A', 'AAAA')");
    lab.until("example.com.", "holding");
    let held = eventually("the age of a zone that holds grows", || {
        let page = page(&lab);
        match page.value(&of_zone("age_seconds")) > 0.5 {
            true => Ok(page),
            false => Err("it is young".to_owned()),
        }
    });
    assert_eq!(held.value(&of_zone("hold")), 1.0);
    assert_eq!(held.value(&of_zone("available")), 1.0);
    assert_eq!(
        held.value(&of_zone("serial")),
        first.value(&of_zone("serial"))
    );
    assert_eq!(
        held.value("lastgood_zone_hold{zone=\"2.0.192.in-addr.arpa.\"}"),
        0.0
    );
    assert_eq!(held.value(&updates("edit by hand", "refused")), 1.0);
}

#[test]
fn both_doors_give_the_same_page_in_either_format() {
    let lab = demo();
    let control = over_control(&lab, "GET /metrics", OPENMETRICS);
    let tcp = over_tcp(&lab, "GET /metrics", OPENMETRICS);
    let plain = over_tcp(&lab, "GET /metrics", "");
    for modern in [&control, &tcp] {
        assert!(
            modern
                .head
                .contains("application/openmetrics-text; version=1.0.0")
        );
    }
    assert!(
        plain.head.contains("text/plain; version=0.0.4"),
        "{}",
        plain.head
    );
    let [control, tcp] = [control, tcp].map(|http| Page::modern(&http.body));
    let plain = Page::classic(&plain.body);
    assert_eq!(control.families, tcp.families);
    assert_eq!(plain.families["lastgood_queries_total"], "counter");
    assert_eq!(plain.families.len(), tcp.families.len());
    for sample in [queries("udp", "NOERROR"), of_zone("serial")] {
        assert_eq!(plain.value(&sample), tcp.value(&sample));
    }
}

#[test]
fn the_address_for_metrics_gives_metrics_and_nothing_else() {
    let lab = demo();
    for (line, status) in [
        ("GET /v1/status", 404),
        ("GET /", 404),
        ("GET /metrics/", 404),
        ("POST /v1/freeze", 404),
        ("POST /metrics", 405),
        ("DELETE /metrics", 405),
    ] {
        assert_eq!(over_tcp(&lab, line, "").status, status, "{line}");
    }
    assert_eq!(over_control(&lab, "GET /v1/status", "").status, 200);
    // No more of a request is taken in than one for metrics can need.
    let long = format!("X: {}\r\n", "x".repeat(100_000));
    let mut stream = connect(lab.metrics().expect("an address"));
    // It may be closed before all of it is sent.
    let _ = stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{long}\r\n").as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn connections_that_ask_nothing_do_not_keep_others_out_for_good() {
    let lab = demo();
    let at = lab.metrics().expect("an address");
    let mut idle: Vec<TcpStream> = (0..7).map(|_| connect(at)).collect();
    idle[0].write_all(b"GET /met").expect("sent");
    assert_eq!(over_tcp(&lab, "GET /metrics", "").status, 200);
    // One that was answered is closed, so that its place is free again.
    for _ in 0..10 {
        assert_eq!(over_tcp(&lab, "GET /metrics", "").status, 200);
    }
}

#[test]
fn without_an_address_metrics_are_at_the_control_socket_alone() {
    let lab = Lab::demo();
    assert_eq!(lab.metrics(), None);
    let page = over_control(&lab, "GET /metrics", "");
    assert!(Page::classic(&page.body).has(&of_zone("serial")));
    assert_eq!(
        lab.cli(&["--json", "status"]).json()["server"]["metrics"],
        serde_json::Value::Null
    );
}

#[test]
fn an_address_in_use_is_named_and_nothing_is_started() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("an address");
    let at = taken.local_addr().expect("an address");
    let config = format!("{}[metrics]\nlisten = \"{at}\"\n", lab::head());
    let mut lab = Lab::prepared(&config, &[]);
    let error = lab.try_start().expect_err("the address is taken");
    assert!(error.contains(&format!("metrics, {at}")), "{error}");
    assert!(!lab.database().exists());
}

#[test]
fn the_snapshot_catches_up_with_what_is_served() {
    let lab = Lab::demo();
    let script = "zone example.com\nupdate add new.example.com. 60 A 192.0.2.99";
    assert_eq!(lab.update(script), "NOERROR");
    assert_eq!(page(&lab).value(&of_zone("revision")), 2.0);
    eventually("the snapshot has the revision", || {
        let page = page(&lab);
        let kept = of_zone("snapshot_revision");
        match page.has(&kept) && page.value(&kept) == 2.0 {
            true => Ok(()),
            false => Err(format!("{page:?}")),
        }
    });
    eventually("the lag is over", || {
        let lag = page(&lab).value("lastgood_snapshot_lag_seconds");
        (lag == 0.0).then_some(()).ok_or(lag.to_string())
    });
    assert_eq!(page(&lab).value("lastgood_snapshot_failing"), 0.0);
}
