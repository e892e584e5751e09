//! What dig and kdig print, as values.

/// A response as dig or kdig shows it.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: String,
    /// "qr", "aa", "tc", …
    pub flags: Vec<String>,
    /// Records with single spaces, in the order of the message.
    pub answer: Vec<String>,
    pub authority: Vec<String>,
    pub additional: Vec<String>,
    /// The code of the extended error, and its text.
    pub ede: Option<(u16, String)>,
    pub text: String,
}

impl Reply {
    pub fn read(text: &str) -> Reply {
        let mut reply = Reply {
            text: text.to_owned(),
            ..Reply::default()
        };
        let mut section = None;
        for line in text.lines() {
            if let Some((_, status)) = line.split_once("status: ") {
                reply.status = word(status).to_owned();
            } else if line.contains("flags:") && line.contains("QUERY:") {
                let flags = line.split("flags:").nth(1).expect("just seen");
                let flags = flags.split(';').next().unwrap_or_default();
                reply.flags = flags.split_whitespace().map(str::to_owned).collect();
            } else if let Some(error) = extended_error(line) {
                reply.ede = Some(error);
            } else if line.starts_with(';') {
                section = ["ANSWER SECTION", "AUTHORITY SECTION", "ADDITIONAL SECTION"]
                    .iter()
                    .position(|title| line.contains(title));
            } else if !line.trim().is_empty() {
                let record = line.split_whitespace().collect::<Vec<_>>().join(" ");
                match section {
                    Some(0) => reply.answer.push(record),
                    Some(1) => reply.authority.push(record),
                    Some(2) => reply.additional.push(record),
                    _ => {}
                }
            }
        }
        reply
    }

    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|set| set == flag)
    }

    /// The RDATA of the answer, sorted.
    pub fn data(&self) -> Vec<String> {
        let rdata = |record: &String| record.splitn(5, ' ').nth(4).unwrap_or_default().to_owned();
        let mut data: Vec<String> = self.answer.iter().map(rdata).collect();
        data.sort();
        data
    }
}

fn word(text: &str) -> &str {
    text.split([',', ';', ' ']).next().unwrap_or_default()
}

/// `; EDE: 3 (Stale Answer): (text)` of dig, `;; EDE: 3 (Stale Answer): 'text'` of kdig.
fn extended_error(line: &str) -> Option<(u16, String)> {
    let (_, rest) = line.split_once("EDE: ")?;
    let code = rest
        .split(' ')
        .next()?
        .trim_end_matches([':', ';'])
        .parse()
        .ok()?;
    let text = rest.split_once("): ").map_or("", |(_, text)| text);
    let text = text.trim_matches(['(', ')', '\'', '"']);
    Some((code, text.to_owned()))
}

#[test]
fn a_reply_of_dig_is_read() {
    let reply = Reply::read(
        ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1\n\
         ;; flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1\n\n\
         ;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n\
         ; EDE: 3 (Stale Answer): (lastgood rev=1 held=2s)\n;; QUESTION SECTION:\n;a.\t\tIN A\n\n\
         ;; ANSWER SECTION:\na.\t\t60\tIN\tTXT\t\"x y\"\n\n;; Query time: 0 msec\n",
    );
    assert_eq!(reply.status, "NXDOMAIN");
    assert_eq!(reply.flags, ["qr", "aa"]);
    assert_eq!(reply.answer, ["a. 60 IN TXT \"x y\""]);
    assert_eq!(reply.data(), ["\"x y\""]);
    assert_eq!(reply.ede, Some((3, "lastgood rev=1 held=2s".to_owned())));
}
