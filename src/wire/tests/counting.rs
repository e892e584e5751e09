//! What is counted of what comes in at the doors.

use super::client::{
    NOERROR, NOTAUTH, REFUSED, Tcp, Udp, add_a, delete_rrset, query, signed, signed_with, with_edns,
};
use super::{House, LOOPBACK, settings};
use crate::metrics::Scrape;
use crate::rr::message::Rcode;
use crate::wire::TcpLimits;

const A: u16 = 1;

impl House {
    fn page(&self) -> String {
        self.counters.page(Scrape::default())
    }

    #[track_caller]
    fn counted(&self, sample: &str) -> u64 {
        let page = self.page();
        let count = page
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        match count {
            Some(count) => count.parse().unwrap(),
            None => panic!("{sample} is on the page:\n{page}"),
        }
    }

    #[track_caller]
    fn answered(&self, transport: &str, rcode: Rcode) -> u64 {
        self.counted(&format!(
            "lastgood_queries_total{{transport=\"{transport}\",rcode=\"{rcode}\"}}"
        ))
    }

    #[track_caller]
    fn updates(&self, outcome: &str) -> u64 {
        self.counted(&format!(
            "lastgood_updates_total{{path=\"update\",outcome=\"{outcome}\"}}"
        ))
    }
}

#[test]
fn every_answer_to_a_query_is_counted_by_transport_and_rcode() {
    let house = House::open();
    let udp = Udp::to(house.address());
    let mut tcp = Tcp::to(house.address());
    for id in 0..30 {
        udp.ask(&query(id, "api.example.com.", A));
    }
    udp.ask(&query(1, "missing.example.com.", A));
    udp.ask(&query(2, "example.net.", A));
    tcp.ask(query(3, "api.example.com.", A));
    tcp.ask(query(4, "missing.example.com.", A));
    // The version of EDNS is the second octet of the TTL.
    let mut later = with_edns(query(5, "api.example.com.", A));
    let version = later.len() - 5;
    later[version] = 1;
    udp.ask(&later);
    // The slow path answers signed queries.
    let query = |id| signed(query(id, "api.example.com.", A), "writer.");
    assert_eq!(udp.ask(&query(6)).rcode, NOERROR);
    assert_eq!(tcp.ask(query(7)).rcode, NOERROR);

    // A UDP thread counts before it sends, so whoever has the answer finds it counted.
    assert_eq!(house.answered("udp", Rcode::NoError), 31);
    assert_eq!(house.answered("udp", Rcode::NxDomain), 1);
    assert_eq!(house.answered("udp", Rcode::Refused), 1);
    assert_eq!(house.answered("udp", Rcode::BadVers), 1);
    assert_eq!(house.answered("tcp", Rcode::NoError), 2);
    assert_eq!(house.answered("tcp", Rcode::NxDomain), 1);
    assert_eq!(house.counters.totals().queries, 37);
}

#[test]
fn every_rcode_that_we_give_has_its_name_on_the_page() {
    let house = House::open();
    for rcode in [
        Rcode::NoError,
        Rcode::FormErr,
        Rcode::ServFail,
        Rcode::NxDomain,
        Rcode::NotImp,
        Rcode::Refused,
        Rcode::YxDomain,
        Rcode::YxRrset,
        Rcode::NxRrset,
        Rcode::NotAuth,
        Rcode::NotZone,
        Rcode::BadVers,
    ] {
        let before = house.answered("tcp", rcode);
        house
            .counters
            .query(crate::metrics::Transport::Tcp, rcode.code());
        assert_eq!(house.answered("tcp", rcode), before + 1, "{rcode}");
    }
}

#[test]
fn updates_are_counted_by_outcome_and_refusals_by_rule() {
    let house = House::open();
    let udp = Udp::to(house.address());
    let send = |message| udp.ask(&signed(message, "writer.")).rcode;
    assert_eq!(send(add_a(1, "new.example.com.", 7)), NOERROR);
    assert_eq!(send(delete_rrset(2, "missing.example.com.")), NOERROR);
    assert_eq!(send(delete_rrset(3, "api.example.com.")), REFUSED);
    assert_eq!(house.updates("committed"), 1);
    assert_eq!(house.updates("unchanged"), 1, "there was nothing");
    assert_eq!(house.updates("refused"), 1);
    let by_rule = "lastgood_refusals_total{rule=\"min-members\"}";
    assert_eq!(house.counted(by_rule), 1);
    // The import at the start is judged as well; an update alone is one more of each stage, and
    // so is what follows the scrub after a start, should it come meanwhile.
    let import = "lastgood_updates_total{path=\"import\",outcome=\"committed\"}";
    assert_eq!(house.counted(import), 1);
    for stage in ["judge", "commit", "publish"] {
        let count = format!("lastgood_update_stage_duration_seconds_count{{stage=\"{stage}\"}}");
        assert!((4..=5).contains(&house.counted(&count)), "{stage}");
    }
    assert_eq!(house.counters.totals().queries, 0, "an update is no query");
}

#[test]
fn strangers_are_counted_and_nothing_else() {
    let house = House::open();
    let udp = Udp::to(house.address());
    assert_eq!(udp.ask(&add_a(1, "new.example.com.", 7)).rcode, REFUSED);
    let forged = signed_with(add_a(2, "new.example.com.", 7), "writer.", b"guessed");
    assert_eq!(udp.ask(&forged).rcode, NOTAUTH);
    let curious = signed_with(query(3, "api.example.com.", A), "writer.", b"guessed");
    assert_eq!(udp.ask(&curious).rcode, NOTAUTH);
    assert_eq!(house.counted("lastgood_unsigned_updates_total"), 1);
    assert_eq!(house.counted("lastgood_tsig_failures_total"), 2);
    assert_eq!(house.answered("udp", Rcode::NotAuth), 1, "the query");
    for outcome in ["committed", "unchanged", "refused", "failed", "unavailable"] {
        assert_eq!(house.updates(outcome), 0, "{outcome}");
    }
}

#[test]
fn connections_are_counted_while_open_and_when_they_make_room() {
    let mut settings = settings(&[LOOPBACK]);
    settings.tcp = TcpLimits {
        connections_per_address_max: 1,
        ..TcpLimits::default()
    };
    let house = House::with(&settings);
    let mut first = Tcp::to(house.address());
    first.ask(query(1, "api.example.com.", A));
    assert_eq!(house.counted("lastgood_tcp_connections_open"), 1);
    assert_eq!(house.counted("lastgood_tcp_connections_evicted_total"), 0);
    let mut second = Tcp::to(house.address());
    assert!(first.receive().is_none(), "closed");
    second.ask(query(2, "api.example.com.", A));
    assert_eq!(house.counted("lastgood_tcp_connections_accepted_total"), 2);
    assert_eq!(house.counted("lastgood_tcp_connections_evicted_total"), 1);
}
