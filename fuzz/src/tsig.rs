//! Signatures: nothing that was changed on its way is taken for signed, and what is signed in answer
//! the client believes.

use lastgood::answer;
use lastgood::rr::message::Rcode;
use lastgood::tsig::{Checked, check};

use super::{packet, sign};

/// The first octet says how many of the next are changes, four octets each: where (two), by what
/// (one), when it is signed (one). What follows them is the message.
pub fn run(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else {
        return;
    };
    // The octets as they are: with luck and a good corpus they hold a TSIG record of their own.
    judge(rest, None);
    let Some((changes, message)) = rest.split_at_checked(usize::from(count % 4) * 4) else {
        return;
    };
    let late = changes
        .first_chunk()
        .map_or(0, |change: &[u8; 4]| u64::from(change[3]) * 3);
    let original = sign::signed(message, sign::NOW_UNIX - late);
    let mut sent = original.clone();
    for change in changes.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
        if let Some(octet) = sent.get_mut(at) {
            *octet ^= change[2];
        }
    }
    judge(&sent, Some((message, &original)));
    verify_answer(message);
}

fn judge(sent: &[u8], signed: Option<(&[u8], &[u8])>) {
    // The doors are silent to responses, whatever they carry.
    if sent.get(2).is_none_or(|flags| flags & 0x80 != 0) {
        return;
    }
    match check(packet::keys(), sent, sign::NOW_UNIX) {
        Checked::Signed(accepted) => {
            // Octets of the corpus that somebody signed with the key are no forgery.
            let Some((message, original)) = signed else {
                return;
            };
            assert!(
                accepted.message[2..] == message[2..],
                "a changed message was accepted"
            );
            // The ID is covered as the TSIG record has it; the key's name by its lower case.
            let same = |(at, (a, b)): (usize, (&u8, &u8))| {
                at < 2 || a == b || (at >= message.len() && a.eq_ignore_ascii_case(b))
            };
            assert!(
                sent.len() == original.len() && sent.iter().zip(original).enumerate().all(same),
                "{sent:02x?} was accepted for {original:02x?}"
            );
        }
        Checked::Rejected { response, .. } => {
            packet::check(sent, &response, answer::Transport::Udp);
            assert_eq!(response[3] & 15, 9, "NOTAUTH");
        }
        Checked::Unsigned | Checked::Malformed => {}
    }
}

/// The client that signed a message believes our answer to it.
fn verify_answer(message: &[u8]) {
    let request = sign::signed(message, sign::NOW_UNIX);
    let Checked::Signed(signed) = check(packet::keys(), &request, sign::NOW_UNIX) else {
        return;
    };
    assert_eq!(signed.message, message);
    let mut answer = Vec::new();
    answer::respond(message, Rcode::Refused, Some((18, "a reason")), &mut answer);
    if answer.is_empty() {
        return;
    }
    signed.sign(&mut answer, sign::NOW_UNIX).expect("room");
    assert!(sign::verifies(&request, &answer), "{answer:02x?}");
}
