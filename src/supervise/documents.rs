//! When something is wrong with the documents and their search, and how that is said.

use hygiene::duration::in_words as span;
use hygiene::line::count;

use super::figures::share;
use super::report::Reading;
use super::retrievals::Retrievals;
use super::seen::{Seen, above, raise};
use super::thresholds::Thresholds;
use crate::model::class::FailureClass;
use crate::observe::dependency::DependencyState;
use crate::observe::finding::Kind;

/// Everything that is wrong.
pub(super) fn seen(r: &Reading, t: &Thresholds) -> impl Iterator<Item = Seen> {
    let found = [
        unreadable(r, t),
        stale(r, t),
        server(Kind::EmbeddingsFailing, "embeddings", &r.embeddings, r, t),
        server(Kind::QdrantFailing, "Qdrant", &r.qdrant, r, t),
        no_hit(r, t),
        unsourced(r, t),
    ];
    found.into_iter().flatten()
}

fn unreadable(r: &Reading, t: &Thresholds) -> Option<Seen> {
    let (n, folders) = (r.index.unreadable, r.index.folders_unreadable);
    if t.documents_unreadable == 0 || n + folders < t.documents_unreadable {
        return None;
    }
    let documents = (n > 0).then(|| format!("{n} of {}", count(r.index.files, "document")));
    let folders = (folders > 0).then(|| format!("{} of documents", count(folders, "folder")));
    let both: Vec<String> = documents.into_iter().chain(folders).collect();
    raise(Kind::DocumentsUnreadable, format!("{} cannot be read", both.join(" and ")))
}

fn stale(r: &Reading, t: &Thresholds) -> Option<Seen> {
    let age_ms = r.now_ms.saturating_sub(r.index.oldest_change_ms()?);
    let limit_s = t.documents_stale.as_secs_f64();
    if limit_s == 0.0 {
        return None;
    }
    above(Kind::DocumentsStale, age_ms as f64 / 1e3, limit_s, || {
        let why =
            if r.index.is_short() { ", because the disk of the index is nearly full" } else { "" };
        format!(
            "a change of the documents was seen {} ago and is not searched yet{why}",
            span(age_ms)
        )
    })
}

fn server(
    kind: Kind,
    name: &str,
    state: &DependencyState,
    r: &Reading,
    t: &Thresholds,
) -> Option<Seen> {
    if t.search_failures == 0 || state.failures < t.search_failures {
        return None;
    }
    let ago = span(r.now_ms.saturating_sub(state.tried_ms.unwrap_or(r.now_ms)));
    let class = state.class.map_or("unknown", FailureClass::as_str);
    let n = state.failures;
    raise(
        kind,
        format!("the last {n} requests to the {name} server failed ({class}), newest {ago} ago"),
    )
}

fn no_hit(r: &Reading, t: &Thresholds) -> Option<Seen> {
    let Retrievals { searches, none, .. } = r.retrievals;
    let ratio = r.retrievals.no_hit_ratio()?;
    above(Kind::NoHitHigh, ratio, t.no_hit_ratio, || {
        let share = share(ratio);
        format!("{share} of the searches of the last hour found nothing ({none} of {searches})")
    })
}

fn unsourced(r: &Reading, t: &Thresholds) -> Option<Seen> {
    let Retrievals { answers, unsourced, .. } = r.retrievals;
    let ratio = r.retrievals.unsourced_ratio()?;
    above(Kind::UnsourcedHigh, ratio, t.unsourced_ratio, || {
        let share = share(ratio);
        format!(
            "{share} of the answers with documents name no source ({unsourced} of {answers} in an hour)"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::class::AnswerClass;
    use crate::observe::index::IndexState;

    fn kinds(reading: &Reading) -> Vec<(Kind, String)> {
        let thresholds = Thresholds::default();
        seen(reading, &thresholds).map(|seen| (seen.kind, seen.text)).collect()
    }

    #[test]
    fn what_is_wrong_with_the_documents_is_said_with_figures() {
        assert_eq!(kinds(&Reading::default()), []);
        let index = IndexState {
            files: 30,
            unreadable: 2,
            unembedded_since_ms: Some(0),
            ..IndexState::default()
        };
        let embeddings = DependencyState {
            failures: 3,
            class: Some(AnswerClass::Timeout.into()),
            tried_ms: Some(990_000),
            ..DependencyState::default()
        };
        let retrievals = Retrievals { searches: 20, none: 11, answers: 20, unsourced: 20 };
        let reading =
            Reading { now_ms: 1_000_000, index, embeddings, retrievals, ..Reading::default() };
        let said = kinds(&reading);
        let texts: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "2 of 30 documents cannot be read",
                "a change of the documents was seen 16 min 40 s ago and is not searched yet",
                "the last 3 requests to the embeddings server failed (timeout), newest 10 s ago",
                "55 % of the searches of the last hour found nothing (11 of 20)",
                "100 % of the answers with documents name no source (20 of 20 in an hour)",
            ]
        );
    }

    #[test]
    fn too_few_questions_say_nothing_and_zero_turns_a_finding_off() {
        let retrievals = Retrievals { searches: 19, none: 19, answers: 19, unsourced: 19 };
        let reading = Reading { retrievals, ..Reading::default() };
        assert_eq!(kinds(&reading), []);
        let index =
            IndexState { unreadable: 5, unembedded_since_ms: Some(0), ..IndexState::default() };
        let embeddings = DependencyState { failures: 99, ..DependencyState::default() };
        let reading = Reading { now_ms: 1 << 40, index, embeddings, ..Reading::default() };
        let off = Thresholds {
            documents_unreadable: 0,
            documents_stale: Duration::ZERO,
            search_failures: 0,
            ..Thresholds::default()
        };
        assert_eq!(seen(&reading, &off).count(), 0);
        assert_eq!(kinds(&reading).len(), 3);
    }
}
