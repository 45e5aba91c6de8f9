//! The real binary, killed while hundreds of messages are on their way and not acknowledged, with
//! every chat busy and no new messages afterwards: what was sent is found, what was not is sent.
//!
//! Probes are counted, because Telegram lets a bot edit only so often.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use botapi_sim::{Class, Fault, Faults, Hold, HoldAt, Limits};

use crate::crash::{PATIENCE, Run, end, kill, log, start};

/// Chats whose answers are on their way at the kill.
const CHATS: i64 = 200;

/// First user id of them.
const FIRST: i64 = 5000;

/// After so long every chat goes on. Alone on two cores it takes 16 s at most; this test shares them with
/// others.
const BOUND: Duration = Duration::from_secs(180);

/// What Telegram did with the messages before the kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// It has taken all of them, and acknowledged none.
    AllTaken,
    /// It acknowledges each 30 ms late; the kill comes when so many are there.
    Late(u64),
    /// It has not taken those to some of the chats.
    SomeLost(usize),
    /// It has taken none.
    NoneTaken,
    /// Other people wrote meanwhile.
    Mingled,
}

fn shape(dice: &mut fastrand::Rng, round: usize) -> Shape {
    match round % 5 {
        0 => Shape::AllTaken,
        1 => Shape::Late(dice.u64(120..200)),
        2 => Shape::SomeLost(dice.usize(1..40)),
        3 => Shape::NoneTaken,
        _ => Shape::Mingled,
    }
}

fn kills() -> usize {
    match std::env::var("KATANA_CRASH_KILLS") {
        Ok(text) => text.parse().expect("KATANA_CRASH_KILLS is a number"),
        Err(_) => 5,
    }
}

/// Lines of the whole log that hold these words.
fn lines(dir: &Path, words: &str) -> usize {
    let text = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    text.lines().filter(|line| line.contains(words)).count()
}

/// Parts in doubt, as the last start found them.
fn in_doubt(dir: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    let line = text.lines().rev().find(|l| l.contains("messages in doubt"))?;
    let digits: String = line
        .split("parts=")
        .nth(1)?
        .trim_start_matches('"')
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// Says something in every chat and returns when `shape` is reached.
async fn fill(run: &mut Run, shape: Shape) {
    let sim = run.sim.clone();
    let mut holds = Vec::new();
    match shape {
        Shape::AllTaken | Shape::Mingled => {
            holds.push(sim.hold(Hold::Method("sendMessage"), HoldAt::AfterEffect));
        }
        Shape::Late(_) => {
            let late = Fault::DelayAfter(Duration::from_millis(30)..Duration::from_millis(31));
            sim.set_faults(Faults::none().on(Class::Sends, late, 1.0));
        }
        Shape::SomeLost(count) => {
            let mut lost = BTreeSet::new();
            while lost.len() < count {
                lost.insert(FIRST + run.dice.i64(0..CHATS));
            }
            let before =
                |chat: &i64| sim.hold(Hold::Chat("sendMessage", *chat), HoldAt::BeforeEffect);
            holds.extend(lost.iter().map(before));
            holds.push(sim.hold(Hold::Method("sendMessage"), HoldAt::AfterEffect));
        }
        Shape::NoneTaken => {
            holds.push(sim.hold(Hold::Method("sendMessage"), HoldAt::BeforeEffect));
        }
    }
    let before = sim.bot_message_count();
    for chat in 0..CHATS {
        run.say_in(FIRST + chat);
        if shape == Shape::Mingled && chat % 3 == 0 {
            // Their answers join those on their way.
            tokio::time::sleep(Duration::from_millis(run.dice.u64(0..3))).await;
        }
    }
    let reached = match shape {
        Shape::Late(taken) => {
            sim.wait_until(PATIENCE, |s| s.bot_message_count() >= before + taken).await
        }
        _ => {
            let held = || holds.iter().map(botapi_sim::HoldGuard::held).sum::<usize>();
            let all = async {
                // Looked at again and again: a held request does not wake the wait.
                while held() < CHATS as usize {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(PATIENCE, all).await.is_ok()
        }
    };
    assert!(reached, "{shape:?}: only {} sent", sim.bot_message_count() - before);
    run.holds = holds;
}

/// Kills the process, starts it again, and waits until no part is in doubt; answers the new process
/// and how many probes that took.
async fn restart(run: &mut Run, dir: &Path, child: Child, pace: bool) -> (Child, u64) {
    kill(child);
    run.holds.clear();
    run.sim.set_faults(Faults::none());
    let before = run.sim.calls("editMessageText");
    let looked = lines(dir, "message looked for");
    let begun = Instant::now();
    let child = start(&run.sim, dir, "echo", pace);
    let mut clear = run.all_answered().await;
    let is_clear =
        || in_doubt(dir).is_some_and(|parts| lines(dir, "message looked for") >= looked + parts);
    while !is_clear() && begun.elapsed() < PATIENCE {
        run.sim.wait_until(Duration::from_millis(100), |_| false).await;
    }
    clear &= is_clear();
    assert!(clear, "still in doubt; log:\n{}", log(dir));
    let took = begun.elapsed();
    // A doubled answer would come now.
    run.sim.wait_until(Duration::from_millis(100), |_| false).await;
    let probes = run.sim.calls("editMessageText") - before;
    let (parts, ms) = (in_doubt(dir).unwrap_or(0), took.as_millis());
    eprintln!("{parts} in doubt, {probes} probes, {ms} ms");
    assert!(took < BOUND, "200 chats wait {ms} ms");
    run.compare();
    assert_eq!(lines(dir, "possible_duplicate"), 0, "nothing is doubtful in the end");
    (child, probes)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_with_every_chat_busy_nothing_is_lost_or_doubled() {
    let mut run = Run::new(17, Limits::off()).await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut child = start(&run.sim, dir.path(), "echo", false);
    for round in 0..kills() {
        // The process knows the counter's highest id, so that many may be on their way.
        run.say_in(FIRST - 1);
        assert!(run.all_answered().await, "log:\n{}", log(dir.path()));
        let shape = shape(&mut run.dice, round);
        eprint!("round {round}, {shape:?}: ");
        fill(&mut run, shape).await;
        (child, _) = restart(&mut run, dir.path(), child, false).await;
    }
    end(child);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_chats_are_clear_soon_at_telegrams_rate_of_edits() {
    let mut run = Run::new(19, Limits::real()).await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut child = start(&run.sim, dir.path(), "echo", true);
    // What is acknowledged late is paced: of those, few are on their way at a time.
    let shapes =
        [Shape::AllTaken, Shape::Late(150), Shape::SomeLost(20), Shape::NoneTaken, Shape::Mingled];
    for shape in shapes {
        run.say_in(FIRST - 1);
        assert!(run.all_answered().await, "log:\n{}", log(dir.path()));
        eprint!("{shape:?}: ");
        fill(&mut run, shape).await;
        let probes;
        (child, probes) = restart(&mut run, dir.path(), child, true).await;
        // Alone 300 at most, and some more for each answer that a busy machine delays. A search that learns
        // nothing would need as many for each chat as there are chats.
        let few = 20 * CHATS as u64;
        assert!(probes < few, "paced messages arrive nearly in order: {probes} probes");
    }
    let refused = run.sim.outcomes()["editMessageText"].get(&429).copied();
    assert_eq!(refused, None, "probes keep to the limit");
    end(child);
}
