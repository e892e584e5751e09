//! Records of every type, through the store and back.

use proptest::prelude::*;

use super::*;
use crate::rr::rdata::testing::{any_rdata, of_type, own_forms};
use crate::zonefile;

fn any_owner() -> impl Strategy<Value = Name> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..9), 0..3).prop_map(
        |labels| {
            let origin = name(ZONE);
            labels
                .iter()
                .fold(origin, |above, label| above.child(label).unwrap())
        },
    )
}

fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let record = (any_owner(), any_rdata(), 0..=i32::MAX as u32);
    let record = record.prop_map(|(owner, (rtype, data), ttl)| Record {
        owner,
        rtype,
        ttl,
        rdata: data.into(),
    });
    proptest::collection::vec(record, 1..25)
}

/// A zone file in the form that knows no types.
fn generic(records: &[Record]) -> String {
    let line = |record: &Record| {
        let data = rdata::generic_text(&record.rdata);
        format!(
            "{} {} CLASS1 TYPE{} {data}\n",
            record.owner, record.ttl, record.rtype.0
        )
    };
    records.iter().map(line).collect()
}

fn imported(text: &str) -> ZoneImage {
    let nothing = |_: &std::path::Path, _: &str| Err(std::io::ErrorKind::NotFound.into());
    let parsed = zonefile::parse(text.as_bytes(), &name(ZONE), &nothing);
    assert_eq!(parsed.problems, []);
    ZoneImage::from_records(name(ZONE), parsed.records).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the types, the octets of their data and the case of their owners.
    #[test]
    fn import_store_export_and_import_again_is_the_identity(records in any_records()) {
        let given = ZoneImage::from_records(name(ZONE), records.clone()).unwrap();
        let first = imported(&generic(&records));
        prop_assert_eq!(zonefile::print(&first), zonefile::print(&given));
        let mut s = scratch();
        let stands = image(&company());
        let tx = s.store.begin().unwrap();
        tx.rewrite_zone(&name(ZONE), &first).unwrap();
        tx.add_revision(revision(&name(ZONE), &first, &Diff::between(&stands, &first), 2)).unwrap();
        tx.commit().unwrap();
        let loaded = s.load();
        prop_assert_eq!(&loaded.bad, &vec![]);
        let stored = ZoneImage::from_records(name(ZONE), loaded.records).unwrap();
        prop_assert_eq!(stored.digest(), given.digest());
        let exported = zonefile::print(&stored);
        // Owners with their case, which the digest does not see.
        prop_assert_eq!(&exported, &zonefile::print(&given));
        let again = imported(&exported);
        prop_assert_eq!(again.digest(), given.digest());
        prop_assert_eq!(zonefile::print(&again), exported);
    }
}

/// What a store has from before we knew the form of a type, and what a person may write.
#[test]
fn rows_in_the_generic_form_are_the_same_records() {
    let octets: Vec<u8> = (0..120u8).map(|n| n.wrapping_mul(7) | 1).collect();
    let mut records = company();
    for rtype in own_forms().into_iter().filter(|rtype| rtype.0 != 6) {
        let owner = format!("type{}.example.com.", rtype.0);
        records.push(Record {
            owner: name(&owner),
            rtype,
            ttl: 60,
            rdata: of_type(rtype, &octets).into(),
        });
    }
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&settings(&dir)).unwrap();
    let full = image(&records);
    commit(&mut store, &ZoneImage::empty(name(ZONE)), &full, 1);
    let mut s = Scratch { dir, store };
    let mut statements = String::new();
    for record in &records[company().len()..] {
        statements += &format!(
            "UPDATE record SET type = 'type{}', rdata = '{}' WHERE owner = '{}';",
            record.rtype.0,
            rdata::generic_text(&record.rdata),
            record.owner
        );
    }
    s.by_hand(&statements);
    let loaded = s.load();
    assert_eq!(loaded.bad, []);
    assert!(loaded.touched.len() > 50, "{:?}", loaded.touched);
    let read = ZoneImage::from_records(name(ZONE), loaded.records).unwrap();
    assert_eq!(read.digest(), full.digest());
    // And a change finds its row, in whatever form it stands.
    let without = image(&company());
    commit(&mut s.store, &full, &without, 2);
    assert_eq!(s.load().records.len(), company().len());
}
