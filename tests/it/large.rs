//! Very many records, very many zones. Here in a size that does not keep anybody waiting; in full by
//! `tests/big`, which sets the variables read here.

use std::env;
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::harness::lab::{Lab, PUBLIC_SECRET, apex, head};
use crate::harness::library::{self, Transport};
use crate::harness::programs;
use crate::harness::serving::Serving;

/// Far beyond what the full sizes take.
const PATIENCE: Duration = Duration::from_secs(600);
const ASKED: usize = 300;

/// How many, by a variable or as here.
fn count(variable: &str, here: usize) -> usize {
    env::var(variable).map_or(here, |text| text.parse().expect("a number"))
}

/// How much work starting may be, where `tests/big` says it.
fn within(variable: &str, worked: Duration) {
    if let Ok(most) = env::var(variable) {
        let most = Duration::from_secs(most.parse().expect("a number"));
        assert!(worked <= most, "{worked:?} of CPU, {variable} {most:?}");
    }
}

/// Starts the server, tells how long it took until it answered and what it holds in memory, and
/// gives back its CPU time, which is the same whatever else the machine does.
fn start(lab: Lab, zone: &str, what: &str) -> (Serving, Duration) {
    let began = Instant::now();
    let serving = Serving::start_within(lab, zone, PATIENCE);
    let took = began.elapsed();
    let (now, most) = (serving.memory_kib("VmRSS"), serving.memory_kib("VmHWM"));
    let worked = serving.worked();
    println!(
        "{what}: answers after {:.2} s ({:.2} s of CPU), {} MiB resident, {} MiB at most",
        took.as_secs_f64(),
        worked.as_secs_f64(),
        now / 1024,
        most / 1024
    );
    (serving, worked)
}

fn tell_memory(serving: &Serving) {
    let (now, most) = (serving.memory_kib("VmRSS"), serving.memory_kib("VmHWM"));
    println!(
        "in the end: {} MiB resident, {} MiB at most",
        now / 1024,
        most / 1024
    );
}

#[track_caller]
fn has_address(at: SocketAddr, transport: Transport, name: &str, address: Ipv4Addr) {
    let request = library::query(name, RecordType::A, Some(1232));
    let response = library::ask(at, transport, &request);
    let data: Vec<String> = response
        .answers
        .iter()
        .map(|r| r.data.to_string())
        .collect();
    assert_eq!(data, [address.to_string()], "{name}");
}

/// Numbers spread over all there are, the first and the last among them.
fn spread(all: usize) -> impl Iterator<Item = usize> {
    (0..ASKED).map(move |n| n * (all - 1) / (ASKED - 1))
}

/// 11.0.0.0/8: addresses of somebody's, so that the zone is one like any other.
fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits((11 << 24) + number as u32)
}

fn update(at: SocketAddr, script: &str) {
    let mut command = Command::new("nsupdate");
    command.args([
        "-t",
        "60",
        "-y",
        &format!("hmac-sha256:demo:{PUBLIC_SECRET}"),
    ]);
    let script = format!("server {} {}\n{script}\nsend\n", at.ip(), at.port());
    programs::run(&mut command, &script).expect_ok();
}

#[test]
fn a_zone_of_very_many_records_is_imported_answered_changed_and_there_again_after_a_restart() {
    let records = count("LASTGOOD_RECORDS", 20_000);
    let lab = Lab::prepared(
        &format!(
            "{}[[zone]]\nname = \"large.example.\"\nfile = \"zone\"\n",
            head()
        ),
        &[],
    );
    let mut zone = apex("large.example.");
    for number in 0..records {
        writeln!(zone, "h{number} A {}", address(number)).expect("memory");
    }
    lab.write("zone", &zone);
    drop(zone);
    let (serving, worked) = start(
        lab,
        "large.example.",
        &format!("{records} records, imported"),
    );
    within("LASTGOOD_IMPORT_SECS", worked);
    let look = |at| {
        for number in spread(records) {
            let name = format!("h{number}.large.example.");
            has_address(at, Transport::Udp, &name, address(number));
        }
        has_address(at, Transport::Tcp, "H0.Large.Example.", address(0));
        let request = library::query("nobody.large.example.", RecordType::A, Some(1232));
        let response = library::ask(at, Transport::Udp, &request);
        assert_eq!(response.metadata.response_code, ResponseCode::NXDomain);
    };
    look(serving.at);
    let began = Instant::now();
    for number in 0..20 {
        let script =
            format!("zone large.example.\nupdate add new{number}.large.example. 60 A 11.255.0.1");
        update(serving.at, &script);
        let name = format!("new{number}.large.example.");
        has_address(
            serving.at,
            Transport::Udp,
            &name,
            Ipv4Addr::new(11, 255, 0, 1),
        );
    }
    println!(
        "an update with nsupdate, and seen: {:.1} ms",
        began.elapsed().as_secs_f64() * 50.0
    );
    tell_memory(&serving);
    let (serving, worked) = start(
        serving.stop(),
        "large.example.",
        &format!("{records} records, again"),
    );
    within("LASTGOOD_START_SECS", worked);
    look(serving.at);
    has_address(
        serving.at,
        Transport::Udp,
        "new19.large.example.",
        Ipv4Addr::new(11, 255, 0, 1),
    );
    tell_memory(&serving);
    let status = serving.lab.cli(&["--json", "status"]).json();
    // SOA, two NS, and those of the updates.
    assert_eq!(status["zones"][0]["records"], records + 3 + 20, "{status}");
    assert_eq!(status["zones"][0]["state"], "live", "{status}");
}

#[test]
fn very_many_zones_are_imported_answered_changed_and_there_again_after_a_restart() {
    let zones = count("LASTGOOD_ZONES", 300);
    let lab = Lab::prepared("", &[]);
    fs::create_dir(lab.path("zones")).expect("a folder");
    let mut config =
        lab.read("lastgood.toml") + &head().replace(":0\"", &format!(":{}\"", lab.port));
    for number in 0..zones {
        let origin = format!("z{number}.example.");
        let text = format!("{}www A {}\n", apex(&origin), address(number));
        lab.write(&format!("zones/{number}"), &text);
        write!(
            config,
            "[[zone]]\nname = \"{origin}\"\nfile = \"zones/{number}\"\n"
        )
        .expect("memory");
    }
    lab.write("lastgood.toml", &config);
    let last = format!("z{}.example.", zones - 1);
    let (serving, worked) = start(lab, &last, &format!("{zones} zones, imported"));
    within("LASTGOOD_IMPORT_SECS", worked);
    let look = |at| {
        for number in spread(zones) {
            let name = format!("www.z{number}.example.");
            has_address(at, Transport::Udp, &name, address(number));
        }
        let request = library::query("www.y.example.", RecordType::A, Some(1232));
        let response = library::ask(at, Transport::Udp, &request);
        assert_eq!(response.metadata.response_code, ResponseCode::Refused);
    };
    look(serving.at);
    update(
        serving.at,
        &format!("zone {last}\nupdate add new.{last} 60 A 11.255.0.1"),
    );
    tell_memory(&serving);
    let (serving, worked) = start(serving.stop(), &last, &format!("{zones} zones, again"));
    within("LASTGOOD_START_SECS", worked);
    look(serving.at);
    has_address(
        serving.at,
        Transport::Tcp,
        &format!("new.{last}"),
        Ipv4Addr::new(11, 255, 0, 1),
    );
    tell_memory(&serving);
    let status = serving.lab.cli(&["--json", "status"]).json();
    let of = status["zones"].as_array().expect("a list");
    assert_eq!(of.len(), zones);
    assert!(of.iter().all(|zone| zone["state"] == "live"));
}
