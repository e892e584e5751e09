//! `[server]`.

use super::*;

#[test]
fn the_server_has_a_name_only_where_it_is_given_one() {
    let identity = |text: &str| {
        read(&format!("{SERVER}{text}"))
            .unwrap()
            .wire
            .answer
            .identity
    };
    assert_eq!(identity(""), None);
    assert_eq!(identity("identity = \"off\""), None);
    assert_eq!(identity("identity = \"ams-1\"").unwrap(), "ams-1");
    let host = nix::unistd::gethostname().unwrap();
    let host = host.to_string_lossy();
    assert_eq!(identity("identity = \"hostname\"").unwrap(), host);
    for (wrong, told) in [
        (
            "identity = true",
            "is true; expected a text, \"hostname\" for",
        ),
        (
            "identity = \"\"",
            "is \"\"; expected a text, \"hostname\" for",
        ),
        (
            &*format!("identity = \"{}\"", "x".repeat(256)),
            "; expected at most 255 octets",
        ),
    ] {
        let error = error(wrong);
        assert!(error.contains(":3: `identity` in [server]"), "{error}");
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn connections_have_limits_and_clients_are_told_the_one_they_ask_for() {
    let wire = |text: &str| read(&format!("{SERVER}{text}")).unwrap().wire;
    let default = wire("");
    assert_eq!(default.tcp.connections_max, 1000);
    assert_eq!(default.tcp.connections_per_address_max, 100);
    assert_eq!(default.tcp.idle.as_secs(), 30);
    let set = wire("tcp_connections = 5\ntcp_connections_per_address = 2\ntcp_idle_secs = 7");
    assert_eq!(set.tcp.connections_max, 5);
    assert_eq!(set.tcp.connections_per_address_max, 2);
    assert_eq!(
        (set.tcp.idle.as_secs(), set.answer.tcp_idle.as_secs()),
        (7, 7)
    );
    for (wrong, expected) in [
        ("tcp_connections = 0", "a whole number from 1 on"),
        (
            "tcp_connections_per_address = \"all\"",
            "a whole number from 1 on",
        ),
        ("tcp_idle_secs = 0", "a whole number from 1 on"),
        ("tcp_idle_secs = 7000", "at most 6553"),
    ] {
        let error = error(wrong);
        assert!(error.ends_with(&format!("expected {expected}")), "{error}");
    }
    assert_eq!(
        error("tcp_idle = 5"),
        "/etc/dns/lastgood.toml:3: unknown key `tcp_idle` in [server]; did you mean `tcp_idle_secs`?"
    );
}
