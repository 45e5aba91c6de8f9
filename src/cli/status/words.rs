//! The status as people read it: the state first, then what is wrong, then the figures.

use heartbeat::{Reason, Severity, Verdict, rfc3339, span};
use serde_json::Value;

use super::checker;
use super::findings::{Findings, Overall, in_words};
use super::lines::{backups, budget, canary, documents, provider, s};
use super::remedy::{manager, remedies};
use crate::cli::style::{Mark, Style, columns, visible};
use crate::cli::unit::{Process, Unit};
use crate::observe::finding::Kind;
use crate::supervise::Phase;

/// A finding, wherever it was read.
struct Finding {
    name: String,
    severity: Severity,
    text: String,
    /// How long it has been open.
    lasts_ms: Option<u64>,
}

/// The whole page.
pub(super) fn page(found: &Findings, style: Style) -> String {
    let mut page = headline(found, style);
    for advice in remedies(found) {
        page.push_str(&format!("      {}\n", style.faint(&format!("do: {advice}"))));
    }
    for finding in findings(found) {
        page.push_str(&block(&finding, found, style));
    }
    let rows = figures(found);
    if !rows.is_empty() {
        page.push('\n');
        page.push_str(&columns(&rows));
    }
    page
}

/// The summary, in one line.
fn headline(found: &Findings, style: Style) -> String {
    let mark = found.mark();
    let said = found.answer.as_ref().ok();
    let story = story(found);
    let ready = match said.map(|said| &said["ready"]) {
        Some(Value::Bool(false)) if mark != Mark::Bad => ", not ready",
        _ => "",
    };
    let sign = style.sign(mark);
    let story = match &found.config {
        Some(p) => format!("without a usable configuration: {}: {}; {story}", p.key, p.message),
        None => story,
    };
    format!("{sign} katana-bot {}{ready}\n", style.coloured(mark, &visible(&story)))
}

/// What the daemon does, or why it does not.
pub(in crate::cli) fn story(found: &Findings) -> String {
    let judgement = &found.judgement;
    let beat = judgement.heartbeat.as_ref();
    let old = judgement.age_ms.map(span);
    let since = beat.map(|b| rfc3339::format(b.time_ms)).unwrap_or_default();
    match found.overall {
        Overall::Stopped => format!("not running: stopped cleanly at {since}"),
        Overall::NotRunning => match (systemd_says(found), beat, old) {
            _ if found.exit.is_some() => format!("not running: {}", judgement.text),
            (Some(says), _, _) => format!("not running: {says}"),
            (None, Some(_), Some(old)) => format!("not running since {since}, {old} ago"),
            _ => format!("not running: {}", judgement.text),
        },
        Overall::Hangs => hangs(found),
        Overall::Stale => match (&found.answer, old) {
            (Ok(said), _) if said["report"]["stale"] == true => {
                let age = said["report"]["age_s"].as_f64().map(s).unwrap_or_default();
                format!("answers, but no longer judges itself: its last verdict is {age} old")
            }
            (Err(_), _) if found.unit.is_some() => starts_for_long(found),
            (Err(_), Some(old)) => format!("gives no sign of life since {since}, {old} ago"),
            _ => format!("does not work correctly: {}", judgement.text),
        },
        Overall::Starting => match found.unit.as_ref().map(|unit| unit.get("StatusText")) {
            Some(doing) if !doing.is_empty() => format!("starting: {doing}"),
            _ => "starting".to_owned(),
        },
        Overall::Ok => "running, all is well".to_owned(),
        Overall::Degraded => "running, something needs a look".to_owned(),
        Overall::Failing if is_settling(found) => {
            "running again, after it crashed several times".to_owned()
        }
        Overall::Failing => "running, but people are not served".to_owned(),
    }
}

/// Whether it would serve people, if it stayed.
fn is_settling(found: &Findings) -> bool {
    let mut failing = findings(found).into_iter().filter(|f| f.severity == Severity::Failing);
    let only_crashes = failing.all(|finding| finding.name == Kind::CrashLoop.name());
    only_crashes && found.answer.as_ref().is_ok_and(|said| said["phase"] == Phase::Running.name())
}

fn hangs(found: &Findings) -> String {
    let pid = found.pid.unwrap_or_default();
    let last = match (&found.judgement.heartbeat, found.judgement.age_ms) {
        (Some(beat), Some(age)) => {
            let time = rfc3339::format(beat.time_ms);
            format!("its last sign of life was at {time}, {} ago", span(age))
        }
        _ => "it gives no sign of life".to_owned(),
    };
    match found.process {
        Some(Process::IsStopped) => {
            format!("process {pid} hangs: a signal (SIGSTOP) or a debugger has stopped it; {last}")
        }
        _ => format!("process {pid} hangs: it is there, but does not answer; {last}"),
    }
}

/// The unit has a process that has written no heartbeat.
fn starts_for_long(found: &Findings) -> String {
    let (pid, unit) = (found.pid.unwrap_or_default(), found.unit.as_ref());
    let age = unit.and_then(Unit::main_age_ms).map(span).unwrap_or_default();
    let doing = unit.map_or("", |unit| unit.get("StatusText"));
    format!("gives no sign of life: process {pid} began {age} ago (\"{doing}\")")
}

/// Why the unit has no process, where systemd knows that.
fn systemd_says(found: &Findings) -> Option<String> {
    let unit = found.unit.as_ref()?;
    let (result, status) = (unit.get("Result"), unit.get("ExecMainStatus"));
    match (unit.get("ActiveState"), unit.get("SubState")) {
        ("failed", _) => Some(format!("the unit has failed ({result}, status {status})")),
        (_, "auto-restart") => {
            Some(format!("systemd is about to start it again ({result}, status {status})"))
        }
        _ if unit.waits_for_token() => Some("the unit waits for its token".to_owned()),
        _ => None,
    }
}

/// From the endpoint if it answers, because only the endpoint says since when; otherwise from the
/// heartbeat.
fn findings(found: &Findings) -> Vec<Finding> {
    let mut list: Vec<Finding> = match &found.answer {
        Ok(said) => said["findings"].as_array().into_iter().flatten().map(of_json).collect(),
        Err(_) => {
            let beat = found.judgement.heartbeat.iter();
            let all = beat.filter(|b| b.verdict != Verdict::Stopped).flat_map(|b| &b.findings);
            all.map(|f| Finding {
                name: f.name.clone(),
                severity: f.severity,
                text: f.text.clone(),
                lasts_ms: None,
            })
            .collect()
        }
    };
    let spoken = matches!(found.judgement.reason, Reason::Degraded | Reason::Failing);
    if found.answer.is_ok() && found.overall.mark() != Mark::Good && !spoken {
        let judgement = &found.judgement;
        if judgement.state > heartbeat::State::Ok {
            list.push(Finding {
                name: "heartbeat".into(),
                severity: Severity::Failing,
                text: judgement.text.clone(),
                lasts_ms: None,
            });
        }
    }
    list
}

fn of_json(finding: &Value) -> Finding {
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let since = finding["since"].as_str().and_then(rfc3339::parse);
    let now = heartbeat::Now::read().time_ms;
    Finding {
        name: text("name"),
        // One that this version does not know is shown as the milder.
        severity: Severity::from_word(&text("severity")).unwrap_or(Severity::Degraded),
        text: text("text"),
        lasts_ms: since.map(|since| u64::try_from(now - since).unwrap_or(0)),
    }
}

fn block(finding: &Finding, found: &Findings, style: Style) -> String {
    let mark = match finding.severity {
        Severity::Failing => Mark::Bad,
        Severity::Degraded => Mark::Note,
    };
    let lasts = finding.lasts_ms.map(|ms| format!(" for {}", span(ms))).unwrap_or_default();
    let name = style.coloured(mark, &visible(&finding.name));
    let mut block = format!("  {} {name}{lasts}: {}\n", style.sign(mark), visible(&finding.text));
    if let Some(kind) = Kind::named(&finding.name) {
        let step = manager(found).advise(&found.unit_name, kind.facts().first_step);
        block.push_str(&format!("      {}\n", style.faint(&format!("do: {step}"))));
    }
    block
}

/// All details, as name and value.
fn figures(found: &Findings) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), visible(&value)));
    match &found.answer {
        Ok(said) => from_endpoint(said, &mut row),
        Err(_) => from_beat(found, &mut row),
    }
    row("heartbeat", in_words(&found.path, &found.judgement));
    if found.hides_boot {
        let file = "/usr/share/doc/katana-bot/examples/systemd/container.conf";
        row(
            "container",
            format!("it hides the boot id, and the heartbeat seems old to cron: {file}"),
        );
    }
    if let Some(silence) = checker::silence(&found.path) {
        row("alerts", silence);
    }
    if let Some(availability) = checker::availability(&found.path, &found.judgement) {
        row("available", availability);
    }
    match (&found.endpoint, &found.answer) {
        (Some(address), Ok(_)) => row("endpoint", address.clone()),
        (Some(address), Err(why)) => row("endpoint", format!("{address}: {why}")),
        (None, _) => row("endpoint", "off".to_owned()),
    }
    rows
}

fn from_beat(found: &Findings, row: &mut impl FnMut(&str, String)) {
    let Some(beat) = &found.judgement.heartbeat else { return };
    let version = of_environment(&beat.version, &beat.environment);
    row("version", format!("{version}, process {}", beat.pid));
    // Ages are those of the moment when the heartbeat was formed; they have grown since.
    let older = found.judgement.age_ms.unwrap_or(0);
    let age = |name: &str| beat.ages.iter().find(|(age, _)| age == name).map(|(_, ms)| ms + older);
    for name in ["poll", "send", "answer", "commit", "canary"] {
        if let Some(ms) = age(name) {
            row(&format!("last {name}"), format!("{} ago", span(ms)));
        }
    }
    let waits = [("updates", age("inbox_oldest")), ("messages", age("outbox_oldest"))];
    for (what, ms) in waits.into_iter().filter_map(|(what, ms)| Some((what, ms?))) {
        row(&format!("waiting {what}"), format!("the oldest is {} old", span(ms)));
    }
}

fn from_endpoint(said: &Value, row: &mut impl FnMut(&str, String)) {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let about = &said["about"];
    let environment = about["environment"].as_str().unwrap_or_default();
    let version = of_environment(&text(&about["version"]), environment);
    match (about["pid"].as_u64(), about["uptime_s"].as_f64()) {
        (Some(pid), Some(up)) => row("version", format!("{version}, process {pid}, up {}", s(up))),
        _ => row("version", version),
    }
    // Before Telegram has answered, it has no name.
    if about["username"].as_str().is_some_and(|name| !name.is_empty()) {
        let model = about["model"].as_str().filter(|model| !model.is_empty());
        let model = model.map(|model| format!(", {model}")).unwrap_or_default();
        row("bot", format!("@{} by {}{model}", text(&about["username"]), text(&about["provider"])));
    }
    let dependencies = [("polling", "poll"), ("sending", "send"), ("provider", "answer")];
    for (key, what) in dependencies.into_iter().chain([("store", "commit")]) {
        if let Some(line) = dependency(&said[key]) {
            row(&format!("last {what}"), line);
        }
    }
    let providers = said["providers"].as_array().map(Vec::as_slice).unwrap_or_default();
    for one in providers.iter().filter(|one| providers.len() > 1 || one["breaker"] != "closed") {
        let (label, line) = provider(one);
        row(&label, line);
    }
    if let Some(line) = waiting(&said["queues"]) {
        row("waiting", line);
    }
    if said["paused"] == true {
        row(
            "paused",
            "an owner paused the bot; questions are kept until an owner writes `/resume`"
                .to_owned(),
        );
    }
    let features = said["features"].as_object().into_iter().flatten();
    for (name, audience) in features.filter(|(_, audience)| **audience != "everyone") {
        row("feature", format!("{name}: {}", text(audience)));
    }
    if let Some(line) = documents(said) {
        row("documents", line);
    }
    if let Some(line) = budget(&said["budget"]) {
        row("budget", line);
    }
    if let Some(line) = canary(said) {
        row("canary", line);
    }
    if let Some(line) = counts(&said["counts"]) {
        row("since start", line);
    }
    if let Some(line) = refused_by_chats(&said["counts"]["refused_by_chats"]) {
        row("refused by chats", line);
    }
    if let Some(line) = backups(&said["backups"]) {
        row("backups", line);
    }
    if let Some(line) = machine(&said["system"]) {
        row("machine", line);
    }
}

/// The version, with the name of the installation if it has one.
fn of_environment(version: &str, environment: &str) -> String {
    match environment {
        "" => version.to_owned(),
        name => format!("{version}, {name}"),
    }
}

fn dependency(state: &Value) -> Option<String> {
    let worked = state["last_worked_age_s"].as_f64().map(|age| format!("{} ago", s(age)));
    let failures = state["failures"].as_u64().unwrap_or(0);
    if failures == 0 {
        return worked;
    }
    let class = state["class"].as_str().unwrap_or("unknown");
    let worked = worked.unwrap_or_else(|| "never".to_owned());
    Some(format!("{worked}; failed {failures} times since ({class})"))
}

fn waiting(queues: &Value) -> Option<String> {
    let depth = |key: &str, what: &str| {
        let count = queues[key]["count"].as_u64()?;
        let oldest = queues[key]["oldest_s"].as_f64().filter(|_| count > 0);
        let oldest = oldest.map(|age| format!(" (oldest {})", s(age))).unwrap_or_default();
        Some(format!("{count} {what}{oldest}"))
    };
    let telegram = queues["at_telegram"].as_u64().map(|n| format!("{n} at Telegram"));
    let all = [depth("inbox", "updates"), depth("outbox", "messages"), telegram];
    let all: Vec<String> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn counts(counts: &Value) -> Option<String> {
    let words = [
        ("updates", "updates"),
        ("commands", "commands"),
        ("answers", "answers"),
        ("answers_failed", "failed"),
        ("sent", "messages sent"),
        ("dropped", "dropped"),
    ];
    let shown = words.iter().filter_map(|(key, word)| {
        let count = counts[*key].as_u64()?;
        let trouble = matches!(*key, "answers_failed" | "dropped");
        (count > 0 || !trouble).then(|| format!("{count} {word}"))
    });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// What chats did not take, by reason.
fn refused_by_chats(counts: &Value) -> Option<String> {
    let words = |reason: &str| match reason {
        "gone" => "blocked or removed".to_owned(),
        "no_right" => "no right to write".to_owned(),
        "topic_closed" => "topic closed".to_owned(),
        other => other.to_owned(),
    };
    let counts = counts.as_object()?.iter();
    let shown: Vec<String> =
        counts.map(|(reason, count)| format!("{} {count}", words(reason))).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

fn machine(system: &Value) -> Option<String> {
    let share = |used: f64, of: f64| format!("{:.0} %", used / of * 100.0);
    let number = |key: &str| system[key].as_f64();
    let mut words = Vec::new();
    if let Some(cpu) = number("cpu_ratio") {
        words.push(format!("processors {}", share(cpu, 1.0)));
    }
    if let (Some(used), Some(all)) = (number("memory_used_bytes"), number("memory_total_bytes"))
        && all > 0.0
    {
        words.push(format!("memory {}", share(used, all)));
    }
    if let (Some(free), Some(all)) = (number("disk_free_bytes"), number("disk_total_bytes"))
        && all > 0.0
    {
        words.push(format!("disk {}", share(all - free, all)));
    }
    if let Some(rss) = number("rss_bytes") {
        words.push(format!("the process uses {:.0} MiB", rss / 1_048_576.0));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_stay_silent_about_what_is_not_known() {
        assert_eq!(dependency(&json!({})), None);
        assert_eq!(waiting(&json!({"inbox": null})), None);
        assert_eq!(counts(&Value::Null), None);
        assert_eq!(refused_by_chats(&json!({})), None);
        assert_eq!(machine(&json!({"memory_total_bytes": 0, "memory_used_bytes": 0})), None);
    }

    #[test]
    fn figures_are_in_words() {
        let failing = json!({"last_worked_age_s": 62.5, "failures": 3, "class": "timeout"});
        assert_eq!(dependency(&failing).unwrap(), "1 min 2 s ago; failed 3 times since (timeout)");
        let refused = json!({"gone": 1, "topic_closed": 2});
        let shown = refused_by_chats(&refused).unwrap();
        assert_eq!(shown, "blocked or removed 1, topic closed 2");
        let queues = json!({"inbox": {"count": 2, "oldest_s": 7.0}, "outbox": {"count": 0}});
        assert_eq!(waiting(&queues).unwrap(), "2 updates (oldest 7 s), 0 messages");
    }
}
