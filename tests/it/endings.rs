//! Starting, stopping, and starting again.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::eventually;
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};
use crate::harness::programs;

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let mut lab = Lab::demo();
    for number in 1..=10 {
        let script =
            format!("zone example.com\nupdate add kept{number}.example.com. 60 A 192.0.2.1");
        assert_eq!(lab.update(&script), "NOERROR");
    }
    let serial = lab.serial("example.com");
    let before = lab.cli(&["zone", "export", "example.com."]).expect_ok();
    lab.restart();
    assert_eq!(lab.serial("example.com"), serial, "a restart is no change");
    assert_eq!(
        lab.cli(&["zone", "export", "example.com."]).expect_ok(),
        before
    );
    assert_eq!(lab.data("kept10.example.com A"), ["192.0.2.1"]);
    assert_eq!(
        lab.update("zone example.com\nupdate delete api.example.com. A"),
        "REFUSED"
    );
}

#[test]
fn a_zone_file_is_imported_once() {
    let mut lab = Lab::demo();
    assert_eq!(
        lab.update("zone example.com\nupdate delete chat.example.com. AAAA"),
        "NOERROR"
    );
    lab.restart();
    assert_eq!(lab.data("chat.example.com AAAA"), [""; 0]);
}

#[test]
fn a_second_server_on_the_same_store_is_refused() {
    let lab = Lab::demo();
    let ran = lab.cli(&["serve"]);
    assert!(!ran.ok(), "{ran}");
    assert!(
        ran.both().contains("demo."),
        "it names the store or socket: {ran}"
    );
    assert_eq!(
        lab.dig("api.example.com A").status,
        "NOERROR",
        "the first goes on"
    );
    assert_eq!(
        lab.update("zone example.com\nupdate add a.example.com. 60 A 192.0.2.1"),
        "NOERROR"
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let lab = Lab::demo();
    let other = Lab::prepared_demo();
    let taken = lab.v4().to_string();
    let config = other
        .read("lastgood.toml")
        .replace(&format!("127.0.0.1:{}", other.port), &taken);
    other.write("lastgood.toml", &config);
    let ran = other.cli(&["serve"]);
    assert!(!ran.ok() && ran.stderr.contains(&taken), "{ran}");
}

/// The program itself, on a port that was free a moment ago.
struct Serving {
    child: Child,
    at: SocketAddr,
    said: Vec<JoinHandle<Vec<String>>>,
}

fn read_on(stream: Box<dyn Read + Send>) -> JoinHandle<Vec<String>> {
    thread::spawn(move || {
        BufReader::new(stream)
            .lines()
            .map_while(Result::ok)
            .collect()
    })
}

impl Serving {
    fn start(lab: &Lab) -> Serving {
        let mut serving = Serving::spawn(lab);
        // Its words are read on, so that a full pipe never stops it.
        let streams = [
            Box::new(serving.child.stdout.take().expect("piped")) as Box<dyn Read + Send>,
            Box::new(serving.child.stderr.take().expect("piped")),
        ];
        serving.said = streams.map(read_on).into();
        serving.answering(lab)
    }

    /// Nobody reads what it prints: the pipes are closed.
    fn unheard(lab: &Lab) -> Serving {
        let mut serving = Serving::spawn(lab);
        serving.child.stdout = None;
        serving.child.stderr = None;
        serving.answering(lab)
    }

    fn spawn(lab: &Lab) -> Serving {
        let at = SocketAddr::from(([127, 0, 0, 1], lab.port));
        let config = lab.read("lastgood.toml");
        let listen = config
            .lines()
            .find(|line| line.starts_with("listen"))
            .expect("listen");
        lab.write(
            "lastgood.toml",
            &config.replace(listen, &format!("listen = [\"{at}\"]")),
        );
        let mut command = lab.command(&["serve"]);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        Serving {
            child,
            at,
            said: Vec::new(),
        }
    }

    fn answering(mut self, lab: &Lab) -> Serving {
        eventually("the server answers", || {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return Err(format!("it ended: {status}"));
            }
            let ran = lab.cli(&["--json", "status"]);
            if ran.ok() {
                Ok(())
            } else {
                Err(ran.to_string())
            }
        });
        self
    }

    fn signal(&self, signal: &str) {
        let line = format!("kill -{signal} {}", self.child.id());
        programs::run(Command::new("sh").args(["-c", &line]), "").expect_ok();
    }

    /// The lines that it printed, once it has ended.
    fn said(&mut self) -> Vec<String> {
        self.said
            .drain(..)
            .flat_map(|lines| lines.join().expect("a reader"))
            .collect()
    }

    /// Its exit code; none where a signal ended it.
    fn ended(&mut self) -> Option<i32> {
        let status = programs::wait(&mut self.child, Duration::from_secs(20));
        status.expect("it ends in time").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[test]
fn sigterm_finishes_what_is_in_flight() {
    for signal in ["TERM", "INT"] {
        let lab = Lab::prepared_demo();
        let mut serving = Serving::start(&lab);
        let at = serving.at;
        // Eight clients add records one after another, until the server is gone.
        let clients: Vec<_> = (0..8)
            .map(|client| thread::spawn(move || added(at, client)))
            .collect();
        eventually("updates are coming in", || {
            let reply = lab::dig(at, "c0-3.example.com A");
            if reply.answer.is_empty() {
                Err(reply.text)
            } else {
                Ok(())
            }
        });
        serving.signal(signal);
        assert_eq!(serving.ended(), Some(0), "{signal}");
        let acknowledged: Vec<String> = clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client"))
            .collect();
        assert!(!acknowledged.is_empty());
        let serving = Serving::start(&lab);
        for name in acknowledged {
            let reply = lab::dig(serving.at, &format!("{name} A"));
            assert_eq!(reply.answer.len(), 1, "{signal} {name}: {}", reply.text);
        }
    }
}

#[test]
fn sighup_does_not_end_the_server() {
    let lab = Lab::prepared_demo();
    let mut serving = Serving::start(&lab);
    for _ in 0..3 {
        serving.signal("HUP");
        let reply = lab::dig(serving.at, "api.example.com A");
        assert_eq!(reply.status, "NOERROR", "{}", reply.text);
    }
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0), "it ends when it is asked to");
}

#[test]
fn a_server_that_nobody_listens_to_goes_on() {
    let lab = Lab::prepared_demo();
    // As when the program at the other end of a pipe ends: every line and the screen fail.
    let mut serving = Serving::unheard(&lab);
    for number in 0..3 {
        let update = library::update("example.com.", library::demo_key(), false, |section| {
            section.add_a(&format!("unheard{number}.example.com."), [192, 0, 2, 1]);
        });
        let response = update.send(serving.at, Transport::Udp);
        assert_eq!(
            response.metadata.response_code,
            hickory_proto::op::ResponseCode::NoError
        );
    }
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
}

/// The names whose updates this client saw acknowledged.
fn added(at: SocketAddr, client: usize) -> Vec<String> {
    let mut names = Vec::new();
    for number in 0.. {
        let name = format!("c{client}-{number}.example.com.");
        let update = library::update("example.com.", library::demo_key(), false, |section| {
            section.add_a(&name, [192, 0, 2, 1]);
        });
        // A connection for each, so that the end of the server is noticed at once.
        match library::try_exchange_tcp(at, &update.octets) {
            Some(response) if response[3] & 15 == 0 => names.push(name),
            _ => return names,
        }
    }
    names
}

#[test]
fn a_server_that_was_killed_has_lost_nothing_it_acknowledged() {
    let lab = Lab::prepared_demo();
    let mut serving = Serving::start(&lab);
    let at = serving.at;
    let clients: Vec<_> = (0..4)
        .map(|client| thread::spawn(move || added(at, client)))
        .collect();
    eventually("updates are coming in", || {
        let reply = lab::dig(at, "c0-5.example.com A");
        if reply.answer.is_empty() {
            Err(reply.text)
        } else {
            Ok(())
        }
    });
    serving.signal("KILL");
    serving.ended();
    let acknowledged: Vec<String> = clients
        .into_iter()
        .flat_map(|client| client.join().expect("a client"))
        .collect();
    let serving = Serving::start(&lab);
    for name in acknowledged {
        assert_eq!(
            lab::dig(serving.at, &format!("{name} A")).answer.len(),
            1,
            "{name}"
        );
    }
    let update = library::update("example.com.", library::demo_key(), false, |section| {
        section.add_a("after.example.com.", [192, 0, 2, 1]);
    });
    let response = update.send(serving.at, Transport::Udp);
    assert_eq!(
        response.metadata.response_code,
        hickory_proto::op::ResponseCode::NoError
    );
}

#[test]
fn a_secret_that_others_can_read_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let mut lab = Lab::prepared_demo();
    let config = lab.read("lastgood.toml");
    let inline = format!("secret = \"{PUBLIC_SECRET}\"");
    lab.write(
        "lastgood.toml",
        &config.replace(&inline, "secret_file = \"demo.key\""),
    );
    lab.write("demo.key", &format!("{PUBLIC_SECRET}\n"));
    let mode = |bits| {
        let permissions = fs::Permissions::from_mode(bits);
        fs::set_permissions(lab.path("demo.key"), permissions).expect("ours");
    };
    mode(0o644);
    let ran = lab.cli(&["serve"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("demo.key"), "{ran}");
    assert!(!ran.both().contains(PUBLIC_SECRET), "never a secret");
    mode(0o600);
    lab.start();
    assert_eq!(
        lab.update("zone example.com\nupdate add k.example.com. 60 A 192.0.2.1"),
        "NOERROR"
    );
}

#[test]
fn an_error_in_the_configuration_names_file_key_and_the_nearest_right_one() {
    let lab = Lab::prepared_demo();
    let config = lab.read("lastgood.toml");
    for (right, wrong) in [
        ("udp_threads", "udp_thread"),
        ("min_members", "min_member"),
        ("listen", "lisen"),
    ] {
        lab.write(
            "lastgood.toml",
            &config.replacen(&format!("{right} ="), &format!("{wrong} ="), 1),
        );
        let ran = lab.cli(&["serve"]);
        assert_eq!(ran.code, Some(2), "{ran}");
        for word in ["lastgood.toml", wrong, right] {
            assert!(ran.stderr.contains(word), "{word}: {ran}");
        }
    }
}

#[test]
fn an_idle_connection_does_not_keep_a_server_from_ending() {
    let lab = Lab::prepared_demo();
    let mut serving = Serving::start(&lab);
    let idle: Vec<_> = (0..10).map(|_| library::connect(serving.at)).collect();
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    drop(idle);
}

#[test]
fn the_log_is_json_when_the_configuration_says_so() {
    let lab = Lab::prepared_demo();
    let config = lab
        .read("lastgood.toml")
        .replace("[server]", "[server]\nlog = \"json\"");
    lab.write("lastgood.toml", &config);
    let mut serving = Serving::start(&lab);
    let emptying = library::update("example.com.", library::demo_key(), false, |section| {
        section.delete_a("api.example.com.");
    });
    emptying.send(serving.at, Transport::Udp);
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    let lines = serving.said();
    let values: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let refusals: Vec<_> = values
        .iter()
        .filter(|value| value.to_string().contains("min-members"))
        .collect();
    assert_eq!(refusals.len(), 1, "one line for a refusal: {values:#?}");
    assert!(
        refusals[0].to_string().contains("reference"),
        "{}",
        refusals[0]
    );
    assert!(!lines.concat().contains(PUBLIC_SECRET), "never a secret");
}
