//! What is installed: unit, image, package and the configuration they come with agree with each other
//! and with the program. `docker/package` builds and installs the package itself, `docker/image` builds and
//! runs the image.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lastgood::config::{Config, DEFAULT_PATHS};

use crate::harness::lab::{self, Lab};
use crate::harness::programs;

const PROGRAM: &str = "/usr/bin/lastgood";
const STORE_FOLDER: &str = "/var/lib/lastgood";
const SOCKET_FOLDER: &str = "/run/lastgood";
const CONFIG_FOLDER: &str = "/etc/lastgood";

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> String {
    fs::read_to_string(top().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The values that a unit file gives to a key.
fn unit(key: &str) -> Vec<String> {
    let text = file("docker/lastgood.service");
    let values = text.lines().filter_map(|line| line.split_once('='));
    values
        .filter(|(found, _)| *found == key)
        .map(|(_, value)| value.to_owned())
        .collect()
}

/// The instructions of the Dockerfile, continued lines joined.
fn image() -> Vec<String> {
    let text = file("docker/Dockerfile").replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

struct Asset {
    source: String,
    target: PathBuf,
    mode: String,
}

fn package() -> toml::Table {
    let manifest: toml::Table = file("Cargo.toml").parse().expect("Cargo.toml is TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    deb.as_table().expect("a table").clone()
}

fn assets() -> Vec<Asset> {
    let package = package();
    let assets = package["assets"].as_array().expect("a list");
    let asset = |item: &toml::Value| {
        let part = |at: usize| item[at].as_str().expect("text").to_owned();
        let mut target = Path::new("/").join(part(1));
        if part(1).ends_with('/') {
            target.push(Path::new(&part(0)).file_name().expect("a file"));
        }
        Asset {
            source: part(0),
            target,
            mode: part(2),
        }
    };
    assets.iter().map(asset).collect()
}

/// Whether the repository has the file, or any file that a pattern such as `docs/*.md` names.
fn exists(source: &str) -> bool {
    let path = top().join(source);
    let Some((folder, ending)) = source.split_once('*') else {
        return path.exists();
    };
    let mut entries = fs::read_dir(top().join(folder)).expect("a folder");
    entries.any(|entry| {
        let name = entry.expect("a file").file_name();
        name.to_string_lossy().ends_with(ending)
    })
}

#[test]
fn the_package_is_made_of_files_that_are_there() {
    let assets = assets();
    for asset in &assets {
        let built = asset.source == "target/release/lastgood";
        assert!(built || exists(&asset.source), "{}", asset.source);
    }
    let at = |target: &str| {
        let found = assets
            .iter()
            .find(|asset| asset.target == Path::new(target));
        found.unwrap_or_else(|| panic!("{target} is not in the package"))
    };
    assert_eq!(at(PROGRAM).mode, "755");
    // It may come to hold secrets.
    assert_eq!(at(DEFAULT_PATHS[1]).mode, "640");
    at("/usr/share/man/man1/lastgood.1");
    at("/usr/share/bash-completion/completions/lastgood");
    let kept = package()["conf-files"].clone();
    assert_eq!(kept, vec![DEFAULT_PATHS[1]].into());
}

#[test]
fn the_installed_configuration_is_where_the_unit_and_the_image_look_and_keeps_to_their_folders() {
    let config = top().join("docker/lastgood.toml");
    let config = Config::load(&config).expect("the installed configuration");
    assert_eq!(config.store.path.parent(), Some(Path::new(STORE_FOLDER)));
    let socket = config.admin.socket.parent();
    assert_eq!(socket, Some(Path::new(SOCKET_FOLDER)));
    assert!(config.keys.is_empty() && config.zones.is_empty());
    let outside = |at: &&std::net::SocketAddr| !at.ip().is_loopback();
    let listen = &config.wire.listen;
    assert_eq!(listen.iter().find(outside), None, "this machine only");

    for folder in [STORE_FOLDER, SOCKET_FOLDER, CONFIG_FOLDER] {
        let image = image();
        let made = image.iter().any(|line| line.contains(folder));
        assert!(made, "{folder} in the image");
    }
    for (key, folder) in [
        ("StateDirectory", STORE_FOLDER),
        ("RuntimeDirectory", SOCKET_FOLDER),
    ] {
        let name = Path::new(folder).file_name().expect("a name");
        assert_eq!(unit(key), [name.to_string_lossy()], "{key}");
        assert_eq!(unit(&format!("{key}Mode")), ["0750"], "{key}");
    }
    for command in [unit("ExecStart"), unit("ExecReload")].concat() {
        let given = format!("{PROGRAM} --config {} ", DEFAULT_PATHS[1]);
        assert!(command.starts_with(&given), "{command}");
    }
}

/// In the installed configuration prose stands after `# `, an example after `#`.
#[test]
fn the_example_in_the_installed_configuration_is_right() {
    let text = file("docker/lastgood.toml");
    let line = |line: &str| match line.strip_prefix('#') {
        Some(example) if !example.is_empty() && !example.starts_with(' ') => example.to_owned(),
        _ => line.to_owned(),
    };
    let text: String = text.lines().map(|each| line(each) + "\n").collect();
    let config = Config::from_str(&text, Path::new(CONFIG_FOLDER)).expect("the example");
    assert_eq!((config.keys.len(), config.zones.len()), (1, 1));
    assert_eq!(config.change.zones[0].protections.len(), 1);
}

#[test]
fn the_service_may_bind_its_port_and_nothing_else_and_leaves_no_core() {
    for key in ["CapabilityBoundingSet", "AmbientCapabilities"] {
        assert_eq!(unit(key), ["CAP_NET_BIND_SERVICE"], "{key}");
    }
    for (key, value) in [
        ("Type", "notify"),
        ("LimitCORE", "0"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("User", "lastgood"),
    ] {
        assert_eq!(unit(key), [value], "{key}");
    }
    let scripts = file("docker/deb/postinst");
    let made = format!("adduser --system --group --quiet --home {STORE_FOLDER} ");
    assert!(scripts.contains(&made), "the package makes the user");
    for script in ["docker/deb/postinst", "docker/deb/postrm"] {
        assert!(file(script).contains("\n#DEBHELPER#\n"), "{script}");
        let mut sh = Command::new("sh");
        programs::run(sh.arg("-n").arg(top().join(script)), "").expect_ok();
    }
}

#[test]
fn systemd_takes_the_unit() {
    if Command::new("systemd-analyze").output().is_err() {
        eprintln!("systemd-analyze is not here: not checked");
        return;
    }
    // The program is not installed where it will be: the one just built stands in for it.
    let lab = Lab::prepared("", &[]);
    let text = file("docker/lastgood.service");
    lab.write(
        "lastgood.service",
        &text.replace(PROGRAM, env!("CARGO_BIN_EXE_lastgood")),
    );
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]);
    let ran = programs::run(command.arg(lab.path("lastgood.service")), "");
    let said = ran.both();
    assert!(ran.ok() && !said.contains("lastgood.service:"), "{ran}");
}

#[test]
fn every_command_that_unit_and_image_give_is_one() {
    let health = image()
        .into_iter()
        .find(|line| line.starts_with("HEALTHCHECK"))
        .expect("a health check");
    assert!(health.contains(" CMD lastgood status "), "{health}");
    let mut verbs = vec!["status".to_owned()];
    for command in [unit("ExecStart"), unit("ExecReload")].concat() {
        let verb = command.rsplit(' ').next().expect("a word");
        verbs.push(verb.to_owned());
    }
    assert!(image().contains(&r#"CMD ["serve"]"#.to_owned()));
    assert!(image().contains(&format!(r#"ENTRYPOINT ["{PROGRAM}"]"#)));
    for verb in verbs {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lastgood"));
        programs::run(command.args([verb.as_str(), "--help"]), "").expect_ok();
    }
}

/// The service may write to few folders only, and it is the server that writes the copy.
#[test]
fn the_example_of_a_backup_goes_where_the_service_may_write() {
    let mut help = Command::new(env!("CARGO_BIN_EXE_lastgood"));
    let help = programs::run(help.args(["backup", "--help"]), "").expect_ok();
    let example = help
        .lines()
        .find_map(|line| line.trim().strip_prefix("lastgood backup "));
    let example = Path::new(example.expect("an example"));
    assert_eq!(example.parent(), Some(Path::new(STORE_FOLDER)));
}

#[test]
fn the_image_is_made_of_files_that_are_there_and_runs_without_root() {
    let ignore = file("docker/Dockerfile.dockerignore");
    let let_in: Vec<&str> = ignore
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let image = image();
    for line in image.iter().filter(|line| line.starts_with("COPY ")) {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let (target, sources) = words.split_last().expect("a target");
        if let Some(PROGRAM) = words.last().copied() {
            assert_eq!(words[..2], ["--from=build", "/src/target/release/lastgood"]);
            continue;
        }
        for source in sources.iter().filter(|word| !word.starts_with("--")) {
            assert!(exists(source), "{source}");
            assert!(let_in.contains(source), "{source} is ignored");
        }
        assert!(!target.is_empty());
    }
    // Per stage: the last word on who runs.
    let stages: Vec<&[String]> = image
        .split(|line| line.starts_with("FROM "))
        .skip(1)
        .collect();
    for stage in &stages[2..] {
        assert_eq!(stage.last().expect("a line"), "USER lastgood");
    }
    let names = image.iter().filter(|line| line.starts_with("FROM "));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').nth(3)).collect();
    assert_eq!(names, ["build", "base", "demo", "lastgood"]);
    let compose = file("docker/compose.yaml");
    assert!(compose.contains("target: demo") && compose.contains("dockerfile: docker/Dockerfile"));
}

/// The stage that builds has a part of the repository only. Without a file that Cargo.toml names, or has cargo
/// look for, nothing is built there.
#[test]
fn cargo_takes_what_the_stage_that_builds_has() {
    let stage = tempfile::tempdir().expect("a folder");
    let image = image();
    let lines = image.iter().skip(1);
    let copies = lines
        .take_while(|line| !line.starts_with("FROM "))
        .filter_map(|line| line.strip_prefix("COPY "));
    for copy in copies {
        let (sources, target) = copy.rsplit_once(' ').expect("a target");
        for source in sources.split(' ') {
            let mut cp = Command::new("cp");
            cp.arg("-rT").arg(top().join(source));
            let at = stage.path().join(target);
            let folder = target.ends_with('/');
            cp.arg(if folder { at.join(source) } else { at });
            programs::run(&mut cp, "").expect_ok();
        }
    }
    let version = Command::new("rustc").arg("-vV").output().expect("rustc");
    let version = String::from_utf8(version.stdout).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "fetch",
        "--locked",
        "--offline",
        "--target",
        host.expect("a host"),
    ]);
    programs::run(cargo.current_dir(stage.path()), "").expect_ok();
}

/// Runs the Dockerfile's own `sed` on a configuration.
fn edited(file: &str) -> Config {
    let edit = image()
        .into_iter()
        .filter(|line| line.starts_with("RUN sed -i "))
        .find(|line| line.contains("lastgood.toml"))
        .expect("the edit");
    let program = edit.split('\'').nth(1).expect("quoted").to_owned();
    let mut sed = Command::new("sed");
    let text = programs::run(sed.arg("-e").arg(program).arg(top().join(file)), "").expect_ok();
    Config::from_str(&text, Path::new("/srv/demo")).expect("a configuration")
}

#[test]
fn in_a_container_it_listens_where_it_can_be_reached() {
    for name in ["zones/demo.toml", "docker/lastgood.toml"] {
        let config = edited(name);
        let listen: Vec<String> = config.wire.listen.iter().map(|at| at.to_string()).collect();
        assert_eq!(listen, ["0.0.0.0:5300"], "{name}");
    }
    let store = edited("zones/demo.toml").store.path;
    assert_eq!(store, Path::new("/srv/demo/data/demo.db"));
    let edits = image().join("\n");
    assert_eq!(edits.matches("'s/^listen = ").count(), 2, "one edit, twice");
    assert!(file("docker/compose.yaml").contains("- data:/srv/demo/data\n"));
}

#[test]
fn bash_takes_the_completions() {
    let script = top().join("docker/completions/lastgood.bash");
    let line = format!(
        "source {}; COMP_WORDS=(lastgood zo); COMP_CWORD=1; _lastgood lastgood zo lastgood; \
         echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let mut bash = Command::new("bash");
    let told = programs::run(bash.args(["--norc", "-c", &line]), "").expect_ok();
    assert_eq!(told.trim(), "zone");
}

/// The program under something that listens as systemd does.
struct Served {
    lab: Lab,
    manager: UnixDatagram,
    child: Child,
    at: std::net::SocketAddr,
}

impl Served {
    fn start() -> Served {
        let lab = Lab::prepared_demo();
        let at = std::net::SocketAddr::from(([127, 0, 0, 1], lab.port));
        let config = lab.read("lastgood.toml");
        let listen = config.lines().find(|line| line.starts_with("listen"));
        let config = config.replace(listen.expect("listen"), &format!("listen = [\"{at}\"]"));
        lab.write("lastgood.toml", &config);
        let manager = UnixDatagram::bind(lab.path("notify")).expect("a socket");
        let patience = Some(Duration::from_secs(20));
        manager.set_read_timeout(patience).expect("a bound");
        let mut command = lab.command(&["serve"]);
        command.env("NOTIFY_SOCKET", lab.path("notify"));
        command.env("WATCHDOG_USEC", "300000");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the program starts");
        Served {
            lab,
            manager,
            child,
            at,
        }
    }

    /// The next message that holds the line, whatever comes before it.
    #[track_caller]
    fn hears(&self, line: &str) {
        loop {
            let mut octets = [0; 4096];
            let received = self.manager.recv(&mut octets);
            let len = received.unwrap_or_else(|error| panic!("{line}: {error}"));
            let text = String::from_utf8_lossy(&octets[..len]);
            if text.lines().any(|told| told == line) {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        programs::run(Command::new("sh").args(["-c", &line]), "").expect_ok();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn systemd_is_told_when_the_doors_are_open_that_it_lives_and_when_it_stops() {
    let mut served = Served::start();
    served.hears("READY=1");
    let reply = lab::dig(served.at, "api.example.com A +tries=1");
    assert_eq!(reply.status, "NOERROR", "ready means that it answers");
    assert!(served.lab.cli(&["status"]).ok());
    served.hears("WATCHDOG=1");
    served.hears("WATCHDOG=1");
    served.signal("HUP");
    served.hears("RELOADING=1");
    served.hears("READY=1");
    served.signal("TERM");
    served.hears("STOPPING=1");
    let ended = programs::wait(&mut served.child, Duration::from_secs(20));
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}
