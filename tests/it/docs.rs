//! The commands of the pages in docs, run in their order (see `harness::pages`), as if lastgood were
//! installed: the paths are those of the package, below a folder of the test, and `sudo`, `systemctl` and
//! `journalctl` are small scripts that know this one server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastgood::config::Config;

use crate::harness::lab::{self, Lab};
use crate::harness::pages::{Page, Scene};
use crate::harness::programs::{self, Ran};

/// Folders of an installed system, each of them also below the lab.
const FOLDERS: [&str; 4] = [
    "/etc/lastgood",
    "/var/lib/lastgood",
    "/run/lastgood",
    "/var/backups",
];

struct Installed(Lab);

impl Installed {
    fn new() -> Installed {
        let lab = Lab::prepared("", &[]);
        for folder in FOLDERS.iter().map(|folder| &folder[1..]).chain(["bin"]) {
            fs::create_dir_all(lab.path(folder)).expect("a folder");
        }
        fs::create_dir(lab.path("etc/lastgood/keys")).expect("a folder");
        for zone in ["example.com.zone", "2.0.192.in-addr.arpa.zone"] {
            let to = lab.path("etc/lastgood").join(zone);
            fs::copy(lab::zones().join(zone), to).expect("a zone file");
        }
        let installed = Installed(lab);
        let root = installed.root();
        let program = format!(
            "exec {} --config {root}/etc/lastgood/lastgood.toml \"$@\"",
            env!("CARGO_BIN_EXE_lastgood")
        );
        for (name, body) in [
            ("lastgood", &*program),
            ("sudo", "if [ \"$1\" = -u ]; then shift 2; fi; exec \"$@\""),
            ("journalctl", &format!("cat {root}/journal")),
            ("systemctl", &SYSTEMCTL.replace("ROOT", &root)),
        ] {
            installed.script(name, body);
        }
        installed
    }

    fn root(&self) -> String {
        let root = self.0.path("").display().to_string();
        root.trim_end_matches('/').to_owned()
    }

    fn script(&self, name: &str, body: &str) {
        let path = self.0.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    /// What a page says, for where it is followed.
    fn here(&self, text: &str) -> String {
        let (root, port) = (self.root(), self.0.port);
        let mut text = text.to_owned();
        for folder in FOLDERS {
            text = text.replace(folder, &format!("{root}{folder}"));
        }
        text.replace("127.0.0.1:53\"", &format!("127.0.0.1:{port}\""))
            .replace("@127.0.0.1", &format!("-p {port} @127.0.0.1"))
            .replace("server 127.0.0.1\n", &format!("server 127.0.0.1 {port}\n"))
    }
}

/// The server is a child of nobody here: a process that ended may stay as a zombie.
const SYSTEMCTL: &str = r#"
pid=$(cat ROOT/pid 2>/dev/null)
runs() { [ -n "$pid" ] && [ "$(sed 's/.*) //;s/ .*//' /proc/$pid/stat 2>/dev/null || echo Z)" != Z ]; }
stop() { if runs; then kill -TERM "$pid"; while runs; do sleep 0.02; done; fi; rm -f ROOT/pid; }
start() {
    cd ROOT
    ROOT/bin/lastgood serve </dev/null >>ROOT/journal 2>&1 &
    pid=$!
    echo "$pid" >ROOT/pid
    # Ready when it tells how it is, and be it that a zone holds.
    while runs; do
        ROOT/bin/lastgood status >/dev/null 2>&1
        [ $? = 2 ] || break
        sleep 0.02
    done
}
case $1 in
    start) start ;;
    stop) stop ;;
    restart) stop; start ;;
    reload) exec ROOT/bin/lastgood reload ;;
    *) exit 2 ;;
esac
"#;

impl Scene for Installed {
    fn run(&self, commands: &str) -> Ran {
        let mut command = Command::new("bash");
        command.args(["-c", &self.here(commands)]);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.0.path("bin").display()));
        command.current_dir(self.0.path(""));
        let mut ran = programs::run(&mut command, "");
        for text in [&mut ran.stdout, &mut ran.stderr] {
            *text = text.replace(&self.root(), "");
        }
        ran
    }

    fn log(&self) -> Vec<serde_json::Value> {
        let ran = self.run("lastgood --json log --limit 500");
        let rows: Result<Vec<_>, _> = serde_json::from_str(&ran.stdout);
        // Where there is no history at the moment, there are no references.
        rows.unwrap_or_default()
    }

    fn write(&self, path: &Path, text: &str) {
        let path = PathBuf::from(self.here(&path.display().to_string()));
        fs::write(path, self.here(text)).expect("a file");
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        self.run("systemctl stop lastgood");
    }
}

fn follow(name: &'static str) {
    let page = Page::read(name);
    assert!(page.blocks.len() > 4, "{name} has commands");
    let installed = Installed::new();
    for block in &page.blocks {
        page.follow(&installed, block);
    }
}

/// A test for each page, and the list of them.
macro_rules! followed {
    ($($test:ident: $page:literal,)*) => {
        /// The pages whose commands are run here.
        pub const FOLLOWED: &[&str] = &[$($page),*];

        $(#[test]
        fn $test() {
            follow($page);
        })*
    };
}

followed! {
    every_command_of_the_operations_page_does_what_the_page_says: "docs/operations.md",
    every_command_of_the_runbook_does_what_the_runbook_says: "docs/runbook.md",
    every_command_of_the_page_on_keys_does_what_the_page_says: "docs/keys.md",
}

/// The pages whose configurations are read here.
pub const CONFIGURED: &[&str] = &["docs/operations.md", "docs/keys.md"];

#[test]
fn every_configuration_on_these_pages_is_one() {
    for name in CONFIGURED {
        let parts = Page::read(name).fenced("toml");
        assert!(!parts.is_empty(), "{name} shows a configuration");
        for part in parts {
            // A part that is about something else stands for itself. Its keys are files elsewhere.
            let whole = match part.contains("[server]") {
                true => part.clone(),
                false => format!("[server]\nlisten = [\"127.0.0.1:53\"]\n{part}"),
            };
            if let Err(error) = Config::from_str(&whole, Path::new("/etc/lastgood")) {
                panic!("{name}: {error}");
            }
        }
    }
}

/// The keys, asked from the program: it lists them when it is given one that it does not know.
#[test]
fn the_operations_page_explains_every_key_of_the_configuration() {
    let page = Page::read("docs/operations.md");
    let server = "[server]\nlisten = [\"127.0.0.1:53\"]\n";
    let key = "[[key]]\nname = \"a.\"\nsecret = \"AAAA\"\n";
    let zone = "[[zone]]\nname = \"a.\"\n";
    for (section, text) in [
        ("[server]", server.to_owned()),
        ("[store]", format!("{server}[store]\n")),
        ("[control]", format!("{server}[control]\n")),
        ("[metrics]", format!("{server}[metrics]\n")),
        ("[[key]]", format!("{server}{key}")),
        ("allow", format!("{server}{key}[[key.allow]]\n")),
        ("[[zone]]", format!("{server}{zone}")),
        ("[zone.limits]", format!("{server}{zone}[zone.limits]\n")),
        (
            "[[zone.protect]]",
            format!("{server}{zone}[[zone.protect]]\n"),
        ),
    ] {
        let unknown = Config::from_str(&format!("{text}zzzzzzzzzzzz = 1\n"), Path::new("/"));
        let told = unknown.expect_err("an unknown key").to_string();
        let (_, known) = told
            .split_once("there are: ")
            .unwrap_or_else(|| panic!("{section}: {told}"));
        for key in known.split(", ") {
            let row = format!("\n| `{key}` |");
            assert!(page.text.contains(&row), "`{key}` of {section}");
        }
    }
}

#[test]
fn the_operations_page_lists_every_family_of_metrics() {
    let page = Page::read("docs/operations.md");
    let lab = Lab::demo();
    let mut curl = Command::new("curl");
    curl.args(["-s", "--unix-socket"]);
    curl.arg(lab.path("data/demo.sock"));
    let text = programs::run(curl.arg("http://localhost/metrics"), "").expect_ok();
    let families: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    assert!(families.len() > 20, "{text}");
    for family in families {
        assert!(page.text.contains(&format!("`{family}")), "{family}");
    }
}
