//! Random update messages about one zone: every form of every section, names and data from a small
//! stock so that they meet what is there, and now and then something wrong.

use lastgood::rr::{Name, Rtype, rdata};

use super::random::Random;
use super::wire::{ANY, CH, IN, Message, NONE, Row, ZoneRow};
use super::zone::Zone;

/// Where the servers begin.
pub const ZONE_TEXT: &str = "$ORIGIN alike.test.
$TTL 300
@ SOA ns1 hostmaster 100 7200 900 1209600 300
@ NS ns1
@ NS ns2
@ MX 10 mail
@ TXT \"apex\"
ns1 A 192.0.2.1
ns2 A 192.0.2.2
ns2 AAAA 2001:db8::2
mail A 192.0.2.3
www A 192.0.2.4
www A 192.0.2.5
www A 192.0.2.6
www AAAA 2001:db8::1
www TXT \"one\"
alias CNAME www
other CNAME www.example.org.
*.wild A 192.0.2.7
*.wild TXT \"one\"
*.wildalias CNAME www
deep.ent.below TXT \"one\"
sub NS ns.sub
sub NS ns1
ns.sub A 192.0.2.8
dn DNAME example.org.
srv SRV 1 2 3 www
Upper.Case A 192.0.2.4
Upper.Case MX 10 Mail
_sip._tcp SRV 0 0 5060 www
unknown TYPE65280 \\# 4 0a000001
";

/// Relative to the zone.
const OWNERS: [&str; 34] = [
    "@",
    "@",
    "@",
    "ns1",
    "ns2",
    "mail",
    "www",
    "www",
    "www",
    "WWW",
    "alias",
    "alias",
    "other",
    "*.wild",
    "x.wild",
    "*.wildalias",
    "x.wildalias",
    "wild",
    "deep.ent.below",
    "ent.below",
    "below",
    "sub",
    "ns.sub",
    "x.sub",
    "dn",
    "x.dn",
    "srv",
    "upper.case",
    "UPPER.CASE",
    "_sip._tcp",
    "unknown",
    "new1",
    "new2",
    "a.b.new3",
];
const OUTSIDE: [&str; 5] = ["example.org.", "test.", ".", "xalike.test.", "www.test."];

const TYPES: [Rtype; 22] = [
    Rtype::A,
    Rtype::A,
    Rtype::A,
    Rtype::AAAA,
    Rtype::TXT,
    Rtype::TXT,
    Rtype::CNAME,
    Rtype::CNAME,
    Rtype::NS,
    Rtype::NS,
    Rtype::MX,
    Rtype::SRV,
    Rtype::PTR,
    Rtype::DNAME,
    Rtype::SOA,
    Rtype::DS,
    Rtype::HTTPS,
    HINFO,
    NAPTR,
    CAA,
    UNKNOWN,
    DHCID,
];
const HINFO: Rtype = Rtype(13);
const NAPTR: Rtype = Rtype::NAPTR;
const CAA: Rtype = Rtype(257);
const UNKNOWN: Rtype = Rtype(65280);
const DHCID: Rtype = Rtype(49);
/// Types that no zone holds; 103 to 127 are unassigned and may be data (RFC 6895 §3.1).
const META: [Rtype; 9] = [
    Rtype::OPT,
    Rtype(249),
    Rtype::TSIG,
    Rtype::IXFR,
    Rtype::AXFR,
    Rtype(253),
    Rtype(254),
    Rtype::ANY,
    Rtype(0),
];

pub struct Generator {
    random: Random,
    origin: Name,
}

impl Generator {
    pub fn new(seed: u64, origin: Name) -> Generator {
        Generator {
            random: Random::new(seed),
            origin,
        }
    }

    /// A message for a zone that stands like this.
    pub fn message(&mut self, zone: &Zone) -> Message {
        let mut message = Message::of(&self.origin);
        let rows = zone.rows();
        let prerequisites = [0, 0, 0, 1, 1, 2, 3];
        for _ in 0..*self.random.of(&prerequisites) {
            self.prerequisite(&mut message.prerequisites, &rows);
        }
        for _ in 0..*self.random.of(&[0, 1, 1, 1, 2, 2, 3, 4, 6]) {
            self.update(&mut message.updates, &rows, zone.serial);
        }
        if self.random.percent(5) {
            let glue = self.record(IN, 60);
            message.additional.push(glue);
        }
        if self.random.percent(20) {
            self.spoil(&mut message);
        }
        message
    }

    fn owner(&mut self) -> Name {
        let text = *self.random.of(&OWNERS);
        self.absolute(text)
    }

    fn absolute(&self, text: &str) -> Name {
        let text = match text {
            "@" => self.origin.to_string(),
            text if text.ends_with('.') => text.to_owned(),
            text => format!("{text}.{}", self.origin),
        };
        text.parse().expect("a name")
    }

    fn rtype(&mut self) -> Rtype {
        *self.random.of(&TYPES)
    }

    fn ttl(&mut self) -> u32 {
        match self.random.percent(3) {
            true => *self.random.of(&[0x7FFF_FFFF, 0x8000_0000]),
            false => *self.random.of(&[300, 300, 300, 60, 60, 0, 1]),
        }
    }

    fn data(&mut self, rtype: Rtype) -> Vec<u8> {
        let texts: &[&str] = match rtype {
            Rtype::A => &["192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.9"],
            Rtype::AAAA => &["2001:db8::1", "2001:db8::2"],
            Rtype::TXT => &["\"one\"", "\"two\"", "\"One\"", "\"one\" \"two\"", "\"\""],
            Rtype::CNAME | Rtype::PTR | Rtype::DNAME => &[
                "www.alike.test.",
                "WWW.Alike.Test.",
                "example.org.",
                "new1.alike.test.",
            ],
            Rtype::NS => &[
                "ns1.alike.test.",
                "NS1.alike.test.",
                "ns2.alike.test.",
                "ns.example.org.",
            ],
            Rtype::MX => &[
                "10 mail.alike.test.",
                "10 MAIL.alike.test.",
                "20 mail.alike.test.",
            ],
            Rtype::SRV => &[
                "1 2 3 www.alike.test.",
                "1 2 3 Www.alike.test.",
                "0 0 5060 www.alike.test.",
            ],
            Rtype::DS => &[
                "1 13 2 0000000000000000000000000000000000000000000000000000000000000001",
                "2 13 2 0000000000000000000000000000000000000000000000000000000000000002",
            ],
            Rtype::HTTPS => &["1 . alpn=h2", "0 www.alike.test."],
            HINFO => &["\"a\" \"b\"", "\"a\" \"c\""],
            NAPTR => &[
                "1 2 \"u\" \"x\" \"\" www.alike.test.",
                "1 2 \"u\" \"x\" \"\" WWW.alike.test.",
            ],
            CAA => &["0 issue \"ca.example.org\"", "0 Issue \"ca.example.org\""],
            UNKNOWN => &[
                "\\# 4 0a000001",
                "\\# 0",
                "\\# 4 41424344",
                "\\# 4 61626364",
            ],
            DHCID => &["\\# 4 00000163", "\\# 4 00000164"],
            other => panic!("no data for {other}"),
        };
        let text = *self.random.of(texts);
        rdata::from_text(rtype, text).expect("RDATA").into_vec()
    }

    /// A SOA whose serial is ahead of the zone's, the same, behind it, or as far away as can be.
    fn soa(&mut self, serial: u32) -> Vec<u8> {
        let ahead = [
            1,
            1,
            2,
            100,
            0,
            u32::MAX,
            u32::MAX - 50,
            1 << 31,
            (1 << 31) - 1,
        ];
        let serial = match self.random.percent(4) {
            true => 0,
            // Halfway round once in a while only: the serials have to come home again.
            false => serial.wrapping_add(*self.random.of(&ahead)),
        };
        let minimum = *self.random.of(&[300, 300, 60]);
        let text =
            format!("ns1.alike.test. hostmaster.alike.test. {serial} 7200 900 1209600 {minimum}");
        rdata::from_text(Rtype::SOA, &text)
            .expect("RDATA")
            .into_vec()
    }

    /// Any record but a SOA.
    fn record(&mut self, class: u16, ttl: u32) -> Row {
        let rtype = loop {
            match self.rtype() {
                Rtype::SOA => {}
                other => break other,
            }
        };
        Row {
            owner: self.owner(),
            rtype,
            class,
            ttl,
            rdata: self.data(rtype),
        }
    }

    fn bare(&mut self, class: u16) -> Row {
        Row {
            owner: self.owner(),
            rtype: self.rtype(),
            class,
            ttl: 0,
            rdata: Vec::new(),
        }
    }

    /// What stands there, more often than chance would have it.
    fn standing(&mut self, rows: &[Row]) -> Row {
        let mut row = self.random.of(rows).clone();
        row.ttl = 0;
        row
    }

    /// One of the five forms of §2.4.
    fn prerequisite(&mut self, section: &mut Vec<Row>, rows: &[Row]) {
        let form = self.random.below(6);
        let standing = self.random.percent(60).then(|| self.standing(rows));
        match form {
            // §2.4.1 and §2.4.3, §2.4.4 and §2.4.5.
            0..=3 => {
                let class = if form.is_multiple_of(2) { ANY } else { NONE };
                // What is not there must not be there, mostly: else hardly any message gets on.
                let standing = standing.filter(|_| class == ANY || self.random.percent(20));
                let mut row = standing.unwrap_or_else(|| self.bare(class));
                row.class = class;
                row.rdata.clear();
                if form >= 2 {
                    row.rtype = Rtype::ANY;
                }
                section.push(row);
            }
            // §2.4.2.
            _ => match standing {
                None => {
                    let row = self.record(IN, 0);
                    section.push(row);
                }
                Some(one) => {
                    let same = |row: &&Row| row.owner == one.owner && row.rtype == one.rtype;
                    let mut whole: Vec<Row> = rows.iter().filter(same).cloned().collect();
                    whole.iter_mut().for_each(|row| row.ttl = 0);
                    match self.random.below(8) {
                        0 => drop(whole.pop()),
                        1 => whole.push(Row {
                            rdata: self.record(IN, 0).rdata,
                            ..one.clone()
                        }),
                        2 => whole.push(whole[0].clone()),
                        3 => whole.reverse(),
                        _ => {}
                    }
                    whole.retain(|row| !row.is_malformed());
                    section.extend(whole);
                }
            },
        }
    }

    /// One of the four forms of §2.5.
    fn update(&mut self, section: &mut Vec<Row>, rows: &[Row], serial: u32) {
        let standing = self.random.percent(60).then(|| self.standing(rows));
        let row = match self.random.below(10) {
            0 if self.random.percent(50) => {
                // A SOA, at the apex mostly.
                let owner = match self.random.percent(97) {
                    true => self.origin.clone(),
                    false => self.owner(),
                };
                Row {
                    owner,
                    rtype: Rtype::SOA,
                    class: IN,
                    ttl: *self.random.of(&[300, 300, 60]),
                    rdata: self.soa(serial),
                }
            }
            0..=4 => {
                let ttl = self.ttl();
                match standing.filter(|row| row.rtype != Rtype::SOA && self.random.percent(40)) {
                    // The same record with another TTL.
                    Some(row) => Row {
                        class: IN,
                        ttl,
                        ..row
                    },
                    None => self.record(IN, ttl),
                }
            }
            5 | 6 => {
                let mut row = standing.unwrap_or_else(|| self.bare(ANY));
                row.class = ANY;
                row.rdata.clear();
                row
            }
            7 => {
                let owner = match standing {
                    Some(row) => row.owner,
                    None => self.owner(),
                };
                Row {
                    owner,
                    rtype: Rtype::ANY,
                    class: ANY,
                    ttl: 0,
                    rdata: Vec::new(),
                }
            }
            _ => match standing {
                Some(row) => Row { class: NONE, ..row },
                None => self.record(NONE, 0),
            },
        };
        section.push(row);
    }

    /// Makes one thing wrong.
    fn spoil(&mut self, message: &mut Message) {
        if self.random.percent(20) {
            return self.spoil_zone(message);
        }
        let section = match self.random.percent(40) {
            true => &mut message.prerequisites,
            false => &mut message.updates,
        };
        if section.is_empty() {
            return;
        }
        let at = self.random.below(section.len());
        let row = &mut section[at];
        match self.random.below(10) {
            0 | 1 => {
                row.owner = self.random.of(&OUTSIDE).parse().expect("a name");
            }
            2 => row.ttl = 60,
            3 => row.class = *self.random.of(&[CH, 0, 4, 65535]),
            4 | 5 => {
                row.rtype = *self.random.of(&META);
                if self.random.percent(50) {
                    row.rdata.clear();
                }
            }
            6 => row.rdata = vec![192, 0, 2, 4],
            7 => row.rdata.clear(),
            8 => drop(row.rdata.pop()),
            _ => row.rdata.push(0),
        }
    }

    fn spoil_zone(&mut self, message: &mut Message) {
        let zone = &mut message.zones[0];
        match self.random.below(8) {
            0 => zone.name = "example.org.".parse().expect("a name"),
            1 => zone.name = self.origin.parent().expect("a parent"),
            2 => zone.name = format!("sub.{}", self.origin).parse().expect("a name"),
            3 => zone.class = *self.random.of(&[CH, ANY, NONE, 0]),
            4 => zone.rtype = *self.random.of(&[Rtype::A, Rtype::ANY, Rtype::NS]),
            5 => {
                let twice = zone.clone();
                message.zones.push(twice);
            }
            6 => message.zones.push(ZoneRow {
                name: "example.org.".parse().expect("a name"),
                rtype: Rtype::SOA,
                class: IN,
            }),
            _ => message.zones.clear(),
        }
    }
}
