//! `katana-bot deploy-check`: waits until a new instance has shown that it works.
//!
//! Invariants: it only reads, so it costs nothing and changes nothing; no redirect is followed, because it would
//! carry the admin token elsewhere; it ends within its timeout.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use hygiene::line::one_line;
use hygiene::secret::{self, Environment};
use hygiene::url;
use serde_json::{Value, json};

use super::exit;
use super::stop::Stop;
use super::style::{say, say_json};
use crate::config::find;
use crate::model::failure::chain;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Largest answer that is read, in bytes.
const MOST_BYTES: usize = 256 * 1024;

/// What `deploy-check` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Wishes {
    /// Address of the new instance's HTTP endpoint, such as http://127.0.0.1:8080
    #[arg(long, value_parser = address)]
    url: String,
    /// How long to wait, such as 90s or 5m
    #[arg(long, default_value = "120s", value_parser = duration)]
    timeout: Duration,
    /// The version that has to answer; takes KATANA_WEB_ADMIN_TOKEN, except on the same machine
    #[arg(long, value_name = "VERSION")]
    expect_version: Option<String>,
    /// Do not wait for the canary question
    #[arg(long)]
    without_canary: bool,
    /// Machine-readable output
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn deploy_check(wishes: &Wishes) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let begun = Instant::now();
    let outcome = runtime.block_on(wait(wishes, begun))?;
    // A hanging name lookup must not delay the exit.
    runtime.shutdown_background();
    let waited_s = (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    let (ok, words) = match outcome {
        Ok(words) => (true, words),
        Err(reason) => (false, reason),
    };
    if wishes.json {
        let reason = (!ok).then_some(&words);
        say_json(&json!({"ok": ok, "reason": reason, "waited_s": waited_s}));
    } else if ok {
        say(&format!("the deployment works after {waited_s} s: {words}\n"));
    } else {
        eprintln!("katana-bot: the deployment does not work after {waited_s} s: {words}");
    }
    Ok(ExitCode::from(if ok { 0 } else { exit::UNAVAILABLE }))
}

/// What was shown, or the last reason why it does not work.
async fn wait(wishes: &Wishes, begun: Instant) -> anyhow::Result<Result<String, String>> {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER)
        .build()
        .context("cannot make an HTTP client")?;
    let endpoint = Endpoint { http, url: wishes.url.clone(), token: token()? };
    let mut last = String::from("there was no time to look");
    while begun.elapsed() < wishes.timeout {
        let left = wishes.timeout.saturating_sub(begun.elapsed());
        match tokio::time::timeout(left, look(&endpoint, wishes)).await {
            Ok(Ok(words)) => return Ok(Ok(words)),
            Ok(Err(Obstacle::Final(why))) => return Ok(Err(why)),
            Ok(Err(Obstacle::MayPass(why))) => last = why,
            Err(_) => {}
        }
        tokio::time::sleep(EVERY.min(wishes.timeout.saturating_sub(begun.elapsed()))).await;
    }
    Ok(Err(last))
}

/// Why it does not work.
enum Obstacle {
    /// Yet.
    MayPass(String),
    /// And will not.
    Final(String),
}

fn may_pass<T>(why: impl Into<String>) -> Result<T, Obstacle> {
    Err(Obstacle::MayPass(why.into()))
}

/// One look at everything.
async fn look(endpoint: &Endpoint, wishes: &Wishes) -> Result<String, Obstacle> {
    let (_, health) = endpoint.get("/health").await?;
    if health["phase"].is_null() || health["checks"].is_null() {
        return may_pass("what answers there is not katana-bot");
    }
    // The instance before may still answer.
    let mut shown = Vec::new();
    if let Some(wanted) = &wishes.expect_version {
        let Some(found) = health["version"].as_str() else {
            let why = "the endpoint shows its version only with the admin token: set \
                       KATANA_WEB_ADMIN_TOKEN, or KATANA_WEB_ADMIN_TOKEN_FILE";
            return may_pass(why);
        };
        if found != wanted {
            return may_pass(format!("version {} answers, not {wanted}", visible(found)));
        }
        shown.push(format!("version {wanted} answers"));
    }
    let (code, ready) = endpoint.get("/ready").await?;
    if code != 200 {
        let reasons = ready["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let reasons: Vec<&str> = reasons.collect();
        return may_pass(format!("it is not ready: {}", visible(&reasons.join("; "))));
    }
    let state = |check: &str| health["checks"][check][0]["status"].as_str().unwrap_or("missing");
    match (health["phase"].as_str(), state("telegram")) {
        (Some("running"), "healthy" | "degraded") => shown.push("polls are answered".to_owned()),
        (_, state) => return may_pass(format!("no poll has been answered: {}", visible(state))),
    }
    if wishes.without_canary {
        return Ok(shown.join(", "));
    }
    let output = || health["checks"]["canary"][0]["output"].as_str().map(visible);
    match state("canary") {
        "healthy" => shown.push("the canary question was answered as expected".to_owned()),
        "degraded" => {
            shown.push(
                "the canary question was not asked, because its budget is used up".to_owned(),
            );
        }
        "unknown" => return may_pass("the canary question has not been answered yet"),
        "missing" => {
            let why = "no canary question is configured: set canary.question and canary.expect, or \
                       use --without-canary";
            return may_pass(why);
        }
        _ => {
            let detail = output().map(|output| format!(" ({output})")).unwrap_or_default();
            let why = format!("the canary question was not answered as expected{detail}");
            // The next try is minutes away, and without a version this may be the instance before.
            let is_new = wishes.expect_version.is_some();
            return Err(if is_new { Obstacle::Final(why) } else { Obstacle::MayPass(why) });
        }
    }
    Ok(shown.join(", "))
}

/// Where the new instance answers.
struct Endpoint {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Endpoint {
    /// Status and JSON.
    async fn get(&self, path: &str) -> Result<(u16, Value), Obstacle> {
        let mut request = self.http.get(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let failed = |e: reqwest::Error| {
            let why = visible(&chain(&e.without_url()));
            Obstacle::MayPass(format!("{} does not answer: {why}", self.url))
        };
        let mut answer = request.send().await.map_err(failed)?;
        let code = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&piece);
            if body.len() > MOST_BYTES {
                return may_pass(format!("{} answers too much for katana-bot", self.url));
            }
        }
        match serde_json::from_slice(&body) {
            Ok(json) => Ok((code, json)),
            Err(_) => may_pass(format!("{} answers with {code}, and not as katana-bot", self.url)),
        }
    }
}

/// Words of a server, which may be anything.
fn visible(text: &str) -> String {
    one_line(text, 300)
}

/// The admin token, if the environment has it.
fn token() -> anyhow::Result<Option<String>> {
    let key = find("web.admin_token").context("the key is declared")?;
    let env = Environment::of_process();
    let variable = key.variable();
    match secret::find(&env, None, &[], &[&variable]) {
        None => Ok(None),
        Some((_, Ok(token))) => Ok(Some(token.trim().to_owned())),
        Some((_, Err(why))) => {
            let hint = format!("{variable}_FILE names a file with the token on one line");
            Err(Stop::new(exit::CONFIG, format!("the admin token {why}"), hint).into())
        }
    }
}

fn address(text: &str) -> Result<String, String> {
    url::parse(text).map(|url| url.text).map_err(|why| format!("the address {why}"))
}

/// Seconds, or a number with `s` or `m`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit_s) = match text.strip_suffix('m') {
        Some(number) => (number, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_s));
    let seconds = seconds.filter(|s| (1..=86_400).contains(s));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "write 1s to 24 hours, such as 90s or 5m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        for (text, seconds) in [("120s", 120), ("90", 90), ("5m", 300)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "0", "-1", "1h", "99999m", "1.5s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
