//! The man page and the completions of `docker/`, made from the command line itself, so that they
//! tell what this program does and nothing else. Only a test: what it makes is committed.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::Cli;

/// Set to anything, the files are written instead of compared.
const WRITE: &str = "LASTGOOD_WRITE";

/// Of the page that no command knows.
const REST: &str = r#".SH FILES
.TP
\fI/etc/lastgood/lastgood.toml\fR
The configuration, where there is no \fIlastgood.toml\fR in the working
directory. Relative paths in it are relative to its own folder.
.TP
\fI/etc/lastgood/keys/\fR
Secrets of keys, for root to write and for the group \fBlastgood\fR to read.
.TP
\fI/var/lib/lastgood/\fR
The store. \fBsqlite3\fR(1) reads and edits it while the server runs, as the
user \fBlastgood\fR.
.TP
\fI/run/lastgood/lastgood.sock\fR
The control socket, for the user \fBlastgood\fR and root.
.SH ENVIRONMENT
.TP
\fBRUST_LOG\fR
How much is logged: \fBerror\fR, \fBwarn\fR, \fBinfo\fR (the default),
\fBdebug\fR or \fBtrace\fR.
.TP
\fBNOTIFY_SOCKET\fR, \fBWATCHDOG_USEC\fR
Set by \fBsystemd\fR(1); see \fBsd_notify\fR(3).
.SH SIGNALS
.TP
\fBSIGHUP\fR
Read the configuration again, as \fBlastgood reload\fR.
.TP
\fBSIGTERM\fR, \fBSIGINT\fR
Finish what is in flight, and end.
.SH EXIT STATUS
.TP
\fB0\fR
Done.
.TP
\fB1\fR
Refused, or found wanting; the reason is on standard error.
.TP
\fB2\fR
Wrong usage, or something around the program is missing.
.SH SEE ALSO
\fBdig\fR(1), \fBnsupdate\fR(1), \fBsqlite3\fR(1), \fBsystemctl\fR(1)
"#;

/// One page for all commands: who looks for one of them need not know where it is described.
fn man_page() -> String {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone());
    // With no date: the page changes with the program, not with the day.
    let mut page = format!(
        ".TH LASTGOOD 1 \"\" \"lastgood {}\" \"System Administration\"\n",
        env!("CARGO_PKG_VERSION")
    )
    .into_bytes();
    let head = man
        .render_name_section(&mut page)
        .and_then(|()| man.render_synopsis_section(&mut page))
        .and_then(|()| man.render_options_section(&mut page));
    head.expect("memory takes all");
    let mut text = String::from_utf8(page).expect("text");
    text.push_str(".SH COMMANDS\n");
    for leaf in leaves(&command) {
        text.push_str(&section(leaf));
    }
    let lines = text.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect::<String>() + REST
}

/// The commands that do something, in the order of the help.
fn leaves(command: &Command) -> Vec<Command> {
    let below: Vec<Command> = command.get_subcommands().flat_map(leaves).collect();
    match below.is_empty() {
        true => vec![command.clone()],
        false => below,
    }
}

fn section(command: Command) -> String {
    let name = command.get_bin_name().expect("built").to_owned();
    let about = command.get_about().map(ToString::to_string);
    let example = command.get_after_help().map(ToString::to_string);
    // These are told once, above.
    let own = command.mut_args(|arg| {
        let shared = ["config", "json", "help"].contains(&arg.get_id().as_str());
        arg.hide(shared)
    });
    let has_arguments = own.get_arguments().any(|arg| !arg.is_hide_set());
    let man = Man::new(own);
    let mut part = Vec::new();
    man.render_synopsis_section(&mut part).expect("memory");
    let mut text = format!(
        ".SS {name}\n{}.\n.PP\n",
        escaped(&about.unwrap_or_default())
    );
    text.push_str(
        &String::from_utf8(part)
            .expect("text")
            .replace(".SH SYNOPSIS\n", ""),
    );
    if has_arguments {
        let mut part = Vec::new();
        man.render_options_section(&mut part).expect("memory");
        text.push_str(
            &String::from_utf8(part)
                .expect("text")
                .replace(".SH OPTIONS\n", ""),
        );
    }
    let lines = example.unwrap_or_default();
    let lines = lines.lines().map(|line| escaped(line) + "\n");
    text + ".PP\n.nf\n" + &lines.collect::<String>() + ".fi\n"
}

/// Text as troff takes it.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

fn completion(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "lastgood", &mut script);
    String::from_utf8(script).expect("text")
}

#[test]
fn the_man_page_and_the_completions_tell_what_the_program_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker");
    for (name, text) in [
        ("lastgood.1", man_page()),
        ("completions/lastgood.bash", completion(Shell::Bash)),
        ("completions/_lastgood", completion(Shell::Zsh)),
        ("completions/lastgood.fish", completion(Shell::Fish)),
    ] {
        let path = folder.join(name);
        if std::env::var_os(WRITE).is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, &text).expect("written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "docker/{name} is not what the command line says; write it again with: \
             {WRITE}=1 cargo test --lib cli::paper"
        );
    }
}
