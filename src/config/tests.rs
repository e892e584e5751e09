//! What an operator is told of a configuration.

mod server;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::guard::{Mode, Right};
use crate::rr::Rtype;
use crate::update::SerialPolicy;

const SERVER: &str = "[server]\nlisten = [\"127.0.0.1:0\"]\n";

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::from_str(text, Path::new("/etc/dns"))
}

/// The error of a text that starts with [`SERVER`], two lines.
fn error(text: &str) -> String {
    read(&format!("{SERVER}{text}")).unwrap_err().to_string()
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_right_one() {
    assert_eq!(
        error("udp_thread = 2"),
        "/etc/dns/lastgood.toml:3: unknown key `udp_thread` in [server]; did you mean `udp_threads`?"
    );
    assert_eq!(
        error("[[zone]]\nname = \"a.\"\n[[zone.protect]]\nname = \"api\"\nmin_member = 2"),
        "/etc/dns/lastgood.toml:7: unknown key `min_member` in [[zone.protect]]; \
         did you mean `min_members`?"
    );
    assert_eq!(
        error(
            "[[key]]\nname = \"a.\"\nsecret = \"AAAA\"\nallow = [{ zone = \"*\", name = [\"@\"] }]"
        ),
        "/etc/dns/lastgood.toml:6: unknown key `name` in allow = [{ … }]; did you mean `names`?"
    );
    assert_eq!(
        error("[stoer]\npath = \"x\""),
        "/etc/dns/lastgood.toml:3: unknown key `stoer` in the top level; did you mean `store`?"
    );
}

#[test]
fn what_is_kept_of_the_past_is_never_less_than_a_thousand_revisions() {
    let kept = |text: &str| read(&format!("{SERVER}{text}")).unwrap().store.retention;
    assert_eq!((kept("").revisions, kept("").days), (1_000, 90));
    let set = kept("[store]\nretain_revisions = 5000\nretain_days = 7");
    assert_eq!((set.revisions, set.days), (5_000, 7));
    let error = error("[store]\nretain_revisions = 999");
    assert!(
        error.ends_with("is 999; expected a whole number from 1000 on"),
        "{error}"
    );
}

#[test]
fn lengths_of_time_have_a_unit() {
    let scrub = |text: &str| read(&format!("{SERVER}[store]\nscrub = {text}"));
    let secs = |text: &str| scrub(text).unwrap().change.scrub.map(|span| span.as_secs());
    assert_eq!(
        read(SERVER).unwrap().change.scrub.map(|s| s.as_secs()),
        Some(600)
    );
    assert_eq!(secs("\"90s\""), Some(90));
    assert_eq!(secs("\"10m\""), Some(600));
    assert_eq!(secs("\"6h\""), Some(21_600));
    assert_eq!(secs("\"1d\""), Some(86_400));
    assert_eq!(secs("\"off\""), None);
    for wrong in [
        "600",
        "\"600\"",
        "\"0s\"",
        "\"-1s\"",
        "\"+1s\"",
        "\"s\"",
        "\"\"",
        "\"1µ\"",
        "\"9999999999d\"",
    ] {
        let told = scrub(wrong).expect_err(wrong).to_string();
        assert!(told.contains("a length of time, such as"), "{told}");
    }
    let zone = format!("{SERVER}[[zone]]\nname = \"a.\"\nmax_age = \"7d\"");
    assert_eq!(
        read(&zone).unwrap().change.zones[0].max_age_secs,
        Some(604_800)
    );
}

#[test]
fn what_does_nothing_yet_is_unknown() {
    for setting in [
        "[[zone]]\nname = \"a.\"\ntransfer_to = [\"127.0.0.1\"]",
        "[[zone]]\nname = \"a.\"\nnotify = []",
        "[[zone]]\nname = \"a.\"\n[zone.limits]\nvelocity = \"off\"",
        "[[zone]]\nname = \"a.\"\n[[zone.protect]]\nname = \"api\"\nfence = \"_gen\"",
        "[[zone]]\nname = \"a.\"\n[zone.limits]\nvalidate = { mode = \"enforce\", burst = 3 }",
    ] {
        let error = error(setting);
        assert!(error.contains("unknown key"), "{setting}: {error}");
    }
}

#[test]
fn a_wrong_value_is_named_with_what_was_expected() {
    for (text, told) in [
        (
            "udp_threads = 0",
            ":3: `udp_threads` in [server] is 0; expected a whole number from 1 on",
        ),
        (
            "log = \"xml\"",
            ":3: `log` in [server] is \"xml\"; expected \"human\" or \"json\"",
        ),
        (
            "[[zone]]\nname = \"a..b\"",
            ":4: `name` in [[zone]] is \"a..b\"; expected the name of a zone, such as \"example.com.\"",
        ),
        (
            "[[zone]]\nname = \"a.\"\n[[zone]]\nname = \"A\"",
            ":6: `name` in [[zone]] is \"A\"; expected a name that no other [[zone]] has",
        ),
        (
            "[[zone]]\nname = \"a.\"\n[zone.limits]\nvalidate = true",
            ":6: `validate` in [zone.limits] is true; \
             expected \"off\", or { mode = \"observe\" } or { mode = \"enforce\" }",
        ),
        (
            "[[zone]]\nname = \"a.\"\n[[zone.protect]]\nname = \"api.b.\"",
            ":6: `name` in [[zone.protect]] is \"api.b.\"; expected a name in the zone a.",
        ),
        (
            "[[zone]]\nname = \"a.\"\n[[zone.protect]]\nname = \"api\"\ntypes = [\"A\",\n\"ANY\"]",
            ":8: `types` in [[zone.protect]] is \"ANY\"; expected a record type, such as \"A\"",
        ),
        (
            "[[key]]\nname = \"k.\"\nalgorithm = \"hmac-md5\"",
            ":5: `algorithm` in [[key]] is \"hmac-md5\"; \
             expected \"hmac-sha256\", \"hmac-sha384\", \"hmac-sha512\", \"hmac-sha224\" or \"hmac-sha1\"",
        ),
        (
            "[[key]]\nname = \"k.\"",
            ":3: [[key]] lacks `secret_file`: a file made by `lastgood key generate`, \
             or `secret` with the secret itself",
        ),
        ("[[zone]", ":3: "),
    ] {
        let error = error(text);
        let rest = error
            .strip_prefix("/etc/dns/lastgood.toml")
            .unwrap_or(&error);
        assert!(rest.starts_with(told), "{text}:\n{error}");
    }
    let error = read("").unwrap_err().to_string();
    assert!(error.contains("lacks `server`"), "{error}");
    let error = read("[server]\nlisten = [\"localhost:53\"]")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(":2: `listen` in [server] is \"localhost:53\""),
        "{error}"
    );
}

#[test]
fn no_error_repeats_a_secret() {
    for secret in ["\"hush hush\"", "4711", "[\"hush\"]"] {
        let error = error(&format!("[[key]]\nname = \"k.\"\nsecret = {secret}"));
        assert!(error.contains("`secret` in [[key]] is not"), "{error}");
        assert!(
            !error.contains("hush") && !error.contains("4711"),
            "{error}"
        );
    }
    let config = read(&format!(
        "{SERVER}[[key]]\nname = \"k.\"\nsecret = \"aHVzaA==\""
    ))
    .unwrap();
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("hush") && !shown.contains("aHVzaA"),
        "{shown}"
    );
}

#[test]
fn what_is_left_out_has_its_default_and_paths_are_relative_to_the_file() {
    let config = read(&format!(
        "{SERVER}[[zone]]\nname = \"a.\"\nfile = \"a.zone\""
    ))
    .unwrap();
    assert_eq!(config.store.path, Path::new("/etc/dns/data/lastgood.db"));
    assert_eq!(
        config.admin.socket,
        Path::new("/etc/dns/data/lastgood.sock")
    );
    assert_eq!(
        config.zones[0].file.as_deref(),
        Some(Path::new("/etc/dns/a.zone"))
    );
    assert_eq!(config.log, LogFormat::Human);
    assert_eq!(
        config.wire.answer.version.as_deref(),
        Some(concat!("lastgood ", env!("CARGO_PKG_VERSION")))
    );
    let policy = &config.change.zones[0];
    assert_eq!(policy.serial, SerialPolicy::Increment);
    assert_eq!(
        (policy.validate, policy.min_members),
        (Mode::Enforce, Mode::Enforce)
    );
    assert!(!policy.strict);
}

#[test]
fn policies_and_rights_are_read_as_written() {
    let config = read(
        r#"
        [server]
        listen = ["127.0.0.1:5300", "[::1]:5300"]
        version = "off"
        log = "json"
        [[key]]
        name = "k."
        secret = "aHVzaA=="
        allow = [
          { zone = "*", names = ["@", "*.dyn"] },
          { zone = "a.", names = ["api"], types = ["A"], rdata = ["192.0.2.0/24"] },
        ]
        [[zone]]
        name = "a."
        serial = "date"
        [zone.limits]
        validate = "off"
        min_members = { mode = "observe" }
        [[zone.protect]]
        name = "@"
        types = ["MX"]
        [[zone.protect]]
        name = "api"
        min_members = 2
        external = ["cdn.example.net."]
        [[zone.protect]]
        name = "www.A."
        "#,
    )
    .unwrap();
    assert_eq!(config.log, LogFormat::Json);
    assert_eq!(config.wire.answer.version, None);
    let (_, permits) = &config.change.keys[0];
    assert_eq!(
        (permits[0].zone.as_ref(), permits[0].names.len()),
        (None, 2)
    );
    assert_eq!(permits[1].types, [Rtype::A]);
    let policy = &config.change.zones[0];
    assert_eq!(
        (policy.validate, policy.min_members),
        (Mode::Off, Mode::Observe)
    );
    assert_eq!(policy.serial, SerialPolicy::Date);
    let names: Vec<String> = policy
        .protections
        .iter()
        .map(|p| p.name.to_string())
        .collect();
    assert_eq!(names, ["a.", "api.a.", "www.A."]);
    assert_eq!(policy.protections[0].types, [Rtype::MX]);
    assert_eq!(policy.protections[1].types, [Rtype::A, Rtype::AAAA]);
    let minimums: Vec<usize> = policy.protections.iter().map(|p| p.min_members).collect();
    assert_eq!(minimums, [1, 2, 1]);
}

/// A configuration with one key whose `secret_file` holds `content`.
fn keyed(dir: &Path, content: &str, mode: u32) -> Config {
    let file = dir.join("k.key");
    std::fs::write(&file, content).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    let text = format!("{SERVER}[[key]]\nname = \"k.\"\nsecret_file = \"k.key\"");
    Config::from_str(&text, dir).unwrap()
}

#[test]
fn a_key_file_that_others_may_read_is_refused_with_the_mend() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o644, 0o604, 0o602] {
        let error = keyed(dir.path(), "aHVzaA==", mode)
            .load_keys()
            .unwrap_err()
            .to_string();
        let mend = format!("chmod 600 {}", dir.path().join("k.key").display());
        assert!(error.ends_with(&mend), "{error}");
        assert!(error.contains("lastgood.toml:3: key k.: "), "{error}");
    }
    for mode in [0o600, 0o640, 0o400] {
        keyed(dir.path(), "aHVzaA==\n", mode).load_keys().unwrap();
    }
}

#[test]
fn sha1_is_off_until_the_stanza_turns_it_on() {
    let dir = tempfile::tempdir().unwrap();
    let load = |stanza: &str| {
        let text = format!("{SERVER}[[key]]\nname = \"k.\"\n{stanza}\n");
        Config::from_str(&text, dir.path()).unwrap().load_keys()
    };
    let inline = "algorithm = \"hmac-sha1\"\nsecret = \"aHVzaA==\"";
    let error = load(inline).unwrap_err().to_string();
    let mend = "hmac-sha1 is weak and off; allow_sha1 = true in this [[key]] turns it on";
    assert!(error.ends_with(mend), "{error}");
    assert!(error.contains(":3: key k.: "), "{error}");
    assert!(load(&format!("{inline}\nallow_sha1 = false")).is_err());
    let warnings = load(&format!("{inline}\nallow_sha1 = true"))
        .unwrap()
        .warnings;
    assert!(warnings[0].contains("hmac-sha1 is weak"), "{warnings:?}");
    // The same where the key file names it.
    let clause = key_clause(&"k.".parse().unwrap(), Algorithm::HmacSha1, b"hush");
    let from_file = keyed(dir.path(), &clause, 0o600);
    assert!(
        from_file
            .load_keys()
            .unwrap_err()
            .to_string()
            .ends_with(mend)
    );
    let warnings = load("allow_sha1 = true\nsecret = \"aHVzaA==\"")
        .unwrap()
        .warnings;
    assert!(warnings.iter().all(|warning| !warning.contains("weak")));
}

#[test]
fn a_key_file_is_a_secret_or_a_clause_for_the_same_key() {
    let dir = tempfile::tempdir().unwrap();
    let load = |content: &str| keyed(dir.path(), content, 0o600).load_keys();
    load(&key_clause(
        &"k.".parse().unwrap(),
        Algorithm::HmacSha512,
        b"hush",
    ))
    .unwrap();
    load("# ours\nkey \"K\" { // old\n algorithm hmac-sha256; /* x */ secret aHVzaA==; };")
        .unwrap();
    for (content, told) in [
        ("", "is empty"),
        (
            "key \"other.\" { algorithm hmac-sha256; secret \"aHVzaA==\"; };",
            "holds the key other., not k.",
        ),
        (
            "key \"k.\" { algorithm hmac-md5; secret \"aHVzaA==\"; };",
            "hmac-md5 is not offered",
        ),
        ("key \"k.\" { algorithm hmac-sha256; };", "has no secret"),
        (
            "key \"k.\" { algorithm hmac-sha256; secret \"hush hush\"; };",
            "not base64",
        ),
        (
            "key \"k.\" { algorithm hmac-sha256; secret \"aHVzaA==\"",
            "not complete",
        ),
        ("hush hush hush", "neither a secret in base64 nor a clause"),
    ] {
        let error = load(content).unwrap_err().to_string();
        assert!(error.contains(told), "{content}: {error}");
        assert!(
            !error.contains("hush") && !error.contains("aHVzaA"),
            "{error}"
        );
    }
}

#[test]
fn a_key_file_that_is_not_there_says_how_to_make_one() {
    let text = format!("{SERVER}[[key]]\nname = \"k.\"\nsecret_file = \"nowhere.key\"");
    let error = read(&text).unwrap().load_keys().unwrap_err().to_string();
    assert!(error.contains("/etc/dns/nowhere.key"), "{error}");
    assert!(error.ends_with("lastgood key generate k."), "{error}");
}

#[test]
fn names_that_repeat_their_zone_are_errors() {
    // Taken as they stand they would protect, or permit, `api.example.com.example.com.`.
    let protect = |name: &str| {
        format!("[[zone]]\nname = \"example.com.\"\n[[zone.protect]]\nname = \"{name}\"")
    };
    assert_eq!(
        error(&protect("api.example.com")),
        "/etc/dns/lastgood.toml:6: `name` in [[zone.protect]] is \"api.example.com\"; \
         expected a name without example.com., or with a dot behind it"
    );
    for right in ["api", "api.example.com.", "com", "example.com.api"] {
        read(&format!("{SERVER}{}", protect(right))).unwrap();
    }
    let allow = |zone: &str, name: &str| {
        format!(
            "[[key]]\nname = \"a.\"\nsecret = \"AAAA\"\n\
             allow = [{{ zone = \"{zone}\", names = [\"x\", \"{name}\"] }}]"
        )
    };
    for name in ["api.Example.com", "*.example.com"] {
        let error = error(&allow("example.com.", name));
        assert!(
            error.contains(":6: `names` in") && error.contains(name),
            "{error}"
        );
    }
    read(&format!("{SERVER}{}", allow("*", "api.example.com"))).unwrap();
    read(&format!("{SERVER}{}", allow("example.com.", "*.com"))).unwrap();
}

#[test]
fn addresses_that_cannot_both_be_listened_at_are_errors() {
    let listen = |list: &str| read(&format!("[server]\nlisten = [{list}]"));
    for (list, second) in [
        ("\"127.0.0.1:53\",\n\"127.0.0.1:53\"", "127.0.0.1:53"),
        ("\"0.0.0.0:53\",\n\"127.0.0.1:53\"", "127.0.0.1:53"),
        ("\"[::1]:53\",\n\"[::]:53\"", "[::]:53"),
    ] {
        let error = listen(list).unwrap_err().to_string();
        let told = format!(":3: `listen` in [server] is {second:?}; expected an address that ");
        assert!(error.contains(&told), "{error}");
    }
    for list in [
        "\"127.0.0.1:53\", \"127.0.0.1:5300\", \"127.0.0.2:53\"",
        "\"0.0.0.0:53\", \"[::]:53\", \"[::]:5300\"",
        "\"127.0.0.1:0\", \"127.0.0.1:0\"",
    ] {
        listen(list).unwrap();
    }
}

#[test]
fn more_threads_than_a_machine_could_have_are_an_error() {
    let error = error("udp_threads = 100000");
    assert!(
        error.ends_with("is 100000; expected at most 1024"),
        "{error}"
    );
}

#[test]
fn a_key_that_is_there_twice_is_named_and_what_is_no_text_has_a_line() {
    assert_eq!(
        error("udp_threads = 1\nudp_threads = 2"),
        "/etc/dns/lastgood.toml:4: the key `udp_threads` is there twice"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lastgood.toml");
    std::fs::write(&file, b"[server]\n# M\xfcnchen\n").unwrap();
    let error = Config::load(&file).unwrap_err().to_string();
    assert_eq!(error, format!("{}:2: this is not UTF-8", file.display()));
}

#[test]
fn metrics_are_read_over_tcp_only_where_an_address_is_given() {
    assert_eq!(read(SERVER).unwrap().admin.metrics, None);
    let config = read(&format!("{SERVER}[metrics]\nlisten = \"127.0.0.1:9153\"")).unwrap();
    assert_eq!(
        config.admin.metrics,
        Some("127.0.0.1:9153".parse().unwrap())
    );
    for wrong in ["listen = \"9153\"", "listen = 9153", "port = 9153", ""] {
        let error = error(&format!("[metrics]\n{wrong}"));
        assert!(
            error.contains("[metrics]") || error.contains("an address with a port"),
            "{error}"
        );
    }
}

#[test]
fn ranges_of_addresses_without_types_are_warned_of() {
    let key = |allow: &str| {
        format!(
            "{SERVER}[[key]]\nname = \"a.\"\nsecret = \"AAAA\"\n\
             allow = [{{ zone = \"b.\", names = [\"**\"]{allow} }}]"
        )
    };
    for meant in [
        "",
        ", rdata = [\"192.0.2.0/24\"], types = [\"A\"]",
        ", rdata = [\"192.0.2.0/24\", \"example.net.\"]",
    ] {
        assert_eq!(read(&key(meant)).unwrap().warnings, [""; 0], "{meant}");
    }
    let config = read(&key(", rdata = [\"192.0.2.0/24\", \"2001:db8::/32\"]"));
    let warnings = config.unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("/etc/dns/lastgood.toml:3: key a.: `allow` for b. has addresses"),
        "{warnings:?}"
    );
}

fn permit_of(allow: &str) -> Result<Config, ConfigError> {
    read(&format!(
        "{SERVER}[[key]]\nname = \"k.\"\nsecret = \"AAAA\"\n\
         allow = [{{ zone = \"b.\", names = [\"**\"], {allow} }}]"
    ))
}

#[test]
fn operations_and_addresses_of_a_right_are_read_as_written() {
    let config = permit_of(
        "operations = [\"add\", \"delete-record\"], from = [\"192.0.2.0/24\", \"2001:db8::1\"]",
    )
    .unwrap();
    let (_, permits) = &config.change.keys[0];
    assert_eq!(permits[0].operations, [Right::Add, Right::DeleteRecord]);
    let from: Vec<String> = permits[0].from.iter().map(ToString::to_string).collect();
    assert_eq!(from, ["192.0.2.0/24", "2001:db8::1/128"]);
    let config = permit_of("types = [\"A\"]").unwrap();
    let (_, permits) = &config.change.keys[0];
    assert!(permits[0].operations.is_empty() && permits[0].from.is_empty());
    for (allow, told) in [
        (
            "operation = [\"add\"]",
            "unknown key `operation` in allow = [{ … }]; did you mean `operations`?",
        ),
        (
            "operations = [\"replace\"]",
            "`operations` in allow = [{ … }] is \"replace\"; expected \"add\", \"delete\", or \
             \"delete-record\" for deleting record by record alone",
        ),
        ("operations = \"add\"", "is \"add\"; expected a list"),
        ("operations = []", "is empty; expected \"add\""),
        (
            "from = [\"192.0.2.0/33\"]",
            "`from` in allow = [{ … }] is \"192.0.2.0/33\"; expected an address or a range",
        ),
        (
            "from = [\"example.net.\"]",
            "expected an address or a range",
        ),
        ("from = []", "is empty; expected an address"),
        ("source = []", "there are: zone, names, types"),
    ] {
        let error = permit_of(allow).unwrap_err().to_string();
        assert!(error.contains(":6: "), "{allow}: {error}");
        let is_told = error.contains(told);
        assert!(is_told, "{allow}: {error}");
    }
}

#[test]
fn the_bounds_of_a_ttl_are_read_as_written() {
    let limits = |text: &str| {
        read(&format!(
            "{SERVER}[[zone]]\nname = \"a.\"\n[zone.limits]\n{text}"
        ))
        .map(|config| config.change.zones[0].clone())
    };
    for (text, mode, bounds) in [
        ("", Mode::Observe, [0, 604_800]),
        ("ttl = \"off\"", Mode::Off, [0, 604_800]),
        ("ttl = { mode = \"enforce\" }", Mode::Enforce, [0, 604_800]),
        ("ttl = { min = 30 }", Mode::Observe, [30, 604_800]),
        (
            "ttl = { mode = \"enforce\", min = 5, max = 5 }",
            Mode::Enforce,
            [5, 5],
        ),
        (
            "ttl = { max = 2147483647 }",
            Mode::Observe,
            [0, 2_147_483_647],
        ),
    ] {
        let policy = limits(text).unwrap();
        assert_eq!(
            (policy.ttl.mode, policy.ttl.bounds()),
            (mode, bounds),
            "{text}"
        );
    }
    let observed = limits("scope = { mode = \"observe\" }").unwrap();
    assert_eq!(observed.scope, Mode::Observe);
    for (text, told) in [
        (
            "ttl = { min = 60, max = 30 }",
            "`min` in a rule of [zone.limits] is 60; expected no more than `max`, which is 30",
        ),
        ("ttl = { min = 700000 }", "which is 604800"),
        ("ttl = { min = -1 }", "is -1; expected a number of seconds"),
        ("ttl = { max = 2147483648 }", "from 0 to 2147483647"),
        (
            "ttl = { max = \"1w\" }",
            "is \"1w\"; expected a number of seconds",
        ),
        ("ttl = { maximum = 1 }", "did you mean `max`?"),
        (
            "ttl = { mode = \"approve\" }",
            "expected \"observe\" or \"enforce\"",
        ),
        ("tll = \"off\"", "did you mean `ttl`?"),
        ("scope = \"off\"", "names = [\"**\"]"),
        ("validate = { min = 1 }", "unknown key `min`"),
    ] {
        let error = limits(text).unwrap_err().to_string();
        assert!(
            error.contains(told) && error.contains(":6: "),
            "{text}: {error}"
        );
    }
}
