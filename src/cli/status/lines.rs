//! Single lines of the status.

use heartbeat::{rfc3339, span};
use hygiene::line::count;
use serde_json::Value;

/// The last outcome of the question that the bot puts to itself.
pub(super) fn canary(said: &Value) -> Option<String> {
    let age = said["canary_age_s"].as_f64()?;
    Some(match said["canary"].as_str()? {
        "passed" => format!("answered as expected {} ago", s(age)),
        "wrong" => format!("not answered as expected {} ago", s(age)),
        "unanswered" => format!("no answer {} ago", s(age)),
        "over_budget" => format!("not asked {} ago: its budget is used up", s(age)),
        "superseded" => format!("no answer {} ago; people have had answers since", s(age)),
        _ => return None,
    })
}

/// One provider of the list, where there are several or it is not asked: what it is called, and how it is.
pub(super) fn provider(one: &Value) -> (String, String) {
    let text = |key: &str| one[key].as_str().unwrap_or("?");
    let label = format!("provider {}", text("name"));
    let model = text("model");
    let line = match (text("breaker"), one["failing_for_s"].as_f64()) {
        ("closed", _) | (_, None) => format!("{model}: ready"),
        (state, Some(failing)) => {
            let what = if one["unusable"] == true { "cannot be used" } else { "fails" };
            let next = match one["asked_again_in_s"].as_f64() {
                _ if state == "half_open" => "a question is trying it".to_owned(),
                Some(wait) if wait > 0.0 => format!("it is tried again in {}", s(wait)),
                _ => "the next question tries it".to_owned(),
            };
            format!("{model}: {what} ({}) for {}; {next}", text("class"), s(failing))
        }
    };
    (label, line)
}

/// The documents, and how far their vectors are.
pub(super) fn documents(said: &Value) -> Option<String> {
    let (documents, index) = (&said["documents"], &said["index"]);
    let mut line = match documents["state"].as_str()? {
        "read" => {
            let passages = documents["passages"].as_u64().unwrap_or_default();
            format!("{} in {}", documents["files"], count(passages, "passage"))
        }
        "reading" => "being read; questions wait".to_owned(),
        "unreadable" => "cannot be read".to_owned(),
        _ => return None,
    };
    if let Some(n) = index["unreadable"].as_u64().filter(|n| *n > 0) {
        line.push_str(&format!("; {n} cannot be read (`katana-bot knowledge status`)"));
    }
    if let Some(n) = index["folders_unreadable"].as_u64().filter(|n| *n > 0) {
        let folders = count(n, "folder");
        line.push_str(&format!("; {folders} cannot be read (`katana-bot knowledge status`)"));
    }
    for (name, what) in [("active", "vectors"), ("building", "vectors of the next model")] {
        let (done, of) = (index[name]["embedded"].as_u64(), index[name]["of"].as_u64());
        if let Some((done, of)) = done.zip(of).filter(|(done, of)| done < of || name == "building")
        {
            let eta = index[name]["eta_s"].as_f64().map(|left| format!(", {} left", s(left)));
            line.push_str(&format!("; {what}: {done} of {of}{}", eta.unwrap_or_default()));
        }
    }
    if index["short_of_space"] == true {
        line.push_str("; the index does not grow, because its disk is nearly full");
    }
    if let Some(age) = index["oldest_change_age_s"].as_f64() {
        line.push_str(&format!("; a change waits for {}", s(age)));
    }
    Some(line)
}

/// What was spent, where anything was or may be.
pub(super) fn budget(budget: &Value) -> Option<String> {
    let of = |period: &str, when: &str| {
        let (used, limit) =
            (budget[period]["used_usd"].as_f64()?, budget[period]["limit_usd"].as_f64());
        (used > 0.0 || limit.is_some()).then(|| match limit {
            Some(limit) if used >= limit => format!("all of {limit:.2} USD are used up {when}"),
            Some(limit) => format!("{used:.2} of {limit:.2} USD {when}"),
            None => format!("{used:.2} USD {when}"),
        })
    };
    let both: Vec<String> =
        [of("day", "today"), of("month", "this month")].into_iter().flatten().collect();
    (!both.is_empty()).then(|| both.join(", "))
}

/// None were made where none are kept this way.
pub(super) fn backups(backups: &Value) -> Option<String> {
    let newest = backups["newest"].as_str().and_then(rfc3339::parse)?;
    let age_ms = u64::try_from(heartbeat::Now::read().time_ms - newest).unwrap_or(0);
    let count = backups["count"].as_u64().unwrap_or_default();
    Some(format!("{count}, the newest is {} old", span(age_ms)))
}

/// Seconds in words.
pub(super) fn s(seconds: f64) -> String {
    // A cast saturates.
    span((seconds.max(0.0) * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_spent_stands_beside_what_may_be() {
        let of = |used: Value, limit: Value| json!({"used_usd": used, "limit_usd": limit});
        let said = |day, month| budget(&json!({"day": day, "month": month}));
        let none = of(json!(0.0), Value::Null);
        assert_eq!(said(none.clone(), none.clone()), None, "neither spent nor limited");
        assert_eq!(said(of(Value::Null, json!(5.0)), none), None, "not known yet");
        let (day, month) = (of(json!(5.01), json!(5.0)), of(json!(7.5), json!(50.0)));
        let want = "all of 5.00 USD are used up today, 7.50 of 50.00 USD this month";
        assert_eq!(said(day, month).as_deref(), Some(want));
        let day = of(json!(0.25), Value::Null);
        assert_eq!(said(day, Value::Null).as_deref(), Some("0.25 USD today"));
    }
}
