use domain::base::iana::{Opcode, Rcode as LibraryRcode, Rtype as LibraryRtype, TsigRcode};
use domain::base::{Message, MessageBuilder, Name as LibraryName};
use domain::rdata::tsig::{Time48, Tsig};
use domain::tsig::{Algorithm as LibraryAlgorithm, ClientTransaction, Key, ValidationError};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::rr::Name;
use crate::rr::message::HEADER_OCTETS;

const NOW: u64 = 1_763_899_200;
const SECRET: &[u8] = b"a secret of thirty-two octets ok";
const ID: u16 = 0x1234;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn keys() -> Keys {
    Keys::new([
        (name("Enactor-A."), Algorithm::HmacSha256, SECRET.to_vec()),
        (name("b."), Algorithm::HmacSha384, SECRET.to_vec()),
        (name("c."), Algorithm::HmacSha512, SECRET.to_vec()),
        (name("d."), Algorithm::HmacSha1, SECRET.to_vec()),
        (name("e."), Algorithm::HmacSha224, SECRET.to_vec()),
    ])
    .unwrap()
}

/// A key of the client, its MACs cut to so many octets.
fn client_key(text: &str, algorithm: LibraryAlgorithm, secret: &[u8], cut: Option<usize>) -> Key {
    Key::new(algorithm, secret, text.parse().unwrap(), cut, cut).unwrap()
}

fn enactor() -> Key {
    client_key("enactor-a.", LibraryAlgorithm::Sha256, SECRET, None)
}

type Client = ClientTransaction<Key>;

fn request_at(key: Key, time: u64, fudge: u16) -> (Vec<u8>, Client) {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(ID);
    builder.header_mut().set_opcode(Opcode::UPDATE);
    let mut question = builder.question();
    let zone: LibraryName<Vec<u8>> = "example.com.".parse().unwrap();
    question.push((zone, LibraryRtype::SOA)).unwrap();
    let mut additional = question.additional();
    additional
        .opt(|opt| {
            opt.set_udp_payload_size(1232);
            Ok(())
        })
        .unwrap();
    let time = Time48::from_u64(time);
    let client = Client::request_with_fudge(key, &mut additional, time, fudge).unwrap();
    (additional.finish(), client)
}

fn request(key: Key) -> (Vec<u8>, Client) {
    request_at(key, NOW, FUDGE_SECS)
}

fn signed(message: &[u8]) -> Signed {
    match check(&keys(), message, NOW) {
        Checked::Signed(signed) => signed,
        other => panic!("{other:?}"),
    }
}

fn rejected(message: &[u8], now: u64) -> Vec<u8> {
    match check(&keys(), message, now) {
        Checked::Rejected { response, .. } => response,
        other => panic!("{other:?}"),
    }
}

/// The header's answer to the request, OPT and all, and its TSIG error.
fn tsig_error(response: &[u8]) -> TsigRcode {
    let message = Message::from_octets(response).unwrap();
    assert_eq!(message.header().id(), ID);
    assert!(message.header().qr());
    assert_eq!(message.header().opcode(), Opcode::UPDATE);
    assert_eq!(message.header().rcode(), LibraryRcode::NOTAUTH);
    assert_eq!(message.header_counts().qdcount(), 1);
    assert!(message.opt().is_some());
    tsig_of(&message).error()
}

type LibraryTsig<'a> = Tsig<&'a [u8], domain::base::ParsedName<&'a [u8]>>;

fn tsig_of<'a>(message: &'a Message<&'a [u8]>) -> LibraryTsig<'a> {
    let last = message.additional().unwrap().last().unwrap().unwrap();
    last.into_record::<Tsig<_, _>>()
        .unwrap()
        .unwrap()
        .into_data()
}

fn answered(client: &Client, response: Vec<u8>) -> Result<(), ValidationError> {
    let mut message = Message::from_octets(response).unwrap();
    client.answer(&mut message, Time48::from_u64(NOW))
}

#[test]
fn a_signed_request_is_stripped_and_its_answer_verifies() {
    for (key, algorithm) in [
        ("enactor-a.", LibraryAlgorithm::Sha256),
        ("ENACTOR-A.", LibraryAlgorithm::Sha256),
        ("b.", LibraryAlgorithm::Sha384),
        ("c.", LibraryAlgorithm::Sha512),
        ("d.", LibraryAlgorithm::Sha1),
    ] {
        let (message, client) = request(client_key(key, algorithm, SECRET, None));
        let signed = signed(&message);
        assert_eq!(signed.key, name(key));
        let start = message.len() - signed.octets();
        assert_eq!(signed.message[12..], message[12..start]);
        assert_eq!(signed.message[10..12], [0, 1], "the OPT is left");
        assert_eq!(signed.mac.len(), algorithm.native_len());

        let mut response = signed.message.clone();
        response[2] |= 0x80;
        response[3] = 5;
        let (before, octets) = (response.len(), signed.octets());
        signed.sign(&mut response, NOW).unwrap();
        assert_eq!(response.len(), before + octets);
        answered(&client, response.clone()).unwrap();
        response[3] = 0;
        assert!(answered(&client, response).is_err(), "{key}");
    }
}

#[test]
fn a_forwarder_may_give_the_request_an_id_of_its_own() {
    let (mut message, client) = request(enactor());
    message[..2].copy_from_slice(&[0xAB, 0xCD]);
    let signed = signed(&message);
    assert_eq!(signed.message[..2], ID.to_be_bytes());
    let mut response = signed.message.clone();
    signed.sign(&mut response, NOW).unwrap();
    assert_eq!(response[..2], [0xAB, 0xCD]);
    answered(&client, response).unwrap();
}

#[test]
fn algorithms_are_named_in_any_case() {
    let (mut message, _) = request(enactor());
    let at = message.windows(5).rposition(|w| w == b"hmac-").unwrap();
    message[at..at + 11].make_ascii_uppercase();
    signed(&message);
    assert_eq!("HMAC-SHA384.".parse(), Ok(Algorithm::HmacSha384));
    for text in ["hmac-md5.sig-alg.reg.int", "sha256", ""] {
        assert!(text.parse::<Algorithm>().is_err(), "{text}");
    }
    for algorithm in
        ["sha1", "sha224", "sha256", "sha384", "sha512"].map(|hash| format!("hmac-{hash}"))
    {
        assert_eq!(
            algorithm.parse::<Algorithm>().unwrap().to_string(),
            algorithm
        );
    }
}

#[test]
fn a_request_without_tsig_is_unsigned() {
    let (message, _) = request(enactor());
    let plain = signed(&message).message;
    assert!(matches!(check(&keys(), &plain, NOW), Checked::Unsigned));
}

#[test]
fn an_unknown_key_or_another_algorithm_is_badkey() {
    for key in [
        client_key("nobody.", LibraryAlgorithm::Sha256, SECRET, None),
        client_key("enactor-a.", LibraryAlgorithm::Sha512, SECRET, None),
        client_key("enactor-a.", LibraryAlgorithm::Sha1, SECRET, None),
    ] {
        let (message, client) = request(key);
        let response = rejected(&message, NOW);
        assert_eq!(tsig_error(&response), TsigRcode::BADKEY);
        let parsed = Message::from_octets(&response[..]).unwrap();
        assert!(tsig_of(&parsed).mac().is_empty());
        let error = answered(&client, response).unwrap_err();
        assert!(matches!(error, ValidationError::ServerBadKey), "{error}");
    }
}

#[test]
fn a_wrong_mac_is_badsig() {
    let wrong = client_key("enactor-a.", LibraryAlgorithm::Sha256, b"another", None);
    let (other_secret, client) = request(wrong);
    let (mut tampered, _) = request(enactor());
    tampered[14] ^= 0x20;
    for message in [other_secret, tampered] {
        let response = rejected(&message, NOW);
        assert_eq!(tsig_error(&response), TsigRcode::BADSIG);
        let parsed = Message::from_octets(&response[..]).unwrap();
        assert!(tsig_of(&parsed).mac().is_empty());
        let error = answered(&client, response).unwrap_err();
        assert!(matches!(error, ValidationError::ServerBadSig), "{error}");
    }
    // What does not verify says nothing of the time.
    let wrong = client_key("enactor-a.", LibraryAlgorithm::Sha256, b"another", None);
    let (message, _) = request_at(wrong, NOW - 9999, FUDGE_SECS);
    assert_eq!(tsig_error(&rejected(&message, NOW)), TsigRcode::BADSIG);
}

/// HMAC-SHA256 (RFC 2104), from another library than the room's.
fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|octet| octet ^ with);
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(text)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5C))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

#[test]
fn a_clock_apart_is_badtime_signed_and_with_our_time() {
    for (now, fudge) in [
        (NOW + 301, 300),
        (NOW - 301, 300),
        (NOW + 11, 10),
        // A client may grant less than we do, not more.
        (NOW + 301, u16::MAX),
        (u64::MAX, 300),
    ] {
        let (message, _) = request_at(enactor(), NOW, fudge);
        let response = rejected(&message, now);
        assert_eq!(tsig_error(&response), TsigRcode::BADTIME);
        let parsed = Message::from_octets(&response[..]).unwrap();
        let tsig = tsig_of(&parsed);
        assert_eq!(u64::from(tsig.time_signed()), NOW);
        assert_eq!(tsig.fudge(), fudge);
        let ours = now.min((1 << 48) - 1);
        assert_eq!(tsig.other_time().map(u64::from), Some(ours));

        // RFC 8945 §4.3, by hand.
        let walked = record::walk(&message).unwrap();
        let (sent, _) = walked.tsig.unwrap();
        let start = record::walk(&response).unwrap().tsig.unwrap().1;
        let mut text = (sent.mac.len() as u16).to_be_bytes().to_vec();
        text.extend_from_slice(&sent.mac);
        text.extend_from_slice(&response[..start]);
        text[2 + sent.mac.len() + HEADER_OCTETS - 1] -= 1;
        text.extend_from_slice(b"\x09enactor-a\0\x00\xFF\0\0\0\0\x0Bhmac-sha256\0");
        text.extend_from_slice(&NOW.to_be_bytes()[2..]);
        text.extend_from_slice(&fudge.to_be_bytes());
        text.extend_from_slice(&[0, 18, 0, 6]);
        text.extend_from_slice(&ours.to_be_bytes()[2..]);
        assert_eq!(*tsig.mac(), hmac_sha256(SECRET, &text));
    }
    for now in [NOW - 300, NOW + 300] {
        let (message, _) = request(enactor());
        assert!(matches!(check(&keys(), &message, now), Checked::Signed(_)));
    }
}

#[test]
fn a_truncated_mac_is_badtrunc_once_it_verifies() {
    for (key, algorithm, octets) in [
        ("enactor-a.", LibraryAlgorithm::Sha256, 16),
        ("enactor-a.", LibraryAlgorithm::Sha256, 31),
        ("b.", LibraryAlgorithm::Sha384, 24),
        ("c.", LibraryAlgorithm::Sha512, 32),
        ("d.", LibraryAlgorithm::Sha1, 12),
    ] {
        let short = |secret| client_key(key, algorithm, secret, Some(octets));
        let (message, client) = request(short(SECRET));
        let response = rejected(&message, NOW);
        assert_eq!(tsig_error(&response), TsigRcode::BADTRUNC);
        answered(&client, response).unwrap();
        let (message, _) = request(short(b"another"));
        assert_eq!(tsig_error(&rejected(&message, NOW)), TsigRcode::BADSIG);
        // Only what verifies is told of its time, and only what is in time of its length.
        let (message, _) = request_at(short(SECRET), NOW - 9999, FUDGE_SECS);
        assert_eq!(tsig_error(&rejected(&message, NOW)), TsigRcode::BADTIME);
    }
}

/// RFC 4231 §4.3 (test case 2), whose secret is four octets long.
#[test]
fn macs_of_sha224_are_those_of_the_rfc() {
    let made = |algorithm| {
        let mut hmac = algorithm::Hmac::new(algorithm, b"Jefe");
        hmac.update(b"what do ya want ");
        hmac.update(b"for nothing?");
        hmac
    };
    let expected = [
        0xa3, 0x0e, 0x01, 0x09, 0x8b, 0xc6, 0xdb, 0xbf, 0x45, 0x69, 0x0f, 0x3a, 0x7e, 0x9e, 0x6d,
        0x0f, 0x8b, 0xbe, 0xa2, 0xa3, 0x9e, 0x61, 0x48, 0x00, 0x8f, 0xd0, 0x5e, 0x44,
    ];
    assert_eq!(made(Algorithm::HmacSha224).finish(), expected);
    assert!(made(Algorithm::HmacSha224).begins_with(&expected));
    assert!(made(Algorithm::HmacSha224).begins_with(&expected[..14]));
    assert!(!made(Algorithm::HmacSha224).begins_with(&expected[1..]));
    assert!(!made(Algorithm::HmacSha256).begins_with(&expected));
    let longer = [&expected[..], &[0]].concat();
    assert!(!made(Algorithm::HmacSha224).begins_with(&longer));
    assert!(!made(Algorithm::HmacSha224).begins_with(&[]));
}

/// A request with its TSIG record changed.
fn altered(change: impl FnOnce(&mut record::Tsig)) -> Vec<u8> {
    let (mut message, _) = request(enactor());
    let (mut tsig, start) = record::walk(&message).unwrap().tsig.unwrap();
    change(&mut tsig);
    message.truncate(start);
    tsig.write(&mut message);
    message
}

#[test]
fn a_mac_of_impossible_length_is_formerr() {
    for octets in [0, 1, 15, 33, 1000] {
        let message = altered(|tsig| tsig.mac.resize(octets, 0));
        let checked = check(&keys(), &message, NOW);
        assert!(matches!(checked, Checked::Malformed), "{octets}");
    }
}

#[test]
fn a_tsig_that_is_not_the_last_and_only_one_is_formerr() {
    let (message, _) = request(enactor());
    let start = record::walk(&message).unwrap().tsig.unwrap().1;
    let tsig = message[start..].to_vec();
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    let with = |patch: &[(usize, u8)], tail: &[u8]| {
        let mut octets = [&message[..], tail].concat();
        patch.iter().for_each(|&(at, octet)| octets[at] = octet);
        octets
    };
    let after_owner = start + b"\x09enactor-a\0".len();
    for (what, octets) in [
        ("twice", with(&[(11, 3)], &tsig)),
        ("before OPT", with(&[(11, 3)], &opt)),
        ("octets behind it", with(&[], &[0])),
        ("in the authority section", with(&[(9, 2), (11, 0)], &[])),
        (
            "class IN",
            with(&[(after_owner + 2, 0), (after_owner + 3, 1)], &[]),
        ),
        ("a TTL", with(&[(after_owner + 7, 1)], &[])),
        ("a count too many", with(&[(11, 3)], &[])),
        ("a header alone", message[..12].to_vec()),
        ("less", message[..11].to_vec()),
        ("nothing", Vec::new()),
        ("cut", message[..message.len() - 1].to_vec()),
    ] {
        let checked = check(&keys(), &octets, NOW);
        assert!(matches!(checked, Checked::Malformed), "{what}: {checked:?}");
    }
}

#[test]
fn what_cannot_be_signed_stays_as_it_was() {
    let (message, _) = request(enactor());
    let mut short = vec![0; 11];
    assert_eq!(
        signed(&message).sign(&mut short, NOW),
        Err(SignError::NoHeader)
    );
    let room = usize::from(u16::MAX) - signed(&message).octets();
    let mut response = vec![0; room + 1];
    assert_eq!(
        signed(&message).sign(&mut response, NOW),
        Err(SignError::Long)
    );
    assert_eq!(response.len(), room + 1);
    let mut response = vec![0; room];
    signed(&message).sign(&mut response, NOW).unwrap();
    assert_eq!(response.len(), usize::from(u16::MAX));
}

#[test]
fn keys_are_distinct_and_secrets_show_nowhere() {
    let key = |text: &str, secret: &[u8]| (name(text), Algorithm::HmacSha256, secret.to_vec());
    let twice = Keys::new([key("a.", b"x"), key("A.", b"y")]);
    assert_eq!(twice.unwrap_err(), KeyError::Duplicate(name("a.")));
    let empty = Keys::new([key("a.", b"")]);
    assert_eq!(empty.unwrap_err(), KeyError::EmptySecret(name("a.")));

    let (message, _) = request(enactor());
    let shown = format!("{:?} {:?}", keys(), signed(&message));
    let (Some(text), listed) = (std::str::from_utf8(SECRET).ok(), format!("{SECRET:?}")) else {
        panic!("the secret is text");
    };
    assert!(shown.contains("hmac-sha512"));
    assert!(!shown.contains(text) && !shown.contains(listed.trim_matches(['[', ']'])));

    let secret = generate_secret(Algorithm::HmacSha384);
    assert_eq!(secret.len(), 48);
    assert_ne!(secret, generate_secret(Algorithm::HmacSha384));
}

proptest! {
    #[test]
    fn no_octets_make_it_panic_or_pass_changed(
        noise in prop::collection::vec(any::<u8>(), 0..120),
        patches in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let keys = keys();
        check(&keys, &noise, NOW);
        let (whole, _) = request(enactor());
        let mut patched = whole.clone();
        for (at, octet) in patches {
            *at.get_mut(&mut patched) = octet;
        }
        check(&keys, &[&patched[..], &noise].concat(), NOW);
        if let Checked::Signed(passed) = check(&keys, &patched, NOW) {
            // The ID on the wire and the case of names are all that may differ.
            prop_assert_eq!(passed.message, signed(&whole).message);
        }
    }
}
