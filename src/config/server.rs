//! `[server]`: where to listen, what is said of ourselves, who gets a connection.

use std::net::SocketAddr;
use std::time::Duration;

use super::ConfigError;
use super::section::{Entry, Section};
use crate::rr::message::UDP_OCTETS_MAX;
use crate::{answer, wire};

const SERVER: &[&str] = &[
    "listen",
    "udp_threads",
    "log",
    "version",
    "identity",
    "ask_from",
    "tcp_connections",
    "tcp_connections_per_address",
    "tcp_idle_secs",
];
const FROM: &str = "an address or a range of addresses, such as \"192.0.2.0/24\"";
/// More than one for each core do not answer more.
const UDP_THREADS_MAX: usize = 1024;
/// Of a text that is one character-string, and one option.
const TEXT_OCTETS_MAX: usize = 255;
/// What a keepalive option can tell (RFC 7828 §3.1), which is below two hours.
const TCP_IDLE_SECS_MAX: usize = 6553;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

pub(super) fn read(top: &Section<'_>) -> Result<(wire::Settings, LogFormat), ConfigError> {
    let section = top
        .require("server", "where to listen: listen = [\"127.0.0.1:5300\"]")?
        .section("[server]", SERVER)?;
    let udp_threads = match section.get("udp_threads") {
        Some(entry) => at_most(&entry, UDP_THREADS_MAX)?,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let log = match section.get("log") {
        None => LogFormat::Human,
        Some(entry) => match entry.text("\"human\" or \"json\"")? {
            "human" => LogFormat::Human,
            "json" => LogFormat::Json,
            _ => return Err(entry.wrong("\"human\" or \"json\"")),
        },
    };
    let tcp = tcp(&section)?;
    let answer = answer::Settings {
        version: version(&section)?,
        identity: identity(&section)?,
        udp_octets_max: UDP_OCTETS_MAX,
        tcp_idle: tcp.idle,
    };
    let settings = wire::Settings {
        listen: listen(&section)?,
        udp_threads,
        answer,
        ask_from: section.list("ask_from", FROM)?,
        tcp,
    };
    Ok((settings, log))
}

fn listen(section: &Section<'_>) -> Result<Vec<SocketAddr>, ConfigError> {
    const ADDRESSES: &str = "addresses with ports, such as [\"127.0.0.1:5300\", \"[::1]:5300\"]";
    let entry = section.require("listen", ADDRESSES)?;
    let listen: Vec<SocketAddr> =
        section.list("listen", "an address with a port, such as \"127.0.0.1:53\"")?;
    if listen.is_empty() {
        return Err(entry.wrong_as("empty", ADDRESSES));
    }
    for (at, item) in entry.items(ADDRESSES)?.iter().enumerate() {
        if let Some(other) = listen[..at]
            .iter()
            .find(|&&other| overlap(other, listen[at]))
        {
            return Err(item.wrong(format!("an address that {other} before it does not cover")));
        }
    }
    Ok(listen)
}

/// Whether two sockets cannot listen at both.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |a: SocketAddr, b: SocketAddr| a.ip() == b.ip() || a.ip().is_unspecified();
    one.is_ipv4() == other.is_ipv4()
        && one.port() == other.port()
        // Port 0 is another one each time.
        && one.port() != 0
        && (covers(one, other) || covers(other, one))
}

fn version(section: &Section<'_>) -> Result<Option<String>, ConfigError> {
    let Some(entry) = section.get("version") else {
        return Ok(Some(format!("lastgood {}", env!("CARGO_PKG_VERSION"))));
    };
    Ok(match short(&entry, "a text, or \"off\"")? {
        "off" => None,
        text => Some(text.to_owned()),
    })
}

/// Nothing, unless the file says so: it may be the name of a machine, which is nobody's business.
fn identity(section: &Section<'_>) -> Result<Option<String>, ConfigError> {
    const IDENTITY: &str = "a text, \"hostname\" for the name of the machine, or \"off\"";
    let Some(entry) = section.get("identity") else {
        return Ok(None);
    };
    Ok(match short(&entry, IDENTITY)? {
        "off" => None,
        "" => return Err(entry.wrong(IDENTITY)),
        "hostname" => {
            let name = nix::unistd::gethostname();
            let name = name.map_err(|error| {
                entry.wrong(format!("a text: this machine tells no name ({error})"))
            })?;
            Some(name.to_string_lossy().into_owned())
        }
        text => Some(text.to_owned()),
    })
}

fn tcp(section: &Section<'_>) -> Result<wire::TcpLimits, ConfigError> {
    let mut limits = wire::TcpLimits::default();
    if let Some(entry) = section.get("tcp_connections") {
        limits.connections_max = entry.count()?;
    }
    if let Some(entry) = section.get("tcp_connections_per_address") {
        limits.connections_per_address_max = entry.count()?;
    }
    if let Some(entry) = section.get("tcp_idle_secs") {
        limits.idle = Duration::from_secs(at_most(&entry, TCP_IDLE_SECS_MAX)? as u64);
    }
    Ok(limits)
}

fn short<'a>(entry: &Entry<'a>, expected: &str) -> Result<&'a str, ConfigError> {
    match entry.text(expected)? {
        text if text.len() > TEXT_OCTETS_MAX => {
            Err(entry.wrong(format!("at most {TEXT_OCTETS_MAX} octets")))
        }
        text => Ok(text),
    }
}

fn at_most(entry: &Entry<'_>, most: usize) -> Result<usize, ConfigError> {
    match entry.count()? {
        count if count > most => Err(entry.wrong(format!("at most {most}"))),
        count => Ok(count),
    }
}
