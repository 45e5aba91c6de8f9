//! The pictures in the README show what the programs really say: the demo's output, the messages that the
//! real checker sends, and the bot's page. What differs from run to run is replaced.
//!
//! `KATANA_TEST_WRITE=1` writes the pictures instead of comparing them; `tools/pictures` does that, and makes
//! images of the page.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use botapi_sim::{Options, Sim};
use heartbeat::{Heartbeat, LastExit, Manager, Now, Verdict};

use crate::harness::Stage;
use crate::show::{built, scaled};
use crate::svg::{Bubble, Line, Look, THEMES, chat, terminal, wrap};

/// The chat of those who are alerted.
const CHAT: i64 = 4711;

/// Columns of the terminal.
const COLUMNS: usize = 84;

/// Compares a picture with what it should be, or writes it.
fn expect(name: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures").join(name);
    if std::env::var_os("KATANA_TEST_WRITE").is_some() {
        return std::fs::write(&file, wanted).expect("the picture can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == wanted, "docs/pictures/{name} is out of date: run tools/pictures\n{wanted}");
}

/// Replaces what stands between each `before` and the next `after`; it must stand there.
fn fixed(text: &str, before: &str, after: &str, new: &str) -> String {
    let mut parts = text.split(before);
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut count = 0;
    for part in parts {
        let end = part.find(after).expect(after);
        out.push_str(&format!("{before}{new}{}", &part[end..]));
        count += 1;
    }
    assert!(count > 0, "{before:?} is missing in {text}");
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_of_the_demo_is_what_it_prints() {
    let says = ["--say", "Why does no answer come twice?", "--say", "/status"];
    // `cargo test` has built it already; by itself, a build of the demo would share less with the others.
    let beside = Path::new(env!("CARGO_BIN_EXE_katana-bot")).with_file_name("examples/demo");
    let demo =
        if beside.exists() { beside } else { built("examples/demo", &["--example", "demo"]) };
    let output = Command::new(demo).args(says).output().expect("the demo runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (head, talk) = text.split_once("\n\n").expect("a head");
    let mut lines: Vec<Line> = Vec::new();
    // The places of the simulator, the state and the log are others each time.
    for (n, line) in head.lines().filter(|line| !line.starts_with("  ")).enumerate() {
        let look = if n == 0 { Look::Bold } else { Look::Quiet };
        lines.push(vec![(look, line.to_owned())]);
    }
    lines.push(Vec::new());
    let talk = fixed(talk, "Up for ", " (", "3 min");
    for line in talk.trim_end().lines() {
        match line.split_once(" ›") {
            Some(("you", said)) => {
                lines.push(vec![(Look::You, "you ›".to_owned()), (Look::Plain, said.to_owned())]);
            }
            Some(("katana", _)) => lines.push(vec![(Look::Bot, "katana ›".to_owned())]),
            _ => {
                let wrapped = wrap(line, COLUMNS as f64, |_| 1.0);
                lines.extend(wrapped.into_iter().map(|line| vec![(Look::Plain, line)]));
            }
        }
    }
    for theme in THEMES {
        let title = "cargo run --example demo";
        expect(&format!("demo-{}.svg", theme.name), &terminal(title, &lines, COLUMNS, theme));
    }
}

/// Runs the real checker on a heartbeat, with a second bot to alert people.
fn check(folder: &Path, heartbeat: &Path, sim: &Sim) {
    let config = folder.join("config.toml");
    std::fs::write(&config, "host = \"bot1\"\n").expect("written");
    let output = Command::new(built("check-heartbeat", &["-p", "check-heartbeat"]))
        .arg("--config")
        .arg(config)
        .args([
            "--state-dir".as_ref(),
            folder.as_os_str(),
            "--file".as_ref(),
            heartbeat.as_os_str(),
        ])
        .env_clear()
        .env("TZ", "UTC")
        .env("TELEGRAM_ALERT_BOT_TOKEN", sim.token())
        .env("TELEGRAM_ALERT_CHAT_ID", CHAT.to_string())
        .env("TELEGRAM_ALERT_API_URL", sim.api_url())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 2), "{said}");
}

fn beat() -> Heartbeat {
    let now = Now::read();
    Heartbeat {
        time_ms: now.time_ms,
        boot_id: now.boot_id.expect("a boot id"),
        boot_ms: now.boot_ms.expect("an uptime"),
        awake_ms: now.awake_ms,
        sequence: 7,
        // There is none of this number.
        pid: 999_999_999,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: "production".to_owned(),
        manager: Some(Manager::Systemd),
        verdict: Verdict::Ok,
        findings: Vec::new(),
        ages: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_of_alerts_is_what_the_checker_sends() {
    let sim = Sim::start(Options::default()).await.expect("the simulator starts");
    sim.say(CHAT, "/start");
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("katana-bot");
    std::fs::create_dir(&run).expect("created");
    let file = run.join("heartbeat");
    heartbeat::write(&file, &beat()).expect("written");
    let exit = LastExit {
        key: Some("bot.acces".to_owned()),
        file: Some("/etc/katana-bot/katana-bot.toml".to_owned()),
        line: Some(12),
        environment: "production".to_owned(),
        ..LastExit::now(Some(78), "there is no such key")
    };
    exit.write(&file).expect("written");
    check(folder.path(), &file, &sim);
    LastExit::remove(&file).expect("removed");
    heartbeat::write(&file, &beat()).expect("written");
    check(folder.path(), &file, &sim);

    let sent = sim.bot_messages(CHAT);
    assert_eq!(sent.len(), 2, "{sent:?}");
    let path = file.display().to_string();
    let times = [("09:12:04", "09:12"), ("09:19:40", "09:19")];
    let bubbles: Vec<Bubble> = std::iter::zip(&sent, times)
        .map(|(message, (_, time))| Bubble {
            text: lasting(&message.text.replace(&path, heartbeat::DEFAULT_PATH), times),
            time: time.to_owned(),
        })
        .collect();
    for theme in THEMES {
        expect(&format!("alerts-{}.svg", theme.name), &chat("Katana alerts", &bubbles, theme));
    }
}

/// An alert with fixed times: of its start and of its end.
fn lasting(text: &str, times: [(&str, &str); 2]) -> String {
    // On a busy machine an alert about a second says how long it was.
    let lines = text.lines().filter(|line| !line.starts_with("So far: "));
    let lines = lines.map(|line| match line.split_once(": ") {
        Some(("Start", _)) => format!("Start: 2026-11-29 {} UTC", times[0].0),
        Some(("End", _)) => format!("End: 2026-11-29 {} UTC", times[1].0),
        Some(("Duration", _)) => "Duration: 8 min".to_owned(),
        Some(("Incident", rest)) => {
            let (_, notice) = rest.split_once(", ").expect("a number");
            format!("Incident: katana-bot-1a227, {notice}")
        }
        Some(("Runbook", page)) => {
            let (_, topic) = page.split_once("runbook.md").expect("a page");
            format!("Runbook: /usr/share/doc/katana-bot/runbook.md{topic}")
        }
        _ => line.replace("999999999", "812"),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let text =
        if text.contains("it ended ") { fixed(&text, "it ended ", " ago", "21 s") } else { text };
    if text.contains("heartbeat is ") { fixed(&text, "heartbeat is ", " old", "2 s") } else { text }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_of_the_page_is_what_it_shows() {
    let mut stage = Stage::new().await;
    scaled(&mut stage, &[("KATANA_ANSWER_PROVIDER", "offline")]);
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/knowledge");
    stage.set("KATANA_KNOWLEDGE_DIR", &pages.display().to_string());
    stage.start().await;
    for said in ["How do I back up the bot?", "What is the heartbeat?", "/status", "/help"] {
        stage.ask(5, said).await;
    }
    stage.idle().await;
    let url = format!("http://{}/", stage.app().web_address().expect("it listens"));
    let mut page = String::new();
    // Until the last answer is in a report.
    for _ in 0..100 {
        let answer = reqwest::Client::new().get(&url).header("accept", "text/html").send().await;
        page = answer.expect("answered").text().await.expect("text");
        if page.contains("last answer ")
            && page.contains("<td>4</td>")
            && page.matches("<td>none<").count() == 2
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (before, after, new) in [
        ("last completed poll ", "<", "2 s ago"),
        ("last answer ", "<", "9 s ago"),
        ("last commit that was probed ", "<", "6 s ago"),
        ("Last message done</th><td>", "<", "9 s ago"),
        ("<th scope=\"row\">Documents</th><td>", "<", "13 in 98 passages"),
        ("running for ", ".", "12 d 4 h"),
        ("<time datetime=\"", "<", "2026-11-29T09:41:07Z\">2026-11-29 09:41:07 UTC"),
    ] {
        page = fixed(&page, before, after, new);
    }
    let (before, rest) = page.split_once("&nbsp;% in use").expect("the disk");
    let (before, _) = before.rsplit_once('>').expect("its share");
    expect("page.html", &format!("{before}>41&nbsp;% in use{rest}"));
    stage.end().await;
}
