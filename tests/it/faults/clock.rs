//! The wall clock jumps by a year, each way, while the server runs and over restarts.

use super::*;
use crate::harness::lab::{self, apex, head};
use crate::harness::querier::Querier;
use crate::harness::serving::Serving;
use hickory_proto::rr::RecordType;

const POLICIES: [&str; 3] = ["increment", "unixtime", "date"];

/// libfaketime, which the package `faketime` has.
fn preload() -> Option<String> {
    let found = programs::run(
        Command::new("sh").args(["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"]),
        "",
    );
    let path = found.stdout.trim().to_owned();
    if path.is_empty() {
        programs::not_here(format!(
            "for lack of libfaketime (tests/install has it): {found}"
        ));
        return None;
    }
    Some(path)
}

/// Days that the clock of the server is jumped by.
const DAYS: [i64; 6] = [365, -365, 0, -365, 365, 0];
const DAY_SECS: i64 = 86_400;

/// A server whose clock can be set, and clients who have the same time.
struct Elsewhen {
    serving: Serving,
    preload: String,
    days: i64,
}

impl Elsewhen {
    fn start(lab: Lab, preload: String, days: i64) -> Elsewhen {
        lab.write("offset", &format!("{days:+}d"));
        let mut command = lab.command(&["serve"]);
        command
            .env("LD_PRELOAD", &preload)
            .env("FAKETIME_TIMESTAMP_FILE", lab.path("offset"))
            .env("FAKETIME_NO_CACHE", "1")
            // The other clock does not jump.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
        let serving = Serving::start_as(lab, command, "increment.test.");
        Elsewhen {
            serving,
            preload,
            days,
        }
    }

    fn lab(&self) -> &Lab {
        &self.serving.lab
    }

    fn jump(&mut self, days: i64) {
        self.lab().write("offset", &format!("{days:+}d"));
        self.days = days;
    }

    fn restart(self) -> Elsewhen {
        Elsewhen::start(self.serving.stop(), self.preload, self.days)
    }

    /// An update by a client who has that time: RCODE, or that its clock is not accepted.
    fn update(&self, zone: &str, owner: &str, days: i64) -> String {
        let key = library::demo_key();
        let update = library::update_at(days * DAY_SECS, zone, key, true, |section| {
            section.add_a(owner, [192, 0, 2, 2]);
        });
        let response = library::exchange(self.serving.at, Transport::Tcp, &update.octets);
        // RFC 8945 §5.2.3: the answer is signed with the time of the client.
        if response[3] & 0x0F == 9 {
            return "NOTAUTH".to_owned();
        }
        let response = update.verify(response);
        response.metadata.response_code.to_string()
    }

    fn serial(&self, zone: &str) -> u32 {
        let reply = lab::dig(self.serving.at, &format!("{zone} SOA"));
        let serial = reply
            .data()
            .first()
            .and_then(|soa| soa.split(' ').nth(2)?.parse().ok());
        serial.unwrap_or_else(|| panic!("a serial: {}", reply.text))
    }

    /// An update of each zone is let in, served, and moves the serial forward.
    #[track_caller]
    fn goes_on(&self, name: &str) {
        for policy in POLICIES {
            let zone = format!("{policy}.test");
            let before = self.serial(&zone);
            let owner = format!("{name}.{zone}.");
            assert_eq!(self.update(&zone, &owner, self.days), "No Error", "{owner}");
            let after = self.serial(&zone);
            // RFC 1982: forward is less than half the circle away.
            let ahead = after.wrapping_sub(before);
            assert!(
                ahead > 0 && ahead < 1 << 31,
                "{name} {zone}: {before} to {after}"
            );
            let reply = lab::dig(self.serving.at, &format!("{name}.{zone} A"));
            assert_eq!(reply.data(), ["192.0.2.2"]);
        }
    }
}

fn prepared() -> Lab {
    let mut config = head().replace("[store]\n", "[store]\nscrub = \"1s\"\n");
    let mut files = Vec::new();
    for policy in POLICIES {
        config += &format!(
            "[[zone]]\nname = \"{policy}.test.\"\nfile = \"{policy}.zone\"\nserial = \"{policy}\"\n\
             [[zone.protect]]\nname = \"www\"\ntypes = [\"A\"]\n"
        );
        let text = format!("{}www A 192.0.2.1\n", apex(&format!("{policy}.test.")));
        files.push((format!("{policy}.zone"), text));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    Lab::prepared(&config, &files)
}

#[test]
fn a_clock_that_jumps_by_a_year_each_way_changes_nothing_that_is_served() {
    let Some(preload) = preload() else { return };
    let mut server = Elsewhen::start(prepared(), preload, 0);
    server.goes_on("first");
    let zone = "increment.test.";
    let questions =
        POLICIES.map(|policy| (format!("{policy}.test."), format!("www.{policy}.test.")));
    for (round, days) in DAYS.into_iter().enumerate() {
        let asked: Vec<(&str, &str, RecordType)> = questions
            .iter()
            .map(|(zone, name)| (&**zone, &**name, RecordType::A))
            .collect();
        let querier = Querier::start(server.serving.at, &asked);
        // A hold that is there as the clock jumps is as old as it is.
        let lab = server.lab();
        lab.sql("DELETE FROM record WHERE owner = 'www.increment.test.'");
        lab.until(zone, "holding");
        server.jump(days);
        let lab = server.lab();
        let status = lab.status(zone);
        assert!(status["held_secs"].as_u64() < Some(60), "{days}: {status}");
        assert_eq!(status["state"], "holding", "{days}");
        let age = metric(
            lab,
            &format!("lastgood_zone_age_seconds{{zone=\"{zone}\"}}"),
        );
        assert!((0.0..60.0).contains(&age), "{days}: {age}");
        mend(lab, zone);
        server.goes_on(&format!("at{round}"));
        // Whoever signs by another clock is told so, and changes nothing.
        if days != 0 {
            let status = server.update("increment.test", "no.increment.test.", 0);
            assert_eq!(status, "NOTAUTH");
        }
        // Damage is found within a second of the clock that counts.
        lab.sql("UPDATE record SET rdata = 'x' WHERE owner = 'www.date.test.'");
        lab.until("date.test.", "holding");
        mend(lab, "date.test.");
        lab.cli(&["verify"]).expect_ok();
        querier.end();
        server = server.restart();
        for policy in POLICIES {
            assert_eq!(
                server.lab().state(&format!("{policy}.test.")),
                "live",
                "{days}"
            );
            let reply = lab::dig(server.serving.at, &format!("at{round}.{policy}.test A"));
            assert_eq!(reply.data(), ["192.0.2.2"], "{days}");
        }
        server.goes_on(&format!("restarted{round}"));
    }
    let said = server.serving.said();
    assert!(!said.contains("panicked"), "{said}");
}
