//! The documents: their index, their search, and the servers behind it.

use super::known::{counted, observed, time_s};
use crate::model::class::{AnswerClass, CallOutcome};
use crate::observe::documents::DocumentsState;
use crate::observe::index::Progress;
use crate::observe::label::Label;
use crate::observe::vitals::{Timing, Vitals};
use crate::supervise::exposition::Family;
use crate::supervise::report::Report;

/// All families of this file.
pub(super) fn families(vitals: &Vitals, report: &Report) -> Vec<Family> {
    let mut families = index(report);
    families.extend(vectors(report));
    families.extend(searches(vitals));
    families.extend(servers(vitals));
    families
}

fn index(report: &Report) -> Vec<Family> {
    let (documents, index) = (report.reading.documents, &report.reading.index);
    let age_ms = |since_ms| report.reading.now_ms.saturating_sub(since_ms);
    let oldest_s = index.oldest_change_ms().map_or(0.0, |at_ms| age_ms(at_ms) as f64 / 1e3);
    vec![
        Family::gauge(
            "katana_documents_reading",
            &[],
            "Whether the documents are being read and questions wait (1) or not (0).",
        )
        .with_flag(&[], documents == DocumentsState::Reading),
        Family::gauge("katana_documents_files", &[], "Files that answers are searched in.")
            .with(&[], documents.size().0 as f64),
        Family::gauge("katana_documents_passages", &[], "Passages of those files.")
            .with(&[], documents.size().1 as f64),
        Family::gauge("katana_documents_unreadable", &[], "Documents that cannot be read.")
            .with(&[], index.unreadable as f64),
        Family::gauge(
            "katana_documents_oldest_change_age_seconds",
            &[],
            "How long ago the oldest change was seen that is not searched yet; 0 when there is none.",
        )
        .with(&[], oldest_s),
        Family::gauge(
            "katana_documents_synced_timestamp_seconds",
            &[],
            "When the documents were last compared with their index, Unix time.",
        )
        .with_some(&[], time_s(index.synced_at_ms)),
    ]
}

fn vectors(report: &Report) -> [Family; 2] {
    let index = &report.reading.index;
    let both = [("active", &index.active), ("building", &index.building)];
    let of = |family: Family, value: fn(&Progress) -> u64| {
        both.iter().fold(family, |family, (name, progress)| {
            family.with(&[name], progress.as_ref().map_or(0, value) as f64)
        })
    };
    let embedded = Family::gauge(
        "katana_embedded_passages",
        &["generation"],
        "Passages that have a vector: of the model in use, and of the one that takes its place.",
    );
    let pending = Family::gauge(
        "katana_embedding_pending_passages",
        &["generation"],
        "Passages that have no vector yet.",
    );
    [of(embedded, |progress| progress.embedded), of(pending, Progress::left)]
}

fn searches(vitals: &Vitals) -> Vec<Family> {
    let retrievals = Family::counter(
        "katana_retrievals_total",
        &["outcome"],
        "Searches of the documents for questions, by outcome.",
    );
    let sources = Family::counter(
        "katana_answer_sources_total",
        &["outcome"],
        "Answers for which passages were found, by whether they name their sources.",
    );
    let citations = Family::counter(
        "katana_citations_total",
        &["outcome"],
        "Marks of sources that a model wrote, by whether the passage holds what it is cited for.",
    );
    let mut passages = Family::histogram(
        "katana_retrieval_passage_tokens",
        &[],
        "Tokens of the passages that went along with one question, as estimated.",
    );
    let all = observed(vitals, Timing::Passages, &[(Label::None, Label::None)]);
    for (_, _, buckets) in all.into_iter().take(1) {
        passages = passages.with_buckets(&[], buckets);
    }
    let mut search = Family::histogram(
        "katana_search_duration_seconds",
        &["by"],
        "Searches of the documents: by words, by vectors, or by both. The vector of the question is not in it.",
    );
    let known = ["words", "vectors", "both"].map(|by| (Label::from(by), Label::None));
    for (by, _, buckets) in observed(vitals, Timing::Search, &known) {
        search = search.with_buckets(&[by.as_str()], buckets);
    }
    vec![
        counted(retrievals, vitals, "retrieval", &["found", "none"]),
        counted(sources, vitals, "answer_sources", &["cited", "matched", "none"]),
        counted(citations, vitals, "citation", &["kept", "removed"]),
        passages,
        search,
    ]
}

fn servers(vitals: &Vitals) -> Vec<Family> {
    let cache = Family::counter(
        "katana_embedding_cache_total",
        &["outcome"],
        "Questions that needed a vector, by whether it was kept in memory.",
    );
    let shortened = Family::counter(
        "katana_embedding_texts_total",
        &["outcome"],
        "Passages that were sent in another form than they have, by what was done.",
    );
    let qdrant = Family::counter(
        "katana_qdrant_errors_total",
        &["class"],
        "Requests to Qdrant that failed, by class of the error.",
    );
    let mut duration = Family::histogram(
        "katana_embedding_duration_seconds",
        &["kind", "outcome"],
        "Requests to the embeddings server, by what for and outcome (ok or the class of the error).",
    );
    let ok = || Label::from(CallOutcome::Ok);
    let known = ["query", "passages"].map(|kind| (Label::from(kind), ok()));
    for (kind, outcome, buckets) in observed(vitals, Timing::Embedding, &known) {
        duration = duration.with_buckets(&[kind.as_str(), outcome.as_str()], buckets);
    }
    let classes = [AnswerClass::Unreachable, AnswerClass::Timeout].map(AnswerClass::as_str);
    vec![
        counted(cache, vitals, "embedding_cache", &["hit", "miss"]),
        counted(shortened, vitals, "embedding", &["shortened"]),
        duration,
        counted(qdrant, vitals, "qdrant_error", &classes),
    ]
}
