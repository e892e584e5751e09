//! Rows that anybody may have written, in tables that anybody may have made, to an image; and back
//! to rows that read as the same image.

use std::cell::RefCell;

use lastgood::check::{self, Limits};
use lastgood::store::{Retention, Settings, Store};
use lastgood::zone::ZoneImage;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::world;

const ZONE: &str = "example.com.";

/// A store, and another connection to the same file.
struct Tables {
    store: Store,
    other: Connection,
    _folder: tempfile::TempDir,
}

thread_local! {
    static TABLES: RefCell<Option<Tables>> = const { RefCell::new(None) };
}

pub fn run(data: &[u8]) {
    TABLES.with_borrow_mut(|tables| {
        tables.get_or_insert_with(Tables::new).judge(data);
    });
}

impl Tables {
    fn new() -> Tables {
        let folder = tempfile::TempDir::new().expect("a scratch folder");
        let settings = Settings {
            path: folder.path().join("rows.db"),
            snapshot: folder.path().join("rows.snapshot.db"),
            busy_timeout_ms: 1000,
            retention: Retention::default(),
        };
        let store = Store::open(&settings).expect("a new store");
        let other = Connection::open(&settings.path).expect("a second connection");
        // The columns take anything, as those of a table that somebody made over may.
        other
            .execute_batch(
                "PRAGMA synchronous = OFF;
                 DROP TABLE record;
                 CREATE TABLE record (id INTEGER PRIMARY KEY, zone, owner, ttl, type, rdata);
                 CREATE INDEX record_by_rrset ON record (zone, owner, type);",
            )
            .expect("a table of ours");
        Tables {
            store,
            other,
            _folder: folder,
        }
    }

    fn judge(&mut self, data: &[u8]) {
        self.write(data).expect("rows can be written");
        let zone = world::name(ZONE);
        let loaded = self.store.load(&zone).expect("rows can be read");
        for bad in &loaded.bad {
            assert!(!bad.reason.is_empty() && bad.to_string().len() < 10_000);
        }
        let image = ZoneImage::from_records(zone.clone(), loaded.records);
        let image = image.expect("what was read is in the zone");
        check::full(&image, &Limits::default());
        let tx = self.store.begin().expect("nobody else writes");
        tx.rewrite_zone(&zone, &image)
            .expect("what was read can be written");
        let again = tx.load(&zone).expect("rows can be read");
        assert!(again.bad.is_empty(), "{:?}", again.bad);
        let again = ZoneImage::from_records(zone, again.records).expect("in the zone");
        assert!(
            again.digest() == image.digest(),
            "written and read, this is another zone"
        );
    }

    /// Each row: four octets say what the columns are, and how long; then come those that have
    /// content.
    fn write(&mut self, mut data: &[u8]) -> rusqlite::Result<()> {
        let tx = self.other.transaction()?;
        tx.execute("DELETE FROM record", [])?;
        let mut insert = tx.prepare_cached(
            "INSERT INTO record (zone, owner, ttl, type, rdata) VALUES (?, ?, ?, ?, ?)",
        )?;
        while let Some((head, rest)) = data.split_first_chunk::<4>() {
            data = rest;
            let owner = value(head[0], OWNERS, &mut data);
            let ttl = ttl(head[1]);
            let rtype = value(head[2], TYPES, &mut data);
            let rdata = value(head[3], DATA, &mut data);
            insert.execute((ZONE, owner, ttl, rtype, rdata))?;
        }
        drop(insert);
        tx.commit()
    }
}

/// Below 64 one of the usual texts; else text, blob or a number of the length that the rest says.
fn value(kind: u8, usual: &[&str], data: &mut &[u8]) -> Value {
    if kind < 64 {
        return Value::Text(usual[usize::from(kind) % usual.len()].to_owned());
    }
    let len = usize::from(kind & 31).min(data.len());
    let (octets, rest) = data.split_at(len);
    *data = rest;
    match kind >> 5 {
        2..=5 => Value::Text(String::from_utf8_lossy(octets).into_owned()),
        6 => Value::Blob(octets.to_vec()),
        _ if len == 0 => Value::Null,
        _ => Value::Real(f64::from(octets[0])),
    }
}

fn ttl(kind: u8) -> Value {
    match kind {
        0..128 => Value::Integer(i64::from(kind) * 60),
        128 => Value::Integer(i64::from(i32::MAX)),
        129 => Value::Integer(i64::from(i32::MAX) + 1),
        130 => Value::Integer(i64::MIN),
        131 => Value::Integer(-1),
        132 => Value::Text("60".into()),
        133 => Value::Null,
        134 => Value::Real(60.0),
        _ => Value::Integer(300),
    }
}

const OWNERS: &[&str] = &[
    "example.com.",
    "www.example.com.",
    "EXAMPLE.com.",
    "a.b.example.com.",
    "*.example.com.",
    "sub.example.com.",
    "x.sub.example.com.",
    "www",
    "other.test.",
    "",
    ".",
    "\\046.example.com.",
    "\\000\\255.example.com.",
    "a..example.com.",
    "www.example.com",
];
const TYPES: &[&str] = &[
    "SOA",
    "NS",
    "A",
    "AAAA",
    "CNAME",
    "DNAME",
    "MX",
    "TXT",
    "SRV",
    "CAA",
    "DS",
    "TLSA",
    "NAPTR",
    "SVCB",
    "HTTPS",
    "TYPE65280",
    "TYPE1",
    "LOC",
    "RRSIG",
    "NSEC",
    "DNSKEY",
    "ANY",
    "OPT",
    "axfr",
    "",
    "TYPE99999",
];
const DATA: &[&str] = &[
    "192.0.2.1",
    "2001:db8::1",
    "ns1.example.com.",
    "10 mail.example.com.",
    "\"a text\" \"another\"",
    "ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 300",
    "\\# 4 c0000201",
    "\\# 0",
    "",
    "0 5 20 111 www.example.com.",
    "0 issue \"ca.example.net\"",
    "1 . alpn=h2,h3 ipv4hint=192.0.2.1",
    "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
    "(",
    "\"",
    ";",
    "\\",
    "\\# 70000 00",
    "@",
    "A 5 2 60 20300101000000 20200101000000 1 example.com. AAAA",
    "host.example.com. A MX RRSIG NSEC",
];
