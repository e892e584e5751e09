//! Printing: aligned columns, JSON, times.

use std::io::Write;

use serde::Serialize;

/// Writes to standard output. A reader that went away (`| head`) ends the process, as it does
/// with any other command.
pub(super) fn out(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}

pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    out(&json_text(value)?)
}

pub(super) fn json_text(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Columns, each as wide as its widest cell, the last one as long as it is.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| one_line(cell)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text that others wrote, such as the reason of a freeze: what would move the cursor of a
/// terminal, or start a line that looks like ours, is shown as an escape.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// A moment in UTC, to the second.
pub(super) fn time(unix_us: i64) -> String {
    match jiff::Timestamp::from_microsecond(unix_us) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => format!("{unix_us} µs"),
    }
}

/// A span of time in its two largest units.
pub(super) fn span(secs: u64) -> String {
    let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, _) => format!("{minutes} min {} s", secs % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Every line of a text moved to the right.
pub(super) fn indented(text: &str, by: usize) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("{:by$}{line}", ""))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        let text = table(&[row(&["ZONE", "N", "WHAT"]), row(&["a.example.", "12", ""])]);
        assert_eq!(text, "ZONE        N   WHAT\na.example.  12\n");
    }

    #[test]
    fn what_others_wrote_cannot_steer_a_terminal() {
        let text = table(&[vec!["INC\n7Q2K\u{1b}[31m".to_owned(), "ü".to_owned()]]);
        assert_eq!(text, "INC\\n7Q2K\\u{1b}[31m  ü\n");
    }

    #[test]
    fn times_are_in_utc_and_spans_in_two_units() {
        assert_eq!(time(1_760_946_491_000_000), "2025-10-20 07:48:11");
        assert_eq!(span(59), "59 s");
        assert_eq!(span(95), "1 min 35 s");
        assert_eq!(span(10_200), "2 h 50 min");
        assert_eq!(span(200_000), "2 d 7 h");
    }
}
