//! Well-known services: adding one takes the place of that of the same address and protocol, which
//! is a right of its own.

use super::*;

const WWW: &str = "www.example.com.";

/// The ports of an address and protocol, in the form of RFC 3597: TCP is 6.
fn wks(address: u8, protocol: u8, ports: u8) -> Record {
    let data = format!("\\# 6 C00002{address:02X} {protocol:02X}{ports:02X}");
    record(WWW, Rtype::WKS, &data)
}

fn is_let_in(rights: &[Right], new: Record) -> Result<(), String> {
    let mut records = vec![
        record("example.com.", Rtype::SOA, "ns1. h. 1 3600 600 864000 300"),
        record("example.com.", Rtype::NS, "ns1.example.net."),
    ];
    records.extend([wks(1, 6, 0x40), wks(1, 17, 0x40), wks(2, 6, 0x40)]);
    let before = ZoneImage::from_records(name("example.com."), records).unwrap();
    let permits = [Permit {
        operations: rights.to_vec(),
        ..permit(&["**"], &[], &[])
    }];
    let case = Case::default();
    let facts = Facts {
        path: Path::Update,
        actor: &actor(),
        permits: &permits,
        source: case.source,
        scope: case.scope,
        freezes: &[],
        counted: &[],
        findings: &[],
        validate: case.validate,
        ttl: Ttls::default(),
        override_: None,
    };
    let change = Change {
        operations: &[Operation::Add(new)],
        diff: &Diff::default(),
    };
    match evaluate(&before, &change, &before, &facts).refusal {
        None => Ok(()),
        Some(refusal) => Err(refusal.reason),
    }
}

#[test]
fn adding_a_service_that_replaces_another_wants_the_right_to_delete_it() {
    let may_add = [Right::Add];
    let refused = is_let_in(&may_add, wks(1, 6, 0x80)).unwrap_err();
    assert!(
        refused.contains("which would replace its TYPE11"),
        "{refused}"
    );
    assert_eq!(
        is_let_in(&[Right::Add, Right::Delete], wks(1, 6, 0x80)),
        Ok(())
    );
    // The same once more, and what replaces nothing.
    for harmless in [wks(1, 6, 0x40), wks(2, 17, 0x80), wks(3, 6, 0x80)] {
        assert_eq!(is_let_in(&may_add, harmless), Ok(()));
    }
    let other_ttl = Record {
        ttl: 5,
        ..wks(3, 6, 0x80)
    };
    let refused = is_let_in(&may_add, other_ttl).unwrap_err();
    assert!(
        refused.contains("change the TTL of other TYPE11"),
        "{refused}"
    );
}
