//! The text of a heartbeat: how it is written, and how it is read.
//!
//! Each value takes one line, whatever it holds, also when it is read: any program may have written
//! the file, and its texts reach terminals and mails. No error quotes the file. A reader skips keys that
//! it does not know, and needs only the first lines of a file of a newer format.

use std::fmt;

use crate::{
    FORMAT, Finding, Heartbeat, MAX_ENTRIES, MAX_TEXT, Manager, Severity, Verdict, rfc3339,
};

/// Numbers of this size and above are milliseconds, not seconds, since 1970: the year 5138 in
/// seconds, 1973 in milliseconds.
const LEAST_MS: i64 = 100_000_000_000;

/// What is wrong with a heartbeat's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseError {
    /// Nothing but blanks.
    Empty,
    /// Not text in UTF-8.
    NotText,
    /// The first line is neither a time in RFC 3339 nor one in seconds or milliseconds since 1970.
    NoTime,
    /// A time and nothing more: another program's heartbeat.
    Plain,
    /// It ends in the middle of a line.
    Cut,
    /// A line that must be there is not.
    MissingKey(&'static str),
    /// The value of this key makes no sense.
    BadValue(String),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::NotText => f.write_str("is not text"),
            Self::NoTime => f.write_str("does not begin with a time"),
            Self::Plain => f.write_str("holds a time and nothing more"),
            Self::Cut => f.write_str("is cut off: its last line has no end"),
            Self::MissingKey(key) => write!(f, "is incomplete: it has no line \"{key}:\""),
            Self::BadValue(key) => write!(f, "is garbled: the value of {key} makes no sense"),
        }
    }
}

impl std::error::Error for ParseError {}

impl Heartbeat {
    /// The text of the file. Control characters become blanks, and what is longer than
    /// [`MAX_TEXT`] or more than [`MAX_ENTRIES`] is left out.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(512);
        let mut line = |key: &str, value: &str| {
            text.push_str(key);
            text.push_str(": ");
            text.push_str(value);
            text.push('\n');
        };
        line("format", &FORMAT.to_string());
        line("boot_id", &one_line(&self.boot_id));
        line("boot_ms", &self.boot_ms.to_string());
        if let Some(ms) = self.awake_ms {
            line("awake_ms", &ms.to_string());
        }
        line("sequence", &self.sequence.to_string());
        line("pid", &self.pid.to_string());
        line("version", &one_line(&self.version));
        line("environment", &one_line(&self.environment));
        if let Some(manager) = &self.manager {
            line("manager", &manager.to_string());
        }
        line("verdict", self.verdict.word());
        for finding in self.findings.iter().take(MAX_ENTRIES) {
            let (name, severity) = (one_word(&finding.name), finding.severity.word());
            line("finding", format!("{name} {severity} {}", one_line(&finding.text)).trim_end());
            for (key, text) in [("impact", &finding.impact), ("first_step", &finding.first_step)] {
                if !text.is_empty() {
                    line(key, &format!("{name} {}", one_line(text)));
                }
            }
        }
        for (name, ms) in self.ages.iter().take(MAX_ENTRIES) {
            line("age", &format!("{} {ms}", one_word(name)));
        }
        format!("{}\n{text}", rfc3339::format(self.time_ms))
    }

    /// Reads what [`render`](Self::render) wrote, of this format or a newer one. A newer format may
    /// lack anything but the time; a verdict unknown here counts as degraded.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let fields = Fields::parse(text)?;
        let Some(format) = fields.format else { return Err(ParseError::Plain) };
        if format <= FORMAT {
            fields.check(text)?;
        }
        let newer_verdict = if format > FORMAT { Some(Verdict::Degraded) } else { None };
        Ok(Self {
            time_ms: fields.time_ms,
            boot_id: fields.boot_id.unwrap_or_default(),
            boot_ms: fields.boot_ms.unwrap_or_default(),
            awake_ms: fields.awake_ms,
            sequence: fields.sequence.unwrap_or_default(),
            pid: fields.pid.unwrap_or_default(),
            version: fields.version.unwrap_or_default(),
            environment: fields.environment.unwrap_or_default(),
            manager: fields.manager,
            verdict: fields.verdict.or(newer_verdict).ok_or(ParseError::MissingKey("verdict"))?,
            findings: fields.findings,
            ages: fields.ages,
        })
    }
}

/// What a heartbeat's text says, as far as it says it.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) time_ms: i64,
    /// `None` in another program's file.
    pub(crate) format: Option<u32>,
    pub(crate) boot_id: Option<String>,
    pub(crate) boot_ms: Option<u64>,
    pub(crate) awake_ms: Option<u64>,
    sequence: Option<u64>,
    pid: Option<u32>,
    version: Option<String>,
    environment: Option<String>,
    manager: Option<Manager>,
    verdict: Option<Verdict>,
    findings: Vec<Finding>,
    ages: Vec<(String, u64)>,
    /// The key of the first value that makes no sense.
    bad: Option<String>,
}

impl Fields {
    /// Reads the time and every line that makes sense. Fails only when there is no time.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = text.lines().map(str::trim).skip_while(|line| line.is_empty());
        let first = lines.next().ok_or(ParseError::Empty)?;
        let time_ms = time(first).ok_or(ParseError::NoTime)?;
        let mut fields = Self { time_ms, ..Self::default() };
        for line in lines {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            if fields.take(key.trim(), value).is_none() && fields.bad.is_none() {
                // One that is known, so it quotes nothing.
                fields.bad = Some(key.trim().to_owned());
            }
        }
        Ok(fields)
    }

    /// `None` when the value makes no sense.
    fn take(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "format" => self.format = Some(value.parse().ok()?),
            "boot_id" => self.boot_id = Some(value.to_owned()),
            "boot_ms" => self.boot_ms = Some(value.parse().ok()?),
            "awake_ms" => self.awake_ms = Some(value.parse().ok()?),
            "sequence" => self.sequence = Some(value.parse().ok()?),
            "pid" => self.pid = Some(value.parse().ok()?),
            "version" => self.version = Some(one_line(value)),
            "environment" => self.environment = Some(one_line(value)),
            // One that is not known here only makes the advice less exact.
            "manager" => self.manager = Manager::parse(value),
            "verdict" => self.verdict = Some(Verdict::from_word(value)?),
            "finding" if self.findings.len() < MAX_ENTRIES => {
                let (name, rest) = value.split_once(' ')?;
                let (severity, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let severity = Severity::from_word(severity)?;
                let (name, text) = (one_word(name), one_line(text));
                let (impact, first_step) = Default::default();
                self.findings.push(Finding { name, severity, text, impact, first_step });
            }
            "impact" | "first_step" => {
                let (name, text) = value.split_once(' ')?;
                // They follow their finding; what is about none is about one that was left out.
                if let Some(last) = self.findings.last_mut().filter(|last| last.name == name) {
                    let is_impact = key == "impact";
                    let place = if is_impact { &mut last.impact } else { &mut last.first_step };
                    *place = one_line(text);
                }
            }
            "age" if self.ages.len() < MAX_ENTRIES => {
                let (name, ms) = value.split_once(' ')?;
                self.ages.push((one_word(name), ms.trim().parse().ok()?));
            }
            _ => {}
        }
        Some(())
    }

    /// What the known format demands beyond a time.
    fn check(&self, text: &str) -> Result<(), ParseError> {
        if let Some(key) = &self.bad {
            return Err(match text.ends_with('\n') {
                true => ParseError::BadValue(key.clone()),
                false => ParseError::Cut,
            });
        }
        for (key, there) in [
            ("boot_id", self.boot_id.is_some()),
            ("boot_ms", self.boot_ms.is_some()),
            ("verdict", self.verdict.is_some()),
        ] {
            if !there {
                return Err(ParseError::MissingKey(key));
            }
        }
        if text.ends_with('\n') { Ok(()) } else { Err(ParseError::Cut) }
    }
}

/// The time of a first line: RFC 3339, or seconds (with or without decimals) or milliseconds since
/// 1970.
fn time(line: &str) -> Option<i64> {
    if let Some(ms) = rfc3339::parse(line) {
        return Some(ms);
    }
    let (whole, decimals) = line.split_once('.').unwrap_or((line, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    if whole >= LEAST_MS {
        return Some(whole);
    }
    let thousandths = decimals.bytes().chain(*b"00").take(3);
    let ms = thousandths.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
    Some(whole * 1000 + ms)
}

/// One line of at most [`MAX_TEXT`] characters.
fn one_line(text: &str) -> String {
    hygiene::line::one_line(text, MAX_TEXT)
}

/// A name without blanks; never empty.
fn one_word(name: &str) -> String {
    let word = one_line(name).replace(char::is_whitespace, "_");
    if word.is_empty() { "unnamed".to_owned() } else { word }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn sample() -> Heartbeat {
        let finding = |name: &str, severity, text: &str| Finding {
            name: name.to_owned(),
            severity,
            text: text.to_owned(),
            impact: String::new(),
            first_step: if text.is_empty() { "free some space".to_owned() } else { String::new() },
        };
        Heartbeat {
            time_ms: 1_795_245_873_120,
            boot_id: "5b1c5d7e-6c0e-4d9b-b6a8-6a3d0a6a8f10".to_owned(),
            boot_ms: 8_123_450,
            awake_ms: Some(8_000_000),
            sequence: 1604,
            pid: 812,
            version: "0.1.0".to_owned(),
            environment: "production".to_owned(),
            manager: Some(Manager::Systemd),
            verdict: Verdict::Failing,
            findings: vec![
                finding("poll_stalled", Severity::Failing, "no poll for 3 min: is it there?"),
                finding("disk", Severity::Degraded, ""),
            ],
            ages: vec![("poll".to_owned(), 1250), ("inbox".to_owned(), 0)],
        }
    }

    #[test]
    fn the_text_is_for_people_too() {
        let wanted = "2026-11-21T07:24:33.120Z\nformat: 1\n\
            boot_id: 5b1c5d7e-6c0e-4d9b-b6a8-6a3d0a6a8f10\nboot_ms: 8123450\nawake_ms: 8000000\nsequence: 1604\n\
            pid: 812\nversion: 0.1.0\nenvironment: production\nmanager: systemd\nverdict: failing\n\
            finding: poll_stalled failing no poll for 3 min: is it there?\n\
            finding: disk degraded\nfirst_step: disk free some space\nage: poll 1250\nage: inbox 0\n";
        assert_eq!(sample().render(), wanted);
        assert_eq!(Heartbeat::parse(wanted), Ok(sample()));
    }

    #[test]
    fn nothing_written_can_forge_a_line() {
        let mut beat = sample();
        beat.version = "1\nverdict: ok\u{0}".to_owned();
        beat.findings[0].name = "a b\nc".to_owned();
        beat.findings[0].text = "x\r\nverdict: ok".to_owned();
        beat.ages[0].0 = "\t".to_owned();
        let read = Heartbeat::parse(&beat.render()).unwrap();
        assert_eq!(read.verdict, Verdict::Failing);
        assert_eq!(read.version, "1 verdict: ok");
        assert_eq!(read.findings[0].name, "a_b_c");
        assert_eq!(read.findings[0].text, "x verdict: ok");
        assert_eq!(read.ages[0].0, "unnamed");
    }

    #[test]
    fn each_cut_is_noticed() {
        let whole = sample().render();
        let verdict = whole.find("finding").unwrap();
        for end in 0..verdict {
            let error = Heartbeat::parse(&whole[..end]).expect_err("a part is not a heartbeat");
            assert!(!error.to_string().is_empty());
        }
        for end in verdict..whole.len() {
            let complete = whole[..end].ends_with('\n');
            assert_eq!(Heartbeat::parse(&whole[..end]).is_ok(), complete, "{}", &whole[..end]);
        }
    }

    #[test]
    fn a_newer_format_is_read_as_far_as_it_is_known() {
        let text = "2026-11-21T07:24:33Z\nformat: 7\nmood: sunny\nverdict: sleepy\nboot_ms: x";
        let beat = Heartbeat::parse(text).unwrap();
        assert_eq!((beat.verdict, beat.time_ms), (Verdict::Degraded, 1_795_245_873_000));
        let known = text.replace("format: 7", "format: 1") + "\n";
        let error = Heartbeat::parse(&known).unwrap_err();
        assert_eq!(error.to_string(), "is garbled: the value of verdict makes no sense");
    }

    #[test]
    fn times_of_other_programs() {
        for (line, ms) in [
            ("1795245873", 1_795_245_873_000),
            ("1795245873.5", 1_795_245_873_500),
            ("1795245873.123456789", 1_795_245_873_123),
            ("1795245873120", 1_795_245_873_120),
            ("0", 0),
            ("2026-11-21T09:24:33+02:00", 1_795_245_873_000),
        ] {
            assert_eq!(time(line), Some(ms), "{line}");
            assert_eq!(Heartbeat::parse(line), Err(ParseError::Plain));
        }
        for odd in ["-1", "1e9", "12.", ".5", "0x1", "99999999999999999999", "ok"] {
            assert_eq!(time(odd), None, "{odd}");
        }
    }

    fn beats() -> impl Strategy<Value = Heartbeat> {
        let text = || "[^\u{0}-\u{1f}]{0,30}";
        let finding = ("[a-z_]{1,12}", any::<bool>(), text());
        let numbers = (0..4_000_000_000_000i64, any::<u64>(), any::<u64>(), any::<u32>());
        (numbers, text(), text(), 0..4usize, prop::collection::vec(finding, 0..4)).prop_map(
            |((time_ms, boot_ms, sequence, pid), version, boot_id, verdict, findings)| {
                let verdicts = [Verdict::Ok, Verdict::Degraded, Verdict::Failing, Verdict::Stopped];
                let findings = findings.into_iter().map(|(name, failing, text)| {
                    let severity = if failing { Severity::Failing } else { Severity::Degraded };
                    let text = one_line(&text);
                    let (impact, first_step) = (text.clone(), one_line(&version));
                    Finding { name, severity, text, impact, first_step }
                });
                Heartbeat {
                    time_ms,
                    boot_id: one_line(&boot_id),
                    boot_ms,
                    awake_ms: sequence.is_multiple_of(2).then_some(sequence),
                    sequence,
                    pid,
                    version: one_line(&version),
                    environment: String::new(),
                    manager: sequence.is_multiple_of(3).then_some(Manager::Container),
                    verdict: verdicts[verdict],
                    findings: findings.collect(),
                    ages: vec![("poll".to_owned(), boot_ms)],
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(beat in beats()) {
            prop_assert_eq!(Heartbeat::parse(&beat.render()), Ok(beat));
        }

        #[test]
        fn any_damage_is_survived(beat in beats(), at: prop::sample::Index, byte: u8) {
            let mut bytes = beat.render().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = Heartbeat::parse(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn any_text_is_survived(text in "(?s).{0,200}") {
            let _ = Heartbeat::parse(&text);
        }
    }
}
