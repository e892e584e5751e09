//! Packets that no client of good will sends, sent to us and to named, knotd and nsd: what they agree
//! on we do as well, and where we do otherwise the row says why.

mod rows;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::harness::lab::{Lab, apex, head};
use crate::harness::peers::{Kind, Peer};
use rows::{ONE, Row, Seen, query, rows};

/// Whatever comes, comes sooner.
const PATIENCE: Duration = Duration::from_secs(20);
/// What has not come by now, with answers to later questions there, is not coming.
const QUIET: Duration = Duration::from_millis(700);
const SENTINEL: u16 = 0xFFFF;

fn sentinel() -> Vec<u8> {
    let mut octets = query(ONE, &[]);
    octets[..2].copy_from_slice(&SENTINEL.to_be_bytes());
    octets
}

/// What a reply is, having looked whether it may be one to this row at all.
#[track_caller]
fn seen(row: &Row, reply: &[u8]) -> Seen {
    let what = row.what;
    assert!(reply.len() >= 12, "{what}: {reply:x?}");
    assert_eq!(row.octets[2] & 0x80, 0, "{what}: a reply to a reply");
    assert_eq!(reply[2] & 0x80, 0x80, "{what}: {reply:x?}");
    assert_eq!(
        reply[2] & 0x78,
        row.octets[2] & 0x78,
        "{what}: the opcode comes back"
    );
    let mut rcode = u16::from(reply[3] & 0xF);
    // Of an answer without data the OPT is the end; ours has no options here.
    if let Some(opt) = reply.len().checked_sub(11).map(|at| &reply[at..])
        && reply[11] == 1
        && opt[..3] == [0, 0, 41]
    {
        assert_eq!(opt[6], 0, "{what}: the version is ours");
        rcode |= u16::from(opt[5]) << 4;
    }
    Seen::Rcode(rcode)
}

/// Sends all rows as datagrams, and waits for those of which replies are expected.
fn over_udp(at: SocketAddr, rows: &[Row]) -> Vec<Seen> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.connect(at).expect("an address");
    let mut replies: HashMap<u16, Vec<u8>> = HashMap::new();
    let mut buffer = vec![0; 65535];
    let mut receive = |within: Duration, replies: &mut HashMap<u16, Vec<u8>>| {
        socket.set_read_timeout(Some(within)).expect("a time-out");
        let size = socket.recv(&mut buffer).ok()?;
        let id = u16::from_be_bytes([buffer[0], buffer[1]]);
        replies.insert(id, buffer[..size].to_vec());
        Some(id)
    };
    // Each batch with a question behind it whose answer says that the server has seen the batch.
    for batch in rows.chunks(8) {
        for row in batch {
            socket.send(&row.octets).expect("sent");
        }
        socket.send(&sentinel()).expect("sent");
        while receive(PATIENCE, &mut replies).expect("an answer to what is well formed") != SENTINEL
        {
        }
    }
    let last = Instant::now();
    let lacking = |replies: &HashMap<u16, Vec<u8>>| {
        let expected = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.ours != Seen::Silent);
        expected
            .filter(|(number, _)| !replies.contains_key(&(*number as u16)))
            .count()
    };
    // Whoever is silent where we are not costs this time; nothing comes late.
    while last.elapsed() < QUIET || (lacking(&replies) > 0 && last.elapsed() < 4 * QUIET) {
        receive(QUIET / 4, &mut replies);
    }
    replies.remove(&SENTINEL);
    let of_row = |(number, row): (usize, &Row)| match replies.remove(&(number as u16)) {
        Some(reply) => seen(row, &reply),
        None => Seen::Silent,
    };
    let all = rows.iter().enumerate().map(of_row).collect();
    assert!(replies.is_empty(), "replies to nothing: {replies:x?}");
    all
}

fn over_tcp(at: SocketAddr, rows: &[Row]) -> Vec<Seen> {
    rows.iter().map(|row| one_over_tcp(at, row)).collect()
}

/// A connection of its own, with a question behind that is answered unless the server closes.
fn one_over_tcp(at: SocketAddr, row: &Row) -> Seen {
    let mut stream = TcpStream::connect(at).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let frame = |octets: &[u8]| [&(octets.len() as u16).to_be_bytes(), octets].concat();
    let sent = stream.write_all(&[frame(&row.octets), frame(&sentinel())].concat());
    sent.expect("sent");
    let mut next = || -> Option<Vec<u8>> {
        let mut len = [0; 2];
        let mut message = Vec::new();
        let read = stream.read_exact(&mut len).and_then(|()| {
            message.resize(usize::from(u16::from_be_bytes(len)), 0);
            stream.read_exact(&mut message)
        });
        match read {
            Ok(()) => Some(message),
            Err(error) => {
                let kind = error.kind();
                let waits = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&kind);
                assert!(!waits, "{}: neither an answer nor an end", row.what);
                None
            }
        }
    };
    let mut first = None;
    while let Some(message) = next() {
        if message[..2] == SENTINEL.to_be_bytes() {
            break;
        }
        assert!(first.is_none(), "{}: two replies", row.what);
        assert_eq!(message[..2], row.octets[..2], "{}", row.what);
        first = Some(seen(row, &message));
    }
    first.unwrap_or(Seen::Silent)
}

/// Where a row is met otherwise than by named, or than by two of the three, and no reason is given;
/// or where one is given for nothing.
fn unexplained(row: &Row, theirs: [Seen; 3]) -> Option<String> {
    let same = |seen: Seen| theirs.iter().filter(|&&other| other == seen).count();
    let outvoted = theirs
        .iter()
        .any(|&other| other != row.ours && same(other) > 1);
    let differs = theirs[0] != row.ours || outvoted;
    (differs != row.because.is_some()).then(|| {
        let [named, knotd, nsd] = theirs;
        format!(
            "{}: we {:?}; named {named:?}, knotd {knotd:?}, nsd {nsd:?}; because {:?}",
            row.what, row.ours, row.because
        )
    })
}

#[test]
fn what_is_malformed_is_met_as_other_servers_meet_it() {
    let zone = format!("{}a A 192.0.2.1\n", apex("example."));
    let config = format!("{}[[zone]]\nname = \"example.\"\nfile = \"zone\"\n", head());
    let lab = Lab::of(&config, &[("zone", &zone)]);
    let peers = Kind::ALL.map(|kind| Peer::start(kind, "example.", &zone));
    let rows = rows();
    for ask in [over_udp, over_tcp] {
        let ours = ask(lab.v4(), &rows);
        for (row, seen) in rows.iter().zip(ours) {
            assert_eq!(seen, row.ours, "{}", row.what);
        }
    }
    let theirs = peers.each_ref().map(|peer| over_udp(peer.at, &rows));
    let unexplained: Vec<String> = rows
        .iter()
        .enumerate()
        .filter_map(|(at, row)| unexplained(row, theirs.each_ref().map(|seen| seen[at])))
        .collect();
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    // named is who the silence of TCP is compared with; the others close at the first oddity.
    let named = over_tcp(peers[0].at, &rows);
    for (row, seen) in rows.iter().zip(named) {
        assert!(
            seen == row.ours || row.because.is_some(),
            "{}: named {seen:?} over TCP",
            row.what
        );
    }
}
