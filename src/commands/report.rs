//! /status and /stats: how the bot is doing, in plain words and in figures.

use std::fmt::Write as _;

use super::{AnswerSource, CommandContext, CommandRequest, Outcome, wording};
use crate::model::access::Role;
use crate::model::message::Place;
use crate::observe::documents::DocumentsState;
use crate::observe::index::IndexState;
use crate::store::StoreError;

pub(super) async fn status(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let (now, about) = (context.clock.now_ms(), context.about());
    let (waiting, oldest) = context.store.inbox_depth().await?;
    // The update with this very command is not done yet, and does not count as waiting.
    let waiting = waiting.saturating_sub(1);
    let (unsent, unsent_since) = context.store.outbox_depth().await?;
    let paused = context.store.settings().await?.paused;

    let mut text = if paused {
        "I am **paused**: questions are kept and answered later.\n".to_owned()
    } else {
        "I am running.\n".to_owned()
    };
    let up = wording::span(now.saturating_sub(about.started_ms));
    let _ = write!(text, "\n- Up for {up} (Katana {}", about.version);
    if !about.environment.is_empty() {
        let _ = write!(text, ", {}", wording::escape(&about.environment));
    }
    text.push_str(")\n- Answers come from ");
    if about.answers_from == AnswerSource::Documents {
        text.push_str("documents, without a language model");
    } else {
        text.push_str(&wording::escape(&about.provider));
        let model = context.store.chosen_model(asked.conversation()).await?;
        let offered = model.filter(|model| about.offers(model));
        let model = offered.unwrap_or_else(|| about.model.clone());
        if !model.is_empty() {
            let _ = write!(text, ", model {}", wording::escape(&model));
        }
    }
    match **context.vitals.documents.load() {
        DocumentsState::Reading => {
            text.push_str("\n- I am still reading my documents: questions wait")
        }
        DocumentsState::Unreadable => text.push_str("\n- My documents cannot be read"),
        DocumentsState::None => {}
        DocumentsState::Read { files, passages } => {
            let (files, passages) = (
                wording::count(files as u64, "document"),
                wording::count(passages as u64, "passage"),
            );
            let _ = write!(text, "\n- I know {files} in {passages}");
            let index = context.vitals.index.load();
            vectors(&mut text, &index);
            if index.is_short() {
                text.push_str("; new ones wait, because the disk is nearly full");
            }
        }
    }
    let since = |n: u64, at: Option<i64>| match at {
        Some(at) if n > 0 => {
            format!(", the oldest for {}", wording::span(now.saturating_sub(at)))
        }
        _ => String::new(),
    };
    let _ = write!(text, "\n- Messages waiting: {waiting}{}", since(waiting, oldest));
    let _ = write!(text, "\n- Replies waiting to be sent: {unsent}{}", since(unsent, unsent_since));
    // Problems with the machine or with Telegram are shown only to owners, who can fix them.
    if asked.role == Role::Owner && asked.place == Place::Private {
        let verdict = context.vitals.verdict.load_full();
        for finding in &verdict.findings {
            let (name, what) = (finding.kind.name(), wording::escape(&finding.text));
            let lasts = wording::span(now.saturating_sub(finding.since_ms));
            let _ = write!(text, "\n- **Problem** for {lasts}: {what} (`{name}` in the runbook)");
        }
        if verdict.findings.is_empty() {
            text.push_str("\n- I know of no problem");
        }
    }
    Ok(asked.say(text))
}

/// How far the vectors are, while some are missing.
fn vectors(text: &mut String, index: &IndexState) {
    let Some(one) = index.under_way() else { return };
    let (embedded, of) = (wording::number(one.embedded), wording::number(one.of));
    let _ = write!(text, "; {embedded} of {of} can be found by their meaning so far");
    if let Some(s) = one.eta_s() {
        let ms = i64::try_from(s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let _ = write!(text, ", the rest in about {}", wording::span(ms));
    }
}

pub(super) async fn stats(
    context: &CommandContext,
    asked: &CommandRequest<'_>,
) -> Result<Outcome, StoreError> {
    let v = &context.vitals;
    let totals = context.store.totals().await?;
    let up = wording::span(context.clock.now_ms().saturating_sub(context.about().started_ms));
    let mut text = format!("**Since the start, {up} ago**\n");
    for (what, n) in [
        ("Updates received", v.updates.get()),
        ("Commands answered", v.commands.get()),
        ("Questions answered", v.answers.get()),
        ("Questions whose provider failed", v.answers_failed.get()),
        ("Messages sent", v.sent.get()),
        ("Messages refused by Telegram", v.dropped.get()),
        ("Messages that may have been sent twice", v.possible_duplicates.get()),
        ("Failed polls", v.polls_failed.get()),
        ("Times Telegram asked me to slow down", v.rate_limited.get()),
    ] {
        let _ = write!(text, "\n- {what}: {}", wording::number(n));
    }
    let _ = write!(
        text,
        "\n\n**Stored**\n\n- {} in {}\n- Tokens in prompts: {}, in answers: {}",
        wording::count(totals.turns, "question"),
        wording::count(totals.chats, "chat"),
        wording::number(totals.input_tokens),
        wording::number(totals.output_tokens)
    );
    Ok(asked.say(text))
}
