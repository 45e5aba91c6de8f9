//! Readings in which one thing is not as it should be.

use super::{Happened, Kind, Recent, Row, System, healthy};
use crate::model::class::AnswerClass;
use crate::model::money::MicroUsd;
use crate::observe::dependency::DependencyState;
use crate::observe::index::IndexState;
use crate::observe::providers::{ProviderOutage, ProviderState};
use crate::store::{Spending, Spent};
use crate::supervise::report::Reading;
use crate::supervise::retrievals::Retrievals;

/// So many dollars are spent of five.
pub(super) fn spent(usd: f64) -> Reading {
    let mut reading = priced(0, None);
    let day = Some(MicroUsd::dollars(5));
    reading.money.budgets.total.day = day;
    let cost = MicroUsd((usd * 1e6) as i64);
    let spent = Spent { cost, ..Default::default() };
    reading.money.spent = Some(Spending { day: spent, month: spent });
    reading
}

/// So many models have no price, and the prices of the others are so old.
pub(super) fn priced(without_price: usize, prices_age_days: Option<i64>) -> Reading {
    let mut reading = healthy();
    (reading.money.without_price, reading.money.prices_age_days) = (without_price, prices_age_days);
    reading
}

pub(super) fn recent(change: impl FnOnce(&mut Recent)) -> Reading {
    let mut recent = Recent { window_s: 300, ..Recent::default() };
    change(&mut recent);
    Reading { recent, ..healthy() }
}

pub(super) fn machine(change: impl FnOnce(&mut System)) -> Reading {
    let mut system = System {
        disk_total_bytes: 1_000_000,
        disk_free_bytes: 1_000_000,
        memory_total_bytes: 1_000_000,
        ..System::default()
    };
    change(&mut system);
    Reading { system: Some(system), ..healthy() }
}

pub(super) fn event(kind: Kind, ago_s: f64) -> Reading {
    let happened = vec![Happened { kind, count: 2, ago_ms: (ago_s * 1000.0) as u64 }];
    Reading { happened, ..healthy() }
}

/// Two providers, of which the first is out for so many seconds.
pub(super) fn out(s: f64, is_unusable: bool) -> Reading {
    let outage = ProviderOutage {
        class: AnswerClass::Auth,
        is_unusable,
        is_probed: false,
        lasts_ms: 0,
        noted_ms: 3_600_000 - (s * 1000.0) as u64,
        until_ms: 3_700_000,
    };
    let state = |name: &str, outage| ProviderState { name: name.into(), model: "m".into(), outage };
    let providers = vec![state("openai", Some(outage)), state("backup", None)];
    Reading { providers, ..healthy() }
}

/// The findings about documents.
pub(super) const DOCUMENTS: &[Row] = &[
    (
        Kind::DocumentsUnreadable,
        |n| indexed(|index| (index.files, index.unreadable) = (9, n as u64)),
        &[1.0, 9.0],
        &[],
        &[0.0],
    ),
    (
        Kind::DocumentsStale,
        |s| indexed(|index| index.unread_since_ms = Some(3_600_000 - (s * 1000.0) as u64)),
        &[900.0, 3600.0],
        &[860.0],
        &[0.0, 850.0],
    ),
    (
        Kind::EmbeddingsFailing,
        |n| Reading { embeddings: failed(n), ..healthy() },
        &[3.0, 9.0],
        &[],
        &[0.0, 2.0],
    ),
    (
        Kind::QdrantFailing,
        |n| Reading { qdrant: failed(n), ..healthy() },
        &[3.0, 9.0],
        &[],
        &[0.0, 2.0],
    ),
    (
        Kind::NoHitHigh,
        |n| Reading {
            retrievals: Retrievals { searches: 100, none: n as u64, ..Retrievals::default() },
            ..healthy()
        },
        &[50.0, 100.0],
        &[48.0],
        &[0.0, 47.0],
    ),
    (
        Kind::UnsourcedHigh,
        |n| Reading {
            retrievals: Retrievals { answers: 100, unsourced: n as u64, ..Retrievals::default() },
            ..healthy()
        },
        &[50.0, 100.0],
        &[48.0],
        &[0.0, 47.0],
    ),
];

fn indexed(change: impl FnOnce(&mut IndexState)) -> Reading {
    let mut index = IndexState::default();
    change(&mut index);
    Reading { index, ..healthy() }
}

fn failed(failures: f64) -> DependencyState {
    DependencyState { failures: failures as u32, ..DependencyState::default() }
}
