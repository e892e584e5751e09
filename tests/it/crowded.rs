//! More connections than there is room for, and a system that refuses them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::harness::eventually;
use crate::harness::lab::{Lab, PUBLIC_SECRET, apex, head};
use crate::harness::library::{self, Transport};
use crate::harness::programs;
use crate::harness::serving::Serving;

fn prepared(server: &str) -> Lab {
    let head = head().replace("[store]", &format!("{server}\n[store]"));
    let config = format!("{head}[[zone]]\nname = \"example.\"\nfile = \"zone\"\n");
    let zone = format!("{}a A 192.0.2.1\n", apex("example."));
    Lab::prepared(&config, &[("zone", &zone)])
}

#[track_caller]
fn answers(at: SocketAddr, transport: Transport) {
    let request = library::query("a.example.", RecordType::A, None);
    assert_eq!(library::ask(at, transport, &request).answers.len(), 1);
}

/// A connection on which nothing was sent yet.
fn silent(at: SocketAddr) -> TcpStream {
    library::connect(at)
}

/// Whether the other end has closed; nothing else is waited for.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("an option");
    match stream.read(&mut [0]) {
        Ok(0) => true,
        Ok(_) => panic!("an answer to nothing"),
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

fn update(at: SocketAddr, name: &str) -> programs::Ran {
    let mut command = Command::new("nsupdate");
    command.args([
        "-t",
        "20",
        "-y",
        &format!("hmac-sha256:demo:{PUBLIC_SECRET}"),
    ]);
    let (ip, port) = (at.ip(), at.port());
    let script = format!(
        "server {ip} {port}\nzone example.\nupdate add {name}.example. 60 A 192.0.2.2\nsend\n"
    );
    programs::run(&mut command, &script)
}

/// Lets a process open no file beyond these many, from now on.
fn limit_open_files(pid: u32, files: usize) {
    let mut command = Command::new("prlimit");
    command.args([
        "--pid",
        &pid.to_string(),
        &format!("--nofile={files}:{files}"),
    ]);
    programs::run(&mut command, "").expect_ok();
}

#[test]
fn without_a_file_left_the_server_serves_on_and_takes_connections_again() {
    let serving = Serving::start(prepared(""), "example.");
    let at = serving.at;
    limit_open_files(serving.pid, serving.open_files() + 8);
    // Eight get in; the others wait in the system's queue, where nobody can take them out.
    let crowd: Vec<TcpStream> = (0..60).map(|_| silent(at)).collect();
    eventually("accepting fails", || {
        let said = serving.said();
        let told = said.contains("accepting TCP connections fails");
        if told { Ok(()) } else { Err(said) }
    });
    for _ in 0..50 {
        answers(at, Transport::Udp);
    }
    assert!(
        update(at, "meanwhile").ok(),
        "an update over UDP is committed"
    );
    // Even now whoever has something to ask gets a connection: that of somebody who has not.
    for _ in 0..5 {
        answers(at, Transport::Tcp);
    }
    assert!(serving.open_files() > 8);
    let closed = crowd.iter().filter(|stream| is_closed(stream)).count();
    assert!(closed > 0, "room was made");
    drop(crowd);
    for _ in 0..20 {
        answers(at, Transport::Tcp);
        answers(at, Transport::Udp);
    }
    let status = serving.lab.cli(&["status"]).expect_ok();
    assert!(status.contains("example."), "{status}");
    let lines = serving
        .said()
        .matches("accepting TCP connections fails")
        .count();
    assert!(
        lines <= 4,
        "{lines} lines in a few seconds: a full disk is next"
    );
}

#[test]
fn no_error_of_accept_ends_the_accepting() {
    for error in [
        "ECONNABORTED",
        "EMFILE",
        "ENFILE",
        "ENOBUFS",
        "ENOMEM",
        "EPERM",
        "EPROTO",
    ] {
        // Of each thread's calls every second one fails, and the connection stays where it was.
        let inject = format!("inject=accept4:error={error}:when=1+2");
        let options = ["-e", "trace=accept4", "-e", &inject];
        let Some(serving) = Serving::start_traced(prepared(""), "example.", &options) else {
            return;
        };
        for _ in 0..6 {
            answers(serving.at, Transport::Tcp);
            answers(serving.at, Transport::Udp);
        }
        let trace = serving.lab.read("trace");
        let injected = trace.matches("(INJECTED)").count();
        assert!(injected >= 3, "{error}: {trace}");
        serving.lab.cli(&["status"]).expect_ok();
    }
}

#[test]
fn a_server_that_may_open_few_files_says_how_many_connections_that_is() {
    let lab = prepared("");
    let mut config = lab.read("lastgood.toml");
    config = config.replace(
        "udp_threads = 1",
        "udp_threads = 1\ntcp_connections = 100000",
    );
    lab.write("lastgood.toml", &config);
    let serve = lab.command(&["serve"]);
    let mut limited = Command::new("prlimit");
    limited
        .arg("--nofile=200:200")
        .arg(serve.get_program())
        .args(serve.get_args());
    let serving = Serving::start_as(lab, limited, "example.");
    let said = serving.said();
    assert!(
        said.contains("at most 100 TCP connections, not 100000"),
        "{said}"
    );
    let crowd: Vec<TcpStream> = (0..300).map(|_| silent(serving.at)).collect();
    answers(serving.at, Transport::Tcp);
    assert!(update(serving.at, "new").ok());
    serving.lab.cli(&["status"]).expect_ok();
    let said = serving.said();
    assert!(
        !said.contains("accepting TCP connections fails"),
        "files are left: {said}"
    );
    drop(crowd);
}

#[test]
fn one_address_that_takes_all_it_can_get_keeps_no_other_out() {
    let server = "tcp_connections = 40\ntcp_connections_per_address = 20";
    let serving = Serving::start(prepared(server), "example.");
    let at = serving.at;
    let from = |ip: [u8; 4]| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        socket
            .bind(&SocketAddr::from((ip, 0)).into())
            .expect("loopback");
        socket.connect(&at.into()).expect("a connection");
        TcpStream::from(socket)
    };
    let mut other = from([127, 0, 0, 2]);
    other
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time-out");
    let request = library::query("a.example.", RecordType::A, None)
        .to_vec()
        .expect("a request");
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(from([127, 0, 0, 1]));
        library::send(&mut other, &request);
        library::receive(&mut other);
    }
    eventually("its own oldest are closed", || {
        let open = crowd.iter().filter(|stream| !is_closed(stream)).count();
        if open <= 20 {
            Ok(())
        } else {
            Err(open.to_string())
        }
    });
    library::send(&mut other, &request);
    library::receive(&mut other);
}

#[test]
fn slow_clients_and_broken_ones_cost_the_others_nothing() {
    let serving = Serving::start(prepared(""), "example.");
    let at = serving.at;
    let request = library::query("a.example.", RecordType::A, None)
        .to_vec()
        .expect("a request");
    let frame = [&(request.len() as u16).to_be_bytes(), &request[..]].concat();
    // A length that lies, half a message, an octet at a time, a half-close, a reset.
    let mut lying = silent(at);
    lying.write_all(b"\xFF\xFFnot as long").expect("sent");
    let mut half = silent(at);
    half.write_all(&frame[..frame.len() / 2]).expect("sent");
    let slow = {
        let frame = frame.clone();
        thread::spawn(move || {
            let mut slow = silent(at);
            for octet in frame {
                slow.write_all(&[octet]).expect("sent");
                answers(at, Transport::Udp);
            }
            library::receive(&mut slow)
        })
    };
    let mut closing = silent(at);
    closing.write_all(&frame.repeat(20)).expect("sent");
    closing
        .shutdown(std::net::Shutdown::Write)
        .expect("a half-close");
    let reset = silent(at);
    socket2::SockRef::from(&reset)
        .set_linger(Some(Duration::ZERO))
        .expect("an option");
    drop(reset);
    for _ in 0..20 {
        answers(at, Transport::Tcp);
    }
    for _ in 0..20 {
        assert_eq!(library::receive(&mut closing)[7], 1);
    }
    assert_eq!(
        closing.read(&mut [0]).expect("an end"),
        0,
        "then the server closes as well"
    );
    assert_eq!(slow.join().expect("an answer")[7], 1);
    half.write_all(&frame[frame.len() / 2..]).expect("sent");
    assert_eq!(library::receive(&mut half)[7], 1, "it was only late");
}

#[test]
fn clients_that_ask_for_much_and_read_nothing_cost_little_memory() {
    let lab = prepared("");
    let mut zone = lab.read("zone");
    // Some 64 KB.
    for number in 0..244 {
        zone += &format!("big TXT \"{number:03}{}\"\n", "x".repeat(252));
    }
    lab.write("zone", &zone);
    let serving = Serving::start(lab, "example.");
    let request = library::query("big.example.", RecordType::TXT, None)
        .to_vec()
        .expect("a request");
    let frame = [&(request.len() as u16).to_be_bytes(), &request[..]].concat();
    answers(serving.at, Transport::Tcp);
    let before = serving.memory_kib("VmRSS");
    let crowd: Vec<TcpStream> = (0..60)
        .map(|_| {
            let mut stream = silent(serving.at);
            // Far more than the buffers of both sides take.
            stream.write_all(&frame.repeat(400)).expect("sent");
            stream
        })
        .collect();
    let counted = || {
        let metrics = serving.lab.cli(&["--json", "status"]).json();
        metrics["server"]["queries"].as_u64().unwrap_or_default()
    };
    // Until no connection gets further.
    let mut last = counted();
    eventually("all are stuck", || {
        thread::sleep(Duration::from_millis(200));
        let now = counted();
        let stuck = now == std::mem::replace(&mut last, now) && now > 60;
        if stuck { Ok(()) } else { Err(now.to_string()) }
    });
    let each = (serving.memory_kib("VmRSS").saturating_sub(before)) / crowd.len() as u64;
    println!("{each} KiB for each connection");
    assert!(each < 400, "{each} KiB for each connection");
    answers(serving.at, Transport::Tcp);
    answers(serving.at, Transport::Udp);
}
