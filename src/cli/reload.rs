//! `reload`: the running server reads its configuration anew.

use super::control::Control;
use super::{Exit, Globals, print};
use crate::admin::{ReloadReport, ReloadRequest};
use crate::config::{Config, ConfigError};

/// Lines of one kind that are shown; `--json` has them all.
const LINES_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Let in what protects less than before
    #[arg(long)]
    weaker: bool,
}

pub(super) fn run(globals: &Globals, args: &Args) -> anyhow::Result<Exit> {
    let config = match Config::load(&globals.config_path()?) {
        Ok(config) => config,
        Err(error @ ConfigError::Unreadable { .. }) => return Err(error.into()),
        // The server would say the same.
        Err(error) => {
            let reason = error.to_string();
            return tell(globals, &ReloadReport::Unreadable { reason });
        }
    };
    let request = ReloadRequest {
        weaker: args.weaker,
    };
    let answer = Control::open(&config.admin.socket)?.post_json("/v1/reload", &request)?;
    match serde_json::from_slice(&answer.body) {
        Ok(report) => tell(globals, &report),
        Err(_) => {
            answer.complain()?;
            Ok(Exit::Wanting)
        }
    }
}

fn tell(globals: &Globals, report: &ReloadReport) -> anyhow::Result<Exit> {
    let (said, complained) = render(report);
    match globals.json {
        true => print::json(report)?,
        false => print::out(&said)?,
    }
    eprint!("{complained}");
    match report {
        ReloadReport::Done { failed, .. } if failed.is_empty() => Ok(Exit::Done),
        ReloadReport::Unavailable { .. } => anyhow::bail!("nothing was changed"),
        _ => Ok(Exit::Wanting),
    }
}

/// What is said, and what is said of what went wrong.
fn render(report: &ReloadReport) -> (String, String) {
    let (mut said, mut complained) = (String::new(), String::new());
    match report {
        ReloadReport::Done {
            changed,
            restart,
            orphaned,
            weaker,
            imported,
            failed,
            warnings,
        } => {
            said.push_str("The configuration is in force.\n");
            list(&mut said, "Changed:", changed);
            list(&mut said, "Protects less than before:", weaker);
            list(&mut said, "Imported:", imported);
            list(&mut said, "Waits for a restart:", restart);
            list(
                &mut said,
                "Without a stanza; zone and protection stay (to end that: lastgood zone remove NAME):",
                orphaned,
            );
            list(&mut said, "Warnings:", warnings);
            list(&mut complained, "Not imported:", failed);
        }
        ReloadReport::Refused { weaker, unmet } => {
            complained.push_str("The new configuration is refused; the old one stays in force.\n");
            list(
                &mut complained,
                "What is served does not meet it (change the zone first, or the policy):",
                unmet,
            );
            let how = match unmet.is_empty() {
                true => "It protects less than before (to let that in: lastgood reload --weaker):",
                false => "It protects less than before (--weaker would let that in):",
            };
            list(&mut complained, how, weaker);
        }
        ReloadReport::Unreadable { reason } => {
            complained.push_str(&format!(
                "{reason}\nThe old configuration stays in force.\n"
            ));
        }
        ReloadReport::Unavailable { reason } => complained.push_str(&format!("{reason}\n")),
    }
    (said, complained)
}

fn list(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("{title}\n"));
    for line in lines.iter().take(LINES_MAX) {
        // An import's problems are a line each.
        text.push_str(&format!("{}\n", print::indented(line, 2)));
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_refused_reload_says_what_stays_what_is_weaker_and_how_to_let_it_in() {
        let (said, complained) = render(&ReloadReport::Refused {
            weaker: lines(&["a.example. A would need 1 members, not 2"]),
            unmet: Vec::new(),
        });
        assert_eq!(said, "");
        assert_eq!(
            complained,
            "The new configuration is refused; the old one stays in force.\n\
             It protects less than before (to let that in: lastgood reload --weaker):\n  \
             a.example. A would need 1 members, not 2\n"
        );
        let (_, complained) = render(&ReloadReport::Refused {
            weaker: lines(&["less"]),
            unmet: lines(&["api.example. A has 1 member; at least 2 must be there"]),
        });
        assert!(complained.contains("does not meet"), "{complained}");
        assert!(complained.contains("--weaker would"), "{complained}");
    }

    #[test]
    fn a_long_list_is_cut() {
        let (said, complained) = render(&ReloadReport::Done {
            changed: vec!["zone x.: a new stanza".to_owned(); 10_000],
            restart: Vec::new(),
            orphaned: Vec::new(),
            weaker: Vec::new(),
            imported: Vec::new(),
            failed: Vec::new(),
            warnings: Vec::new(),
        });
        assert!(said.ends_with("  and 9980 more\n"), "{said}");
        assert_eq!(complained, "");
    }
}
