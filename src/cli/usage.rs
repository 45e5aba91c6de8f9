//! `katana-bot usage`: where tokens and money went, also while the bot runs.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::exit;
use super::stop::Stop;
use super::style::{say, say_json};
use crate::config::Loaded;
use crate::model::budget::{Period, day_name, day_of, parse_day};
use crate::model::ids::BotId;
use crate::observe::clock::Clock;
use crate::store::{Spent, SpentBy, SpentRow, Store};

/// By what the report is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum By {
    /// By day of UTC
    Day,
    /// By person, the dearest first
    User,
    /// By chat, the dearest first
    Chat,
    /// By provider and model, the dearest first
    Model,
}

#[derive(Clone, Debug, Args)]
pub(super) struct UsageArgs {
    /// By what to divide it
    #[arg(long, value_enum, value_name = "day|user|chat|model", default_value = "day")]
    by: By,
    /// First day, as 2026-11-01 [default: the first of this month, in UTC]
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<i64>,
    /// Last day [default: today, in UTC]
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<i64>,
    /// Machine-readable output
    #[arg(long)]
    json: bool,
    /// A table for spreadsheets
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

fn day(text: &str) -> Result<i64, &'static str> {
    parse_day(text).ok_or("write a day as 2026-11-29")
}

impl By {
    fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::User => "user",
            Self::Chat => "chat",
            Self::Model => "model",
        }
    }

    fn of_store(self) -> SpentBy {
        match self {
            Self::Day => SpentBy::Day,
            Self::User => SpentBy::User,
            Self::Chat => SpentBy::Chat,
            Self::Model => SpentBy::Model,
        }
    }
}

/// What was spent in some days.
struct Usage {
    by: By,
    first: i64,
    last: i64,
    rows: Vec<SpentRow>,
    total: Spent,
}

pub(super) fn usage(loaded: &Loaded, wish: &UsageArgs) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    let bot = BotId(config.telegram.token.bot_id().context("the token has no bot id")?);
    let clock = Clock::system();
    let last = wish.to.unwrap_or_else(|| day_of(clock.now_ms()));
    let first = wish.from.unwrap_or_else(|| Period::Month.first_day(last));
    if first > last {
        let hint = "days are those of UTC; --from must not be later than --to";
        return Err(Stop::new(exit::USAGE, "the first day is later than the last", hint).into());
    }
    let path = &config.store.path;
    // A bot that never ran has no file yet, and has spent nothing.
    let rows = if path.exists() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let store = Store::visit(path, bot, clock)?;
            let rows = store.spent_between(first, last, wish.by.of_store()).await;
            store.close().await;
            rows
        })?
    } else {
        Vec::new()
    };
    let mut total = Spent::default();
    rows.iter().for_each(|row| total += row.spent);
    let usage = Usage { by: wish.by, first, last, rows, total };
    match (wish.json, wish.csv) {
        (true, _) => say_json(&usage.json()),
        (_, true) => say(&usage.csv()),
        _ => say(&usage.table()),
    }
    Ok(ExitCode::SUCCESS)
}

impl Usage {
    fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(|row| self.row(row)).collect();
        json!({
            "from": day_name(self.first),
            "to": day_name(self.last),
            "by": self.by.word(),
            "rows": rows,
            "total": figures(&self.total),
        })
    }

    fn row(&self, row: &SpentRow) -> Value {
        let mut value = figures(&row.spent);
        let key = match (self.by, row.key.parse::<i64>()) {
            (By::User | By::Chat, Ok(id)) => json!(id),
            (By::User | By::Chat, Err(_)) => Value::Null,
            _ => json!(row.key),
        };
        value[self.by.word()] = key;
        value
    }

    fn csv(&self) -> String {
        let mut text = format!(
            "{},cost_usd,calls,input_tokens,cached_tokens,output_tokens,reasoning_tokens\n",
            self.by.word()
        );
        for row in &self.rows {
            let spent = &row.spent;
            text.push_str(&format!(
                "{},{},{},{},{},{},{}\n",
                field(&row.key),
                spent.cost.exact(),
                spent.calls,
                spent.input_tokens,
                spent.cached_tokens,
                spent.output_tokens,
                spent.reasoning_tokens
            ));
        }
        text
    }

    fn table(&self) -> String {
        let mut text = format!(
            "What answers cost from {} to {} (UTC), in US dollars\n\n",
            day_name(self.first),
            day_name(self.last)
        );
        let head =
            [self.by.word(), "cost", "calls", "tokens read", "cached", "written", "thoughts"];
        let mut lines = vec![head.map(str::to_owned)];
        for row in &self.rows {
            let key = match row.key.as_str() {
                "" => "(others)".to_owned(),
                key => hygiene::line::one_line(key, 60),
            };
            lines.push(line(key, &row.spent));
        }
        if self.rows.len() != 1 {
            lines.push(line("total".to_owned(), &self.total));
        }
        let width = |column: usize| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; 7] = std::array::from_fn(width);
        for line in &lines {
            let (first, rest) = (&line[0], &line[1..]);
            text.push_str(&format!("{first:<width$}", width = widths[0]));
            for (cell, width) in rest.iter().zip(&widths[1..]) {
                text.push_str(&format!("  {cell:>width$}"));
            }
            text.push('\n');
        }
        text
    }
}

fn line(key: String, spent: &Spent) -> [String; 7] {
    [
        key,
        spent.cost.exact(),
        spent.calls.to_string(),
        spent.input_tokens.to_string(),
        spent.cached_tokens.to_string(),
        spent.output_tokens.to_string(),
        spent.reasoning_tokens.to_string(),
    ]
}

fn figures(spent: &Spent) -> Value {
    json!({
        "cost_usd": spent.cost.as_f64(),
        "cost_micro_usd": spent.cost.0,
        "calls": spent.calls,
        "input_tokens": spent.input_tokens,
        "cached_tokens": spent.cached_tokens,
        "output_tokens": spent.output_tokens,
        "reasoning_tokens": spent.reasoning_tokens,
    })
}

/// A field of CSV (RFC 4180). Spreadsheets must not take the name of a model for a formula.
fn field(text: &str) -> String {
    let is_number = text.parse::<i64>().is_ok();
    let text = match text.chars().next() {
        Some('=' | '+' | '-' | '@') if !is_number => format!("'{text}"),
        _ => text.to_owned(),
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::MicroUsd;

    fn usage(by: By) -> Usage {
        let spent =
            Spent { cost: MicroUsd(12_345), calls: 2, input_tokens: 30, ..Spent::default() };
        let key = match by {
            By::Model => "openai/=a,b".to_owned(),
            _ => String::new(),
        };
        Usage { by, first: 20_786, last: 20_786, rows: vec![SpentRow { key, spent }], total: spent }
    }

    #[test]
    fn people_and_programs_get_the_same_figures() {
        let json = usage(By::User).json();
        assert_eq!((&json["from"], &json["by"]), (&json!("2026-11-29"), &json!("user")));
        assert_eq!(json["rows"][0]["user"], Value::Null, "someone who was forgotten");
        assert_eq!(json["total"]["cost_micro_usd"], 12_345);
        let csv = usage(By::Model).csv();
        assert_eq!(csv.lines().nth(1), Some("\"openai/=a,b\",0.012345,2,30,0,0,0"));
        let table = usage(By::User).table();
        assert!(table.contains("(others)  0.012345      2           30"), "{table}");
        assert_eq!(field("=cmd"), "'=cmd");
        assert_eq!(field("-100"), "-100", "the number of a group");
    }
}
