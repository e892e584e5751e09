//! Prometheus's own text format, version 0.0.4, which more programs read than OpenMetrics.

use std::fmt::Write;

/// The same page in the older format. It differs in the comments alone: a family of counters has
/// the full name of its samples there, an info is a gauge, and neither unit nor end is marked.
pub fn classic(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut lines = openmetrics.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        if let Some(help) = comment.strip_prefix("HELP ") {
            let (name, help) = help.split_once(' ').unwrap_or((help, ""));
            // Help and type stand together, in this order.
            let kind = lines.peek().and_then(|line| line.rsplit(' ').next());
            let (kind, suffix) = match kind {
                Some("counter") => ("counter", "_total"),
                Some("info") => ("gauge", "_info"),
                Some(kind) => (kind, ""),
                None => ("untyped", ""),
            };
            writeln!(text, "# HELP {name}{suffix} {help}").expect("a String takes all text");
            writeln!(text, "# TYPE {name}{suffix} {kind}").expect("a String takes all text");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_infos_have_their_full_names_in_the_older_format() {
        let modern = "\
# HELP a_queries Queries
# TYPE a_queries counter
a_queries_total{rcode=\"NOERROR\"} 7
# HELP a_build What is running
# TYPE a_build info
a_build_info{version=\"1\"} 1
# HELP a_age_seconds Age
# TYPE a_age_seconds gauge
# UNIT a_age_seconds seconds
a_age_seconds{zone=\"# TYPE x.\"} 0.5
# EOF
";
        assert_eq!(
            classic(modern),
            "\
# HELP a_queries_total Queries
# TYPE a_queries_total counter
a_queries_total{rcode=\"NOERROR\"} 7
# HELP a_build_info What is running
# TYPE a_build_info gauge
a_build_info{version=\"1\"} 1
# HELP a_age_seconds Age
# TYPE a_age_seconds gauge
a_age_seconds{zone=\"# TYPE x.\"} 0.5
"
        );
    }
}
