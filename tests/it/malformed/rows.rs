//! The packets, and what becomes of each.

const FORMERR: Seen = Seen::Rcode(1);
const NOERROR: Seen = Seen::Rcode(0);
const NOTIMP: Seen = Seen::Rcode(4);
const REFUSED: Seen = Seen::Rcode(5);
const NOTAUTH: Seen = Seen::Rcode(9);
const BADVERS: Seen = Seen::Rcode(16);

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    Silent,
    /// With the bits that an OPT has of it.
    Rcode(u16),
}

pub struct Row {
    pub what: &'static str,
    pub octets: Vec<u8>,
    pub ours: Seen,
    /// Why we do otherwise than named, or than two of the three.
    pub because: Option<&'static str>,
}

fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let words = [0, flags, counts[0], counts[1], counts[2], counts[3]];
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut wire: Vec<u8> = labels
        .flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat())
        .collect();
    wire.push(0);
    wire
}

fn question(name: &str, rtype: u16) -> Vec<u8> {
    [wire(name), rtype.to_be_bytes().to_vec(), vec![0, 1]].concat()
}

fn record(owner: &[u8], rtype: u16, class: u16, rdata: &[u8]) -> Vec<u8> {
    let numbers = [rtype, class, 0, 0, rdata.len() as u16];
    let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
    [owner, &numbers, rdata].concat()
}

fn opt(version: u8, options: &[u8]) -> Vec<u8> {
    let mut opt = record(&[0], 41, 1232, options);
    opt[6] = version;
    opt
}

fn tsig() -> Vec<u8> {
    let fields = [&[0; 6][..], &[1, 44, 0, 4], b"abcd", &[0; 6]].concat();
    let rdata = [wire("hmac-sha256"), fields].concat();
    record(&wire("key"), 250, 255, &rdata)
}

/// One question for an address, and what stands behind it.
pub fn query(counts: [u16; 4], parts: &[&[u8]]) -> Vec<u8> {
    [header(0, counts), question("a.example", 1), parts.concat()].concat()
}

/// A QNAME as octets, with a type and a class behind.
fn qname(octets: &[u8]) -> Vec<u8> {
    [&header(0, [1, 0, 0, 0]), octets, &[0, 1, 0, 1]].concat()
}

pub const ONE: [u16; 4] = [1, 0, 0, 0];
const ADDITIONAL: [u16; 4] = [1, 0, 0, 1];

fn row(what: &'static str, ours: Seen, octets: Vec<u8>) -> Row {
    Row {
        what,
        octets,
        ours,
        because: None,
    }
}

impl Row {
    fn because(mut self, reason: &'static str) -> Row {
        self.because = Some(reason);
        self
    }
}

fn headers_and_questions() -> Vec<Row> {
    let with_flags = |flags, rest: &[u8]| [&header(flags, ONE), rest].concat();
    let a = question("a.example", 1);
    let none = [0, 0, 0, 0];
    vec![
        row("a reply", Seen::Silent, with_flags(0x8000, &a)),
        row("a reply of NOTIFY", Seen::Silent, with_flags(0xA000, &a)),
        row("a reply of UPDATE", Seen::Silent, with_flags(0xA800, &a)),
        row(
            "a reply that is broken",
            Seen::Silent,
            with_flags(0x8000, b"\xFF"),
        ),
        row("eleven octets", Seen::Silent, header(0, ONE)[..11].to_vec()),
        row("two octets", Seen::Silent, vec![0, 0]),
        row("a header that promises a question", FORMERR, header(0, ONE)),
        row("a header alone", FORMERR, header(0, none)),
        row(
            "an OPT without a question",
            FORMERR,
            [header(0, [0, 0, 0, 1]), opt(0, &[])].concat(),
        ),
        row(
            "a cookie without a question",
            FORMERR,
            [header(0, [0, 0, 0, 1]), opt(0, b"\0\x0A\0\x08abcdefgh")].concat(),
        )
        .because("RFC 7873 §5.4 is for servers with cookies"),
        row(
            "a question that is not counted",
            FORMERR,
            [header(0, none), a.clone()].concat(),
        ),
        row("two questions", FORMERR, query([2, 0, 0, 0], &[&a])),
        row(
            "two other questions",
            FORMERR,
            query([2, 0, 0, 0], &[&question("example", 6)]),
        ),
        row(
            "two questions, one there",
            FORMERR,
            query([2, 0, 0, 0], &[]),
        ),
        row(
            "65535 questions, one there",
            FORMERR,
            query([65535, 0, 0, 0], &[]),
        ),
        row("an octet behind", NOERROR, query(ONE, &[b"\0"])),
        row(
            "a hundred octets behind",
            NOERROR,
            query(ONE, &[&[b'x'; 100]]),
        ),
        row(
            "octets behind an OPT",
            NOERROR,
            query(ADDITIONAL, &[&opt(0, &[]), b"xyz"]),
        ),
        row("every flag of a query", NOERROR, with_flags(0x07FF, &a)),
        row("truncated", NOERROR, with_flags(0x0200, &a)),
        row("authoritative", NOERROR, with_flags(0x0400, &a)),
    ]
}

fn names() -> Vec<Row> {
    const NO_NAME: &str = "RFC 1035 §4.1.4: a prior occurrence of a name; the header has none";
    let long = |last: u8| {
        let label = [&[63][..], &[b'a'; 63]].concat();
        let last = [&[last][..], &vec![b'a'; usize::from(last)], &[0]].concat();
        [label.repeat(3), last].concat()
    };
    let cut = |behind: &[u8]| [&header(0, ONE), behind].concat();
    vec![
        row("cut in the name", FORMERR, cut(b"\x01a\x07exam")),
        row("cut before the root", FORMERR, cut(b"\x01a")),
        row(
            "cut in the type",
            FORMERR,
            cut(&[&wire("a.example")[..], b"\0"].concat()),
        ),
        row(
            "cut in the class",
            FORMERR,
            cut(&[&wire("a.example")[..], b"\0\x01\0"].concat()),
        ),
        row("a pointer to itself", FORMERR, qname(b"\xC0\x0C")),
        row("a pointer to the id", FORMERR, qname(b"\xC0\x00")).because(NO_NAME),
        row("a pointer into the flags", FORMERR, qname(b"\xC0\x03")).because(NO_NAME),
        row("a pointer to the counts", FORMERR, qname(b"\xC0\x05")).because(NO_NAME),
        row(
            "a pointer ahead",
            FORMERR,
            [qname(b"\xC0\x12"), wire("a")].concat(),
        ),
        row("a pointer past the end", FORMERR, qname(b"\xFF\xFF")),
        row(
            "a pointer behind a label, back to it",
            FORMERR,
            qname(b"\x01a\xC0\x0C"),
        ),
        row("a label of type 01", FORMERR, qname(b"\x41a\0")),
        row("a label of type 10", FORMERR, qname(b"\x81a\0")),
        row("a name of 256 octets", FORMERR, qname(&long(62))),
        row("a name of 255 octets", REFUSED, qname(&long(61))),
        row(
            "128 labels",
            FORMERR,
            qname(&[&b"\x01a".repeat(128)[..], b"\0"].concat()),
        ),
        row(
            "127 labels",
            REFUSED,
            qname(&[&b"\x01a".repeat(127)[..], b"\0"].concat()),
        ),
    ]
}

fn records() -> Vec<Row> {
    let address = record(&wire("a.example"), 1, 1, &[192, 0, 2, 1]);
    let [answer, authority] = [[1, 1, 0, 0], [1, 0, 1, 0]];
    let short = record(&wire("a.example"), 1, 1, &[192, 0, 2]);
    let mut long = short.clone();
    let at = long.len() - 4;
    long[at] = 99;
    let by_pointer = record(&[0xC0, 0x0C], 1, 1, &[192, 0, 2, 1]);
    let to_itself = record(&[0xC0, 0x1B], 1, 1, &[192, 0, 2, 1]);
    vec![
        row("an answer", NOERROR, query(answer, &[&address])),
        row("an authority", NOERROR, query(authority, &[&address])),
        row(
            "an additional record",
            NOERROR,
            query(ADDITIONAL, &[&address]),
        ),
        row(
            "an owner that points to QNAME",
            NOERROR,
            query(ADDITIONAL, &[&by_pointer]),
        ),
        row(
            "an owner that points to itself",
            FORMERR,
            query(ADDITIONAL, &[&to_itself]),
        ),
        row("an answer that is not there", FORMERR, query(answer, &[])),
        row(
            "an additional record that is not there",
            FORMERR,
            query(ADDITIONAL, &[]),
        ),
        row(
            "an address of three octets",
            FORMERR,
            query(ADDITIONAL, &[&short]),
        ),
        row("RDATA beyond the end", FORMERR, query(ADDITIONAL, &[&long])),
        row(
            "a SIG(0)",
            NOERROR,
            query(ADDITIONAL, &[&record(&[0], 24, 255, &[0; 27])]),
        ),
        row(
            "a signature of nobody's",
            NOTAUTH,
            query(ADDITIONAL, &[&tsig()]),
        ),
        row(
            "a broken signature",
            FORMERR,
            query(ADDITIONAL, &[&record(&wire("key"), 250, 255, &[0])]),
        ),
        row(
            "two signatures",
            FORMERR,
            query([1, 0, 0, 2], &[&tsig(), &tsig()]),
        ),
        row(
            "a signature before the OPT",
            FORMERR,
            query([1, 0, 0, 2], &[&tsig(), &opt(0, &[])]),
        ),
        row("a signature as answer", FORMERR, query(answer, &[&tsig()])),
    ]
}

fn edns() -> Vec<Row> {
    let (answer, authority, two) = ([1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 2]);
    let with = |version, options: &[u8]| query(ADDITIONAL, &[&opt(version, options)]);
    let mut small = opt(0, &[]);
    small[3..5].copy_from_slice(&[0, 0]);
    let mut rcode = opt(0, &[]);
    rcode[5] = 7;
    let mut flags = opt(0, &[]);
    flags[7..9].copy_from_slice(&[0x7F, 0xFF]);
    const IGNORED: &str = "RFC 6891 §6.1.2: options that are not understood are ignored";
    vec![
        row("an OPT", NOERROR, with(0, &[])),
        row(
            "two OPTs",
            FORMERR,
            query(two, &[&opt(0, &[]), &opt(0, &[])]),
        ),
        row(
            "two OPTs, the first later",
            FORMERR,
            query(two, &[&opt(1, &[]), &opt(0, &[])]),
        ),
        row("an OPT as answer", FORMERR, query(answer, &[&opt(0, &[])])),
        row(
            "an OPT as authority",
            FORMERR,
            query(authority, &[&opt(0, &[])]),
        ),
        row(
            "an OPT with an owner",
            FORMERR,
            query(ADDITIONAL, &[b"\x01a", &opt(0, &[])]),
        ),
        row("EDNS 1", BADVERS, with(1, &[])),
        row("EDNS 255", BADVERS, with(255, &[])),
        row(
            "EDNS 1 with an option unknown",
            BADVERS,
            with(1, b"\xFD\xE9\0\0"),
        ),
        row(
            "EDNS 1 for a zone that is nobody's",
            BADVERS,
            [header(0, ADDITIONAL), question("x.test", 1), opt(1, &[])].concat(),
        ),
        row(
            "EDNS 1 with STATUS",
            BADVERS,
            [
                header(2 << 11, ADDITIONAL),
                question("example", 6),
                opt(1, &[]),
            ]
            .concat(),
        ),
        row(
            "EDNS 1 with UPDATE",
            BADVERS,
            [
                header(5 << 11, ADDITIONAL),
                question("example", 6),
                opt(1, &[]),
            ]
            .concat(),
        ),
        row("an unknown option", NOERROR, with(0, b"\xFD\xE9\0\x02hi")),
        row(
            "an option that is cut",
            FORMERR,
            with(0, b"\xFD\xE9\0\x09hi"),
        ),
        row("an option of three octets", FORMERR, with(0, b"\xFD\xE9\0")),
        row(
            "an NSID with a payload",
            NOERROR,
            with(0, b"\0\x03\0\x02hi"),
        ),
        row(
            "a keepalive with a time",
            NOERROR,
            with(0, b"\0\x0B\0\x02\0\x01"),
        ),
        row("padding", NOERROR, with(0, b"\0\x0C\0\x04\0\0\0\0")),
        row("a cookie", NOERROR, with(0, b"\0\x0A\0\x08abcdefgh")),
        row(
            "a cookie too short",
            NOERROR,
            with(0, b"\0\x0A\0\x07abcdefg"),
        )
        .because(IGNORED),
        row(
            "a subnet of no family",
            NOERROR,
            with(0, b"\0\x08\0\x04\0\x09\0\0"),
        )
        .because(IGNORED),
        row(
            "a payload of no octets",
            NOERROR,
            query(ADDITIONAL, &[&small]),
        ),
        row("an RCODE in a query", NOERROR, query(ADDITIONAL, &[&rcode])),
        row("every unknown flag", NOERROR, query(ADDITIONAL, &[&flags])),
    ]
}

fn opcodes() -> Vec<Row> {
    let soa = |opcode: u16, zone| [header(opcode << 11, ONE), question(zone, 6)].concat();
    let junk = |opcode: u16| [&header(opcode << 11, ONE)[..], b"\xFF\xFF\xFF"].concat();
    vec![
        row("IQUERY", NOTIMP, soa(1, "example")),
        row("STATUS", NOTIMP, soa(2, "example")),
        row("opcode 3", NOTIMP, soa(3, "example")),
        row("DSO", NOTIMP, soa(6, "example")),
        row("opcode 15", NOTIMP, soa(15, "example")),
        row("opcode 7, and nonsense", NOTIMP, junk(7)).because(
            "RFC 1035 §4.1.1: NOTIMP; what an unknown opcode calls well formed is unknown",
        ),
        row("UPDATE, and nonsense", FORMERR, junk(5)),
        row("UPDATE of no zone", FORMERR, header(5 << 11, [0, 0, 0, 0])),
        row(
            "UPDATE of an address",
            FORMERR,
            [header(5 << 11, ONE), question("example", 1)].concat(),
        ),
        row(
            "UPDATE of a zone that is nobody's",
            NOTAUTH,
            soa(5, "x.test"),
        ),
        row("UPDATE by nobody", REFUSED, soa(5, "example")),
    ]
}

/// All rows, each with its number as the id of the message.
pub fn rows() -> Vec<Row> {
    let mut rows = headers_and_questions();
    rows.extend(names());
    rows.extend(records());
    rows.extend(edns());
    rows.extend(opcodes());
    for (number, row) in rows.iter_mut().enumerate() {
        row.octets[..2].copy_from_slice(&(number as u16).to_be_bytes());
    }
    rows
}
