//! TSIG (RFC 8945) as clients have it: every algorithm, every program, and what is wrong with a
//! signature. And that secrets stay where they are.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::base::iana::TsigRcode;
use domain::base::{Message as Raw, ParsedName};
use domain::rdata::tsig::Tsig;
use lastgood::rr::{Name, Rtype};

use crate::alike::wire::{self, IN, Message, Row};
use crate::harness::eventually;
use crate::harness::lab::{self, Lab, PUBLIC_SECRET};
use crate::harness::library::{self, Transport};
use crate::harness::process::Process;
use crate::harness::programs;

const ALGORITHMS: [&str; 5] = [
    "hmac-sha1",
    "hmac-sha224",
    "hmac-sha256",
    "hmac-sha384",
    "hmac-sha512",
];
const RIGHTS: &str = "allow = [{ zone = \"a.test.\", names = [\"**\"] }]\n";

fn zone() -> String {
    "[[zone]]\nname = \"a.test.\"\nfile = \"a.zone\"\n".to_owned()
}

/// The secret in a file of `key generate`, in base64.
fn secret_in(lab: &Lab, file: &str) -> String {
    let clause = lab.read(file);
    let secret = clause.split("secret \"").nth(1).expect("a secret");
    secret.split('"').next().expect("a secret").to_owned()
}

#[test]
fn each_algorithm_signs_for_each_client_with_what_key_generate_made() {
    let mut lab = Lab::prepared("", &[("a.zone", &lab::apex("a.test."))]);
    let mut config = lab::head();
    for algorithm in ALGORITHMS {
        let file = lab.path(&format!("{algorithm}.key"));
        let words = [
            "key",
            "generate",
            algorithm,
            "--algorithm",
            algorithm,
            "--file",
        ];
        let mut command = lab.command(&words);
        let stanza = programs::run(command.arg(&file), "").expect_ok();
        let (head, _) = stanza.split_once("allow = ").expect("a stanza");
        config += &format!("{head}{RIGHTS}");
    }
    lab.write("lastgood.toml", &(config + &zone()));
    lab.start();
    for algorithm in ALGORITHMS {
        let file = format!("{algorithm}.key");
        let path = lab.path(&file).display().to_string();
        let script = format!("zone a.test\nupdate add {algorithm}.a.test. 60 A 192.0.2.1");
        assert_eq!(
            lab.nsupdate(&["-k", &path], &script),
            "NOERROR",
            "{algorithm}"
        );
        let key = format!("{algorithm}:{algorithm}:{}", secret_in(&lab, &file));
        let script = format!(
            "server 127.0.0.1 {}\nzone a.test.\nupdate add {algorithm}.a.test. 60 A 192.0.2.2\n\
             send\nquit\n",
            lab.v4().port()
        );
        let ran = programs::run(Command::new("knsupdate").args(["-y", &key]), &script);
        assert!(ran.ok(), "{algorithm}: {ran}");

        let signed = lab.dig(&format!("-k {path} {algorithm}.a.test A"));
        assert_eq!(signed.data(), ["192.0.2.1", "192.0.2.2"], "{algorithm}");
        let has = |text: &str| signed.text.contains(text);
        assert!(
            has("TSIG PSEUDOSECTION") && has("NOERROR"),
            "{}",
            signed.text
        );
        assert!(!has("verify"), "dig takes the signature: {}", signed.text);
        let signed = lab.kdig(&format!("-y {key} {algorithm}.a.test A"));
        assert_eq!(signed.data(), ["192.0.2.1", "192.0.2.2"], "{algorithm}");
        assert!(!signed.text.contains("WARNING"), "{}", signed.text);
    }
}

#[test]
fn sha1_is_refused_until_its_stanza_allows_it() {
    let stanza = |more: &str| {
        format!(
            "[[key]]\nname = \"old.\"\nalgorithm = \"hmac-sha1\"\n{more}secret = \"{PUBLIC_SECRET}\"\n\
             {RIGHTS}"
        )
    };
    let files = [("a.zone", lab::apex("a.test."))];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let mut lab = Lab::prepared(&(lab::head() + &stanza("") + &zone()), &files);
    let error = lab.try_start().expect_err("it does not start");
    assert!(error.contains("hmac-sha1 is weak and off"), "{error}");
    assert!(error.contains("allow_sha1 = true"), "{error}");
    let config = lab.read("lastgood.toml");
    let allowed = config.replace(&stanza(""), &stanza("allow_sha1 = true\n"));
    lab.write("lastgood.toml", &allowed);
    lab.start();
    let script = "zone a.test\nupdate add old.a.test. 60 A 192.0.2.1";
    let key = format!("hmac-sha1:old:{PUBLIC_SECRET}");
    assert_eq!(lab.update_as(&key, script), "NOERROR");
}

/// The TSIG record at the end of a response: its error, the length of its MAC, its other data.
fn tsig_of(response: &[u8]) -> (TsigRcode, usize, Option<u64>) {
    let message = Raw::from_octets(response).expect("a header");
    let last = message
        .additional()
        .expect("records")
        .last()
        .expect("TSIG")
        .expect("TSIG");
    let record = last
        .into_record::<Tsig<&[u8], ParsedName<&[u8]>>>()
        .expect("TSIG")
        .expect("TSIG");
    let tsig = record.data();
    let time = tsig.other_time().map(u64::from);
    (tsig.error(), tsig.mac().len(), time)
}

#[test]
fn what_is_wrong_with_a_signature_is_told_and_signed_where_it_may_be() {
    let lab = Lab::demo();
    let before = lab.serial("example.com");
    let mut message = Message::of(&"example.com.".parse().expect("a name"));
    message.updates.push(Row {
        owner: "x.example.com.".parse().expect("a name"),
        rtype: Rtype::A,
        class: IN,
        ttl: 60,
        rdata: vec![192, 0, 2, 1],
    });
    let secret = STANDARD.decode(PUBLIC_SECRET).expect("base64");
    let now = || {
        std::time::UNIX_EPOCH
            .elapsed()
            .expect("after 1970")
            .as_secs()
    };
    let sent = |key: &str, secret: &[u8], time: u64, octets: usize| {
        let request = wire::sign_at(message.octets(7), key, secret, time, octets);
        let response = library::exchange(lab.v4(), Transport::Udp, &request);
        assert_eq!(response[..2], [0, 7]);
        (response[3] & 15, response)
    };
    const FULL: usize = 32;
    for (what, (rcode, response), error, mac) in [
        (
            "another key",
            sent("nobody.", &secret, now(), FULL),
            TsigRcode::BADKEY,
            0,
        ),
        (
            "another secret",
            sent("demo.", b"another", now(), FULL),
            TsigRcode::BADSIG,
            0,
        ),
        (
            "an old packet",
            sent("demo.", &secret, now() - 301, FULL),
            TsigRcode::BADTIME,
            FULL,
        ),
        (
            "a clock ahead",
            sent("demo.", &secret, now() + 301, FULL),
            TsigRcode::BADTIME,
            FULL,
        ),
        (
            "half a MAC",
            sent("demo.", &secret, now(), FULL / 2),
            TsigRcode::BADTRUNC,
            FULL,
        ),
        (
            "an old one of half",
            sent("demo.", &secret, now() - 301, FULL / 2),
            TsigRcode::BADTIME,
            FULL,
        ),
    ] {
        assert_eq!(rcode, 9, "{what}: NOTAUTH");
        let (told, octets, time) = tsig_of(&response);
        assert_eq!((told, octets), (error, mac), "{what}");
        assert_eq!(time.is_some(), error == TsigRcode::BADTIME, "{what}");
        if let Some(time) = time {
            assert!(now().abs_diff(time) < 60, "{what}: our time is {time}");
        }
    }
    // Less than half is no MAC of anything (RFC 8945 §5.2.2.1).
    for octets in [0, 9, 15] {
        let (rcode, _) = sent("demo.", &secret, now(), octets);
        assert_eq!(rcode, 1, "{octets} octets: FORMERR");
    }
    // A record behind the signature.
    let mut request = wire::sign(message.octets(7), "demo.", &secret);
    request.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    request[11] += 1;
    for transport in [Transport::Udp, Transport::Tcp] {
        let response = library::exchange(lab.v4(), transport, &request);
        assert_eq!(response[3] & 15, 1, "FORMERR");
    }
    assert_eq!(lab.serial("example.com"), before);
    let (rcode, response) = sent("demo.", &secret, now(), FULL);
    assert_eq!((rcode, tsig_of(&response).1), (0, FULL));
}

/// As it may stand in a text or a file.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let raw = STANDARD.decode(secret).expect("base64");
    let hex: String = raw.iter().map(|octet| format!("{octet:02x}")).collect();
    let listed = format!("{raw:?}");
    vec![
        secret.as_bytes().to_vec(),
        secret.trim_end_matches('=').as_bytes().to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        listed.trim_matches(['[', ']']).as_bytes().to_vec(),
        raw,
    ]
}

#[track_caller]
fn without(what: &str, octets: &[u8], secrets: &[String]) {
    for secret in secrets {
        for form in forms(secret) {
            let found = octets.windows(form.len()).any(|window| window == form);
            assert!(!found, "{what} has {form:?}");
        }
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn a_secret_is_in_no_log_no_error_no_answer_and_no_file_of_the_store() {
    let lab = Lab::prepared("", &[("a.zone", &lab::apex("a.test."))]);
    let generate = |name: &str| {
        let file = lab.path(&format!("{name}key"));
        let mut command = lab.command(&["key", "generate", name, "--file"]);
        programs::run(command.arg(file), "").expect_ok();
        secret_in(&lab, &format!("{name}key"))
    };
    let (inline, kept, other) = (generate("inline."), generate("kept."), generate("other."));
    let secrets = [inline.clone(), kept.clone(), other.clone()];
    let config = format!(
        "{}[[key]]\nname = \"inline.\"\nsecret = \"{inline}\"\n{RIGHTS}\
         [[key]]\nname = \"kept.\"\nsecret_file = \"kept.key\"\n\
         allow = [{{ zone = \"a.test.\", names = [\"only\"] }}]\n{}",
        lab::head(),
        zone()
    );
    let config = config.replace(":0\"", &format!(":{}\"", lab.port));
    lab.write("lastgood.toml", &config);
    let server = Process::start(&lab, "trace");

    let update = |key: &str, script: &str| {
        let at = server.at;
        let input = format!(
            "server {} {}\nzone a.test\n{script}\nsend\n",
            at.ip(),
            at.port()
        );
        let ran = programs::run(Command::new("nsupdate").args(["-y", key]), &input);
        without("nsupdate's output", ran.both().as_bytes(), &secrets);
        ran.ok()
    };
    let add = "update add only.a.test. 60 A 192.0.2.1";
    assert!(update(&format!("hmac-sha256:inline:{inline}"), add));
    assert!(update(
        &format!("hmac-sha256:kept:{kept}"),
        "update delete only.a.test."
    ));
    let refused = "update add elsewhere.a.test. 60 A 192.0.2.1";
    assert!(!update(&format!("hmac-sha256:kept:{kept}"), refused));
    let prerequisite = format!("prereq yxdomain none.a.test.\n{add}");
    assert!(!update(
        &format!("hmac-sha256:inline:{inline}"),
        &prerequisite
    ));
    assert!(!update(&format!("hmac-sha256:inline:{other}"), add));
    assert!(!update(&format!("hmac-sha512:inline:{inline}"), add));
    assert!(!update(&format!("hmac-sha256:nobody:{other}"), add));
    for (key, time, octets) in [("inline.", 1, 32), ("inline.", 0, 16), ("inline.", 0, 3)] {
        let secret = STANDARD.decode(&inline).expect("base64");
        let now = std::time::UNIX_EPOCH
            .elapsed()
            .expect("after 1970")
            .as_secs();
        let origin: Name = "a.test.".parse().expect("a name");
        let message = Message::of(&origin).octets(3);
        let request = wire::sign_at(message, key, &secret, now - time * 9999, octets);
        let response = library::exchange(server.at, Transport::Udp, &request);
        without("an answer", &response, &secrets);
    }

    for words in [
        &["status"][..],
        &["--json", "status"],
        &["log"],
        &["--json", "log"],
        &["verify"],
        &["--json", "zone", "export", "a.test."],
        &["snapshot", "show"],
        &["freeze", "--key", "kept.", "--reason", "INC-1"],
        &[
            "--json",
            "key",
            "generate",
            "another.",
            "--file",
            "another.key",
        ],
    ] {
        let mut command = lab.command(words);
        let ran = programs::run(command.current_dir(lab.path("")), "");
        without(&words.join(" "), ran.both().as_bytes(), &secrets);
        assert!(ran.ok(), "{words:?}: {ran}");
    }
    let rows = lab.cli(&["--json", "log"]).json();
    for row in rows.as_array().expect("rows") {
        let reference = row["reference"].as_str().expect("a reference");
        let ran = lab.cli(&["--json", "why", reference]);
        without("why", ran.both().as_bytes(), &secrets);
    }

    // Configurations that are wrong right where the secret is.
    for (what, wrong) in [
        (
            "two secrets",
            config.replace(
                "secret_file = \"kept.key\"",
                &format!("secret_file = \"kept.key\"\nsecret = \"{kept}\""),
            ),
        ),
        (
            "no quotation mark",
            config.replace(&format!("\"{inline}\""), &format!("\"{inline}")),
        ),
        (
            "no quotation marks",
            config.replace(&format!("\"{inline}\""), &inline),
        ),
        ("no base64", config.replace(&inline, &format!("{inline}!"))),
        (
            "a list",
            config.replace(&format!("\"{inline}\""), &format!("[\"{inline}\"]")),
        ),
        (
            "an unknown key",
            config.replace("secret = \"", "secrets = \""),
        ),
        (
            "twice",
            config.replace(
                &format!("secret = \"{inline}\""),
                &format!("secret = \"{inline}\"\nsecret = \"{inline}\""),
            ),
        ),
        ("a wrong file", config.replace("kept.key", "said")),
        ("another's file", config.replace("kept.key", "other.key")),
    ] {
        lab.write("lastgood.toml", &wrong);
        for words in [&["reload"][..], &["--json", "reload"], &["serve"]] {
            let ran = lab.cli(words);
            assert!(!ran.ok(), "{what}: {ran}");
            without(what, ran.both().as_bytes(), &secrets);
        }
    }
    lab.write("lastgood.toml", &config);
    server.kill();
    let server = Process::start(&lab, "trace");
    let stop = format!("kill {}", server.id());
    lab.shell(&stop);
    eventually("the store is closed", || {
        let ran = lab.cli(&["--json", "status"]);
        (!ran.ok()).then_some(()).ok_or(ran.to_string())
    });
    let said = lab.read("said");
    assert!(
        said.contains("TRACE") || said.contains("DEBUG") || said.contains("refused"),
        "{said}"
    );
    let is_key = |path: &Path| {
        path.extension()
            .is_some_and(|ext| ext == "key" || ext == "toml")
    };
    let mut looked_at = 0;
    for path in files(&lab.path("")).iter().filter(|path| !is_key(path)) {
        let Ok(octets) = fs::read(path) else { continue };
        without(&path.display().to_string(), &octets, &secrets);
        looked_at += 1;
    }
    assert!(looked_at >= 4, "store, snapshot, log and zone at least");
}

/// Ends a process that would leave a core; a shell gives it the right to.
fn aborted(mut command: Command, is_ready: impl Fn() -> bool) -> ExitStatus {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts");
    eventually("it is ready", || {
        is_ready().then_some(()).ok_or("not yet".to_owned())
    });
    let line = format!("kill -ABRT {}", child.id());
    programs::run(Command::new("sh").args(["-c", &line]), "").expect_ok();
    programs::wait(&mut child, Duration::from_secs(20)).expect("it ends in time")
}

#[test]
fn a_server_that_aborts_leaves_no_core() {
    const WITH_CORES: [&str; 3] = ["-c", "ulimit -c unlimited && exec \"$@\"", "sh"];
    let lab = Lab::prepared_demo();
    let mut other = Command::new("sh");
    let mark = lab.path("mark");
    other
        .args(WITH_CORES)
        .args(["sh", "-c", "touch \"$1\"; read x <\"$2\"", "sh"]);
    let pipe = lab.path("pipe");
    lab.shell(&format!("mkfifo {}", pipe.display()));
    other.arg(&mark).arg(&pipe).current_dir(lab.path(""));
    if !aborted(other, || mark.exists()).core_dumped() {
        programs::not_here("no process leaves a core");
        return;
    }
    let served = lab.command(&["serve"]);
    let mut command = Command::new("sh");
    command
        .args(WITH_CORES)
        .arg(served.get_program())
        .args(served.get_args());
    command.current_dir(lab.path(""));
    let status = aborted(command, || lab.cli(&["--json", "status"]).ok());
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped(), "the secrets would be in it");
}
