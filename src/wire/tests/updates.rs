//! The slow path: signatures, updates, and what a key is told of its refusals.

use super::client::{
    FORMERR, NOERROR, NOTAUTH, REFUSED, Response, Tcp, Udp, add_a, delete_rrset, query, question,
    signed, signed_with, update, with_edns,
};
use super::{House, LOOPBACK, Settings, settings};

const A: u16 = 1;
const TXT: u16 = 16;
const CH: u16 = 3;
const PROHIBITED: u16 = 18;

fn ede(response: &Response) -> (u16, &str) {
    let (code, text) = response.ede.as_ref().expect("an extended error");
    (*code, text)
}

#[test]
fn an_update_is_served_as_soon_as_it_is_acknowledged() {
    let house = House::open();
    let udp = Udp::to(house.address());
    let mut tcp = Tcp::to(house.address());
    for id in 0..20 {
        let owner = format!("host-{id}.example.com.");
        let request = signed(add_a(id, &owner, 7), "writer.");
        let response = match id % 2 {
            0 => udp.ask(&request),
            _ => tcp.ask(request),
        };
        assert_eq!((response.id, response.rcode), (id, NOERROR));
        assert!(response.signed);
        assert_eq!(udp.ask(&query(id, &owner, A)).answers, 1);
        assert_eq!(tcp.ask(query(id, &owner, A)).answers, 1);
    }
}

#[test]
fn a_refusal_tells_rule_and_reference_and_the_key_can_ask_why() {
    let house = House::open();
    let udp = Udp::to(house.address());
    let why = || question(9, "last-refusal.writer.lastgood.", TXT, CH);
    let before = udp.ask(&signed(why(), "writer."));
    assert_eq!((before.rcode, before.answers), (NOERROR, 1));

    let empty = with_edns(delete_rrset(3, "api.example.com."));
    let refused = udp.ask(&signed(empty, "writer."));
    assert_eq!(
        (refused.id, refused.rcode, refused.signed),
        (3, REFUSED, true)
    );
    let (code, text) = ede(&refused);
    let reference = text.strip_prefix("guard=min-members ref=").expect(text);
    assert_eq!(code, 0);
    assert_eq!(udp.ask(&query(4, "api.example.com.", A)).answers, 1);

    let told = udp.ask(&signed(why(), "writer."));
    assert_eq!((told.rcode, told.signed), (NOERROR, true));
    assert!(told.says(reference) && told.says("min-members"), "{told:?}");

    let other = udp.ask(&signed(with_edns(why()), "idle."));
    assert_eq!((other.rcode, ede(&other).0), (REFUSED, PROHIBITED));
    let nobody = udp.ask(&with_edns(why()));
    assert_eq!((nobody.rcode, ede(&nobody).0), (REFUSED, PROHIBITED));
}

#[test]
fn from_an_address_that_may_ask_the_refusal_is_told_without_the_key() {
    for (range, may) in [("127.0.0.0/8", true), ("192.0.2.0/24", false)] {
        let house = House::with(&Settings {
            ask_from: vec![range.parse().unwrap()],
            ..settings(&[LOOPBACK])
        });
        let (udp, mut tcp) = (Udp::to(house.address()), Tcp::to(house.address()));
        let refused = udp.ask(&signed(delete_rrset(3, "api.example.com."), "writer."));
        assert_eq!(refused.rcode, REFUSED);
        let why = || question(9, "last-refusal.writer.lastgood.", TXT, CH);
        let expected = if may { (NOERROR, 1) } else { (REFUSED, 0) };
        for told in [udp.ask(&why()), tcp.ask(why())] {
            assert_eq!((told.rcode, told.answers), expected, "{range}");
            assert_eq!(told.says("min-members"), may, "{range}");
        }
        // Nothing else is let in without a signature.
        assert_eq!(udp.ask(&add_a(4, "x.example.com.", 1)).rcode, REFUSED);
        let other = question(5, "last-refusal.writer.elsewhere.", TXT, CH);
        assert_eq!(udp.ask(&other).rcode, REFUSED);
    }
}

#[test]
fn a_key_without_rights_is_prohibited() {
    let house = House::open();
    let request = with_edns(add_a(1, "x.example.com.", 1));
    let response = Udp::to(house.address()).ask(&signed(request, "idle."));
    assert_eq!((response.rcode, ede(&response).0), (REFUSED, PROHIBITED));
    assert!(response.signed);
}

#[test]
fn an_update_without_a_signature_is_refused_after_what_the_rfc_asks_first() {
    let house = House::open();
    let mut tcp = Tcp::to(house.address());
    let refused = tcp.ask(with_edns(add_a(1, "x.example.com.", 1)));
    assert_eq!((refused.rcode, ede(&refused).0), (REFUSED, PROHIBITED));
    assert_eq!(tcp.ask(update(2, "example.net.", &[])).rcode, NOTAUTH);
    // Below our zone, but no zone.
    assert_eq!(tcp.ask(update(3, "x.example.com.", &[])).rcode, NOTAUTH);
    let mut cut = add_a(4, "x.example.com.", 1);
    cut.pop();
    let response = tcp.ask(cut);
    assert_eq!((response.id, response.rcode), (4, FORMERR));
    let query_after = tcp.ask(query(5, "x.example.com.", A));
    assert_eq!(query_after.answers, 0);
}

#[test]
fn a_signed_update_of_a_zone_that_is_not_ours_is_notauth_and_signed() {
    let house = House::open();
    let request = signed(update(2, "example.net.", &[]), "writer.");
    let response = Udp::to(house.address()).ask(&request);
    assert_eq!((response.rcode, response.signed), (NOTAUTH, true));
}

#[test]
fn a_wrong_secret_is_notauth_and_changes_nothing() {
    let house = House::open();
    let udp = Udp::to(house.address());
    let request = add_a(1, "x.example.com.", 1);
    let forged = udp.ask(&signed_with(request.clone(), "writer.", b"guessed"));
    assert_eq!(forged.rcode, NOTAUTH);
    assert_eq!(udp.ask(&signed(request, "nobody.")).rcode, NOTAUTH);
    assert_eq!(udp.ask(&query(2, "x.example.com.", A)).answers, 0);
}

#[test]
fn a_signed_query_gets_a_signed_answer_that_fits() {
    let house = House::open();
    let udp = Udp::to(house.address());
    let response = udp.ask(&signed(query(1, "api.example.com.", A), "idle."));
    assert_eq!((response.answers, response.signed), (1, true));
    let cut = udp.ask(&signed(query(2, "big.example.com.", TXT), "idle."));
    assert!(cut.truncated && cut.signed && cut.octets.len() <= 512);
    let whole = Tcp::to(house.address()).ask(signed(query(3, "big.example.com.", TXT), "idle."));
    assert_eq!((whole.answers, whole.signed), (200, true));
}

#[test]
fn a_record_behind_the_signature_is_formerr() {
    let house = House::open();
    let request = with_edns(signed(add_a(1, "x.example.com.", 1), "writer."));
    assert_eq!(Udp::to(house.address()).ask(&request).rcode, FORMERR);
}

#[test]
fn updates_that_have_come_when_the_doors_stop_are_answered() {
    let mut house = House::open();
    let mut tcp = Tcp::to(house.address());
    let updates = |id| signed(add_a(id, &format!("h{id}.example.com."), 1), "writer.");
    tcp.send(&(0..12).map(updates).collect::<Vec<_>>());
    let first = tcp.receive().expect("the first outcome");
    house.stop_doors();
    let mut ids = vec![first.id];
    while let Some(response) = tcp.receive() {
        assert_eq!(response.rcode, NOERROR);
        ids.push(response.id);
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..12).collect::<Vec<_>>());
}
