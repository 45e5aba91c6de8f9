//! `/control/…`: the simulator driven over HTTP, for tests and benchmarks in another process.
//!
//! | request | body or query | answer |
//! |---|---|---|
//! | `POST /control/say` | `{"user_id":1,"text":"hi","chat_id":-5}` (`chat_id` optional) | `{"update_id":…,"message_id":…}` |
//! | `POST /control/flood` | `{"updates":20000,"chats":200,"text":"hi"}` | `{}` |
//! | `POST /control/reset` | | `{}`; forgets counts, latencies and the first poll |
//! | `POST /control/faults` | `{"rate":0.01}` | `{}` |
//! | `GET /control/transcript` | `?chat_id=1`, or nothing for all chats | `{"1":[{"message_id":…,"from_bot":…,"text":…}]}` |
//! | `GET /control/state` | | see [`state`] |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response};
use serde_json::{Value, json};

use crate::Faults;
use crate::server::{Body, respond};
use crate::sim::{Inner, Sim};

pub(crate) fn answer(inner: &Arc<Inner>, parts: &Parts, body: &Bytes) -> Response<Body> {
    let sim = Sim::inside(inner);
    let given: Value = if body.is_empty() {
        json!({})
    } else {
        match serde_json::from_slice(body) {
            Ok(given) => given,
            Err(error) => {
                return reply(400, &json!({"error": format!("body is not JSON: {error}")}));
            }
        }
    };
    let done = match (&parts.method, parts.uri.path()) {
        (&Method::POST, "/control/say") => say(&sim, &given),
        (&Method::POST, "/control/flood") => flood(&sim, &given),
        (&Method::POST, "/control/reset") => {
            sim.reset_counts();
            Ok(json!({}))
        }
        (&Method::POST, "/control/faults") => given["rate"]
            .as_f64()
            .ok_or_else(|| "rate must be a number from 0 to 1".to_owned())
            .map(|rate| {
                sim.set_faults(Faults::everything(rate));
                json!({})
            }),
        (&Method::GET, "/control/transcript") => Ok(transcript(&sim, parts.uri.query())),
        (&Method::GET, "/control/state") => Ok(state(&sim)),
        (method, path) => {
            let error = format!("no {method} {path} here");
            return reply(404, &json!({ "error": error }));
        }
    };
    match done {
        Ok(value) => reply(200, &value),
        Err(error) => reply(400, &json!({ "error": error })),
    }
}

fn reply(status: u16, value: &Value) -> Response<Body> {
    respond(status, "application/json", Bytes::from(value.to_string()))
}

fn say(sim: &Sim, given: &Value) -> Result<Value, String> {
    let user_id = given["user_id"].as_i64().ok_or("user_id must be a number")?;
    let text = given["text"].as_str().ok_or("text must be a string")?;
    let chat_id = given["chat_id"].as_i64().unwrap_or(user_id);
    let sent = sim.say_in(chat_id, user_id, text);
    Ok(json!({"update_id": sent.update_id, "message_id": sent.message_id}))
}

fn flood(sim: &Sim, given: &Value) -> Result<Value, String> {
    let count = |key: &str| {
        given[key]
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| format!("{key} must be a number"))
    };
    let text = given["text"].as_str().unwrap_or("hello");
    sim.flood(count("updates")?, count("chats")?, text);
    Ok(json!({}))
}

fn transcript(sim: &Sim, query: Option<&str>) -> Value {
    let wanted = form_urlencoded::parse(query.unwrap_or("").as_bytes())
        .find(|(key, _)| key == "chat_id")
        .and_then(|(_, value)| value.parse::<i64>().ok());
    let chats = wanted.map_or_else(|| sim.chats(), |id| vec![id]);
    let all: BTreeMap<String, Vec<Value>> = chats
        .into_iter()
        .map(|id| {
            let messages = sim.transcript(id).into_iter().map(|message| {
                json!({"message_id": message.message_id, "from_bot": message.from_bot,
                    "text": message.text, "entities": message.entities,
                    "reply_to": message.reply_to, "edited": message.edited})
            });
            (id.to_string(), messages.collect())
        })
        .collect();
    json!(all)
}

/// The counts of a run: `calls` and `outcomes` by method, `pending` updates, `bot_messages`,
/// `first_poll_unix_ms` (null until the first poll), and `latency` (`count`, `p50_ms`, `p99_ms`, `max_ms`)
/// from the update being there to the arrival of its `sendMessage`.
#[must_use]
pub fn state(sim: &Sim) -> Value {
    let outcomes = sim.outcomes();
    let calls: BTreeMap<_, _> =
        outcomes.keys().map(|method| (method.clone(), sim.calls(method))).collect();
    let mut latencies = sim.latencies();
    latencies.sort_unstable();
    json!({
        "calls": calls,
        "outcomes": outcomes,
        "pending": sim.pending(),
        "bot_messages": sim.bot_message_count(),
        "first_poll_unix_ms": sim.first_poll_at().map(unix_ms),
        "latency": {
            "count": latencies.len(),
            "p50_ms": percentile(&latencies, 50),
            "p99_ms": percentile(&latencies, 99),
            "max_ms": percentile(&latencies, 100),
        },
    })
}

/// An instant of the past in milliseconds since 1970.
fn unix_ms(at: Instant) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(at.elapsed()).as_secs_f64() * 1000.0
}

/// A percentile of sorted durations, in milliseconds; 0 when there are none.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(place).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
}
