//! Our answers beside those of `named`, `knotd`, `nsd` and `pdns_server`, all with the same zones.

#[path = "../it/harness/ports.rs"]
mod ports;

mod asking;
mod ours;
mod peers;
mod questions;
mod response;
mod zones;

use asking::{Asker, Form};
use ours::Ours;
use peers::{Kind, Peer};
use response::View;

#[test]
fn thin() {
    let scratch = tempfile::tempdir().unwrap();
    let zones = zones::of_the_repository();
    let ours = Ours::start(&zones, scratch.path());
    let peers: Vec<Peer> = Kind::ALL.iter().map(|&k| Peer::start(k, &zones, scratch.path())).collect();
    let start = std::time::Instant::now();
    for zone in &zones {
        let questions = questions::of(zone);
        eprintln!("{} {} {:?}", zone.origin, questions.len(), start.elapsed());
        for form in Form::ALL {
            let mine: Vec<View> = Asker::new(ours.at).ask(&questions, form).iter().map(|r| View::of(r.as_deref())).collect();
            for peer in &peers {
                let t = std::time::Instant::now();
                let theirs: Vec<View> = Asker::new(peer.at).ask(&questions, form).iter().map(|r| View::of(r.as_deref())).collect();
                let same = mine.iter().zip(&theirs).filter(|(a, b)| a == b).count();
                eprintln!("{} {form:?} {:?} same {same} of {} {:?}", zone.origin, peer.kind, theirs.len(), t.elapsed());
            }
        }
    }
}
