//! Zones made up from a seed: every situation of a look-up, thrown together at random.
//!
//! They are such that all servers load them: nothing stands beside an alias, nothing below a DNAME,
//! and neither a DNAME nor a cut is a wildcard (RFC 4592 §4.2 and §4.4 leave those undefined).

use std::collections::BTreeMap;
use std::fmt::Write;

use lastgood::rr::Name;

/// SplitMix64: the same numbers for a seed whatever libraries come.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const LABELS: &[&str] = &["a", "b", "c", "www", "Mixed", "_tcp", "ns", "x-1", "*"];
/// The name of a child that may be a zone of its own as well.
pub const CHILD: &str = "kid";
const OUTSIDE: &[&str] = &["host.example.net.", "Example.ORG.", "ns.elsewhere.invalid."];
const TTLS: &[u32] = &[0, 60, 300, 3600, 86_400];

/// What a name holds.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Apex,
    /// Data of one or several types.
    Data,
    Alias,
    Dname,
    Cut,
}

/// A zone in the making.
struct Draft<'d> {
    dice: &'d mut Dice,
    origin: Name,
    names: BTreeMap<Name, Kind>,
    text: String,
}

/// The text of a zone.
pub fn zone(origin: &str, seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let origin: Name = origin.parse().expect("a name");
    let mut draft = Draft {
        names: BTreeMap::from([(origin.clone(), Kind::Apex)]),
        text: String::new(),
        dice: &mut dice,
        origin,
    };
    draft.apex();
    let whole = draft.dice.one_in(25);
    if whole {
        // A DNAME at the apex: the zone is nothing but its apex (RFC 6672 §2.3).
        draft.dname(&draft.origin.clone());
        return draft.text;
    }
    if draft.dice.one_in(2) {
        draft.own_server();
    }
    if draft.dice.one_in(2) {
        let child = draft.origin.child(CHILD.as_bytes()).expect("a short name");
        draft.names.insert(child, Kind::Cut);
    }
    for _ in 0..draft.dice.below(24) + 4 {
        draft.grow();
    }
    if draft.dice.one_in(8) {
        draft.large();
    }
    let names: Vec<(Name, Kind)> = draft.names.clone().into_iter().collect();
    for (name, kind) in names {
        match kind {
            Kind::Apex | Kind::Data => draft.data(&name),
            Kind::Alias => {
                let target = draft.target();
                draft.record(&name, "CNAME", &target);
            }
            Kind::Dname => {
                draft.dname(&name);
                if draft.dice.one_in(2) {
                    draft.data(&name);
                }
            }
            Kind::Cut => draft.cut(&name),
        }
    }
    draft.text
}

impl Draft<'_> {
    fn apex(&mut self) {
        let [minimum, ttl] = [0; 2].map(|_| *self.dice.pick(TTLS));
        let origin = self.origin.clone();
        let soa =
            format!("ns.example.net. Host\\.Master.example.net. 1 7200 900 1209600 {minimum}");
        writeln!(self.text, "{origin} {ttl} IN SOA {soa}").expect("memory");
        for server in &OUTSIDE[self.dice.below(OUTSIDE.len())..] {
            self.record_ttl(&origin, 3600, "NS", server);
        }
    }

    /// A server of the zone's own, with addresses: named loads no zone that has such a one without.
    fn own_server(&mut self) {
        let origin = self.origin.clone();
        let own = origin.child(b"own-ns").expect("a short name");
        self.record_ttl(&origin, 3600, "NS", &own.to_string());
        self.addresses(&own);
    }

    /// One more name, below one that may have names below it.
    fn grow(&mut self) {
        let child = self.origin.child(CHILD.as_bytes()).expect("a short name");
        let open: Vec<Name> = self
            .names
            .iter()
            .filter(|(name, kind)| **kind != Kind::Dname && **name != child)
            .map(|(name, _)| name.clone())
            .collect();
        let mut name = self.dice.pick(&open).clone();
        for _ in 0..*self.dice.pick(&[1, 1, 1, 2, 3]) {
            name = name
                .child(self.dice.pick(LABELS).as_bytes())
                .expect("a short name");
        }
        let below_dname =
            |(above, kind): (&Name, &Kind)| *kind == Kind::Dname && name.is_below(above);
        if self.names.contains_key(&name) || self.names.iter().any(below_dname) {
            return;
        }
        let has_below = self.names.keys().any(|other| other.is_below(&name));
        let kind = match self.dice.below(10) {
            0..=3 => Kind::Data,
            4..=6 => Kind::Alias,
            7 if has_below || name.is_wildcard() => Kind::Data,
            7 => Kind::Dname,
            _ if name.is_wildcard() => Kind::Alias,
            _ => Kind::Cut,
        };
        self.names.insert(name, kind);
    }

    fn record(&mut self, owner: &Name, rtype: &str, rdata: &str) {
        let ttl = *self.dice.pick(TTLS);
        self.record_ttl(owner, ttl, rtype, rdata);
    }

    fn record_ttl(&mut self, owner: &Name, ttl: u32, rtype: &str, rdata: &str) {
        writeln!(self.text, "{owner} {ttl} IN {rtype} {rdata}").expect("memory");
    }

    /// A name that something refers to: one that there is, or below one, or not of the zone at all.
    fn target(&mut self) -> String {
        if self.dice.one_in(6) {
            return (*self.dice.pick(OUTSIDE)).to_owned();
        }
        let names: Vec<Name> = self.names.keys().cloned().collect();
        let mut name = self.dice.pick(&names).clone();
        for _ in 0..*self.dice.pick(&[0, 0, 0, 0, 1, 1, 2]) {
            name = name
                .child(self.dice.pick(LABELS).as_bytes())
                .expect("a short name");
        }
        let text = name.to_string();
        match self.dice.one_in(4) {
            true => text.to_uppercase(),
            false => text,
        }
    }

    fn addresses(&mut self, owner: &Name) {
        let (v4, v6) = (self.dice.below(3), self.dice.below(3));
        let ttl = *self.dice.pick(TTLS);
        let start = self.dice.below(200);
        for n in 0..v4.max(usize::from(v6 == 0)) {
            self.record_ttl(owner, ttl, "A", &format!("192.0.2.{}", start + n));
        }
        for n in 0..v6 {
            self.record_ttl(owner, ttl, "AAAA", &format!("2001:db8::{start}:{n}"));
        }
    }

    /// RRsets of a few types. Each is given once: what a second TTL does to an RRset is no matter of
    /// look-ups.
    fn data(&mut self, owner: &Name) {
        if self.dice.below(4) > 0 {
            self.addresses(owner);
        }
        let mut some = false;
        for rtype in [
            "TXT",
            "MX",
            "SRV",
            "NAPTR",
            "HTTPS",
            "SVCB",
            "PTR",
            "CAA",
            "TYPE65280",
            "RP",
            "LP",
            "KX",
            "AFSDB",
            "URI",
            "LOC",
        ] {
            if !self.dice.one_in(6) && (some || rtype != "TXT") {
                continue;
            }
            some = true;
            let ttl = *self.dice.pick(TTLS);
            for n in 0..self.dice.below(3) + 1 {
                let rdata = self.rdata(rtype, n);
                self.record_ttl(owner, ttl, rtype, &rdata);
            }
        }
    }

    fn rdata(&mut self, rtype: &str, n: usize) -> String {
        let target = self.target();
        match rtype {
            "TXT" => format!("\"text {n} {}\"", "x".repeat(self.dice.below(150))),
            "MX" | "LP" | "KX" | "AFSDB" => format!("{n} {target}"),
            "SRV" => format!("{n} 5 5060 {target}"),
            "NAPTR" => format!("{n} 1 \"s\" \"SIP+D2U\" \"\" {target}"),
            // Alias mode stands alone (RFC 9460 §2.4.2); the owner itself is its target now and then.
            "HTTPS" | "SVCB" if self.dice.one_in(2) => format!("{} . port={n}", n + 1),
            "HTTPS" | "SVCB" => format!("{} {target} alpn=h2", n + 1),
            "PTR" => target,
            "CAA" => format!("0 issue \"ca{n}.example.net\""),
            "URI" => format!("{n} 1 \"https://{n}.example.net/\""),
            "LOC" => format!("52 22 {n}.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"),
            "RP" => format!("{target} txt{n}.example.net."),
            _ => format!("\\# 3 0102{n:02X}"),
        }
    }

    /// What fills messages: many addresses, hosts, texts, servers of a child, aliases and labels.
    fn large(&mut self) {
        let large = self.origin.child(b"large").expect("a short name");
        let at = |label: &str| large.child(label.as_bytes()).expect("a short name");
        let mut deep = self.origin.clone();
        while let Ok(deeper) = deep.child(b"l") {
            deep = deeper;
        }
        self.record_ttl(&deep, 300, "A", "198.51.100.1");
        self.record_ttl(&at("deep"), 300, "CNAME", &deep.to_string());
        let count = self.dice.below(60) + 10;
        for n in 0..count {
            let host = at(&format!("host{n}"));
            let server = at("cut")
                .child(format!("ns{n}").as_bytes())
                .expect("a short name");
            self.record_ttl(&large, 300, "A", &format!("198.51.100.{n}"));
            self.record_ttl(&large, 300, "MX", &format!("{n} {host}"));
            self.record_ttl(&host, 300, "AAAA", &format!("2001:db8:1::{n}"));
            if n < count / 4 {
                self.record_ttl(&at("cut"), 300, "NS", &server.to_string());
                self.record_ttl(&server, 300, "A", &format!("198.51.100.{n}"));
                self.record_ttl(&at("beside"), 300, "NS", &host.to_string());
            }
            if n < 40 {
                self.record_ttl(
                    &at("text"),
                    300,
                    "TXT",
                    &format!("\"{n} {}\"", "x".repeat(250)),
                );
            }
            if n < 9 {
                let next = at(&format!("alias{}", n + 1));
                self.record_ttl(&at(&format!("alias{n}")), 300, "CNAME", &next.to_string());
            }
        }
    }

    fn dname(&mut self, owner: &Name) {
        let target = self.target();
        self.record(owner, "DNAME", &target);
    }

    /// A delegation to servers in, beside and outside the child, glue where luck has it, and things
    /// below that nobody may see.
    fn cut(&mut self, cut: &Name) {
        let ttl = *self.dice.pick(TTLS);
        let mut glue = Vec::new();
        for n in 0..self.dice.below(4) + 1 {
            let target = match self.dice.below(3) {
                0 => cut
                    .child(format!("ns{n}").as_bytes())
                    .expect("a short name"),
                1 if self.dice.one_in(3) => cut.clone(),
                _ => {
                    let target = self.target();
                    self.record_ttl(cut, ttl, "NS", &target);
                    continue;
                }
            };
            self.record_ttl(cut, ttl, "NS", &target.to_string());
            glue.push(target);
        }
        glue.sort();
        glue.dedup();
        for target in glue {
            if !self.dice.one_in(5) {
                self.addresses(&target);
            }
        }
        if self.dice.one_in(3) {
            self.record(
                cut,
                "DS",
                &format!("{} 13 2 {}", self.origin.len(), "AB".repeat(32)),
            );
        }
        if self.dice.one_in(3)
            && let Ok(hidden) = cut.child(b"hidden")
            && !self.names.contains_key(&hidden)
        {
            self.record(&hidden, "TXT", "\"occluded\"");
        }
    }
}

#[test]
fn a_seed_gives_the_same_zone_again_and_another_seed_another() {
    assert_eq!(zone("z.test.", 7), zone("z.test.", 7));
    assert_ne!(zone("z.test.", 7), zone("z.test.", 8));
}
