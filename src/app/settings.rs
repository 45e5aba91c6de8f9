//! From the configuration to the plain settings of each part.

use std::sync::Arc;
use std::time::Duration;

use hygiene::Redactor;
use secrecy::SecretString;

use crate::answer::{Endpoint, EndpointLimits};
use crate::commands::{AnswerSource, Rules};
use crate::config::{self, Chosen, Config, ProviderSection};
use crate::knowledge::{Copies, EmbedderSettings, Knowledge};
use crate::model::ids::{ChatId, UserId};
use crate::provider::{
    EmbeddingsSettings, Kind, Provider, ProviderError, ProviderSettings, QdrantServer,
    QdrantSettings,
};
use crate::store::Keep;
use crate::telegram::pace::Rates;
use crate::telegram::render;
use crate::{answer, pipeline, supervise, telegram};

pub(super) fn telegram(config: &Config, redactor: &Redactor) -> telegram::TelegramSettings {
    telegram::TelegramSettings {
        api_url: config.telegram.api_url.clone(),
        token: SecretString::from(config.telegram.token.expose()),
        poll_timeout: Duration::from_secs(config.telegram.poll_timeout_s),
        poll_deadline: Duration::from_secs(config.telegram.poll_deadline_s),
        send_timeout: Duration::from_secs(config.telegram.send_timeout_s),
        redactor: redactor.clone(),
    }
}

pub(super) fn rules(config: &Config) -> Rules {
    let users = |ids: &[i64]| ids.iter().copied().map(UserId).collect();
    Rules {
        open: config.bot.access == config::Access::Open,
        owners: users(&config.bot.owners),
        allow_users: users(&config.bot.allow_users),
        allow_chats: config.bot.allow_chats.iter().copied().map(ChatId).collect(),
        features: config.features.of_model(),
    }
}

pub(super) fn stages(config: &Config, reconcile_after: Duration) -> pipeline::StageSettings {
    pipeline::StageSettings {
        backlog_max: u64::from(config.pipeline.backlog_max),
        previews: config.telegram.previews,
        give_up_after: Duration::from_secs(config.delivery.give_up_after_h * 3600),
        reconcile_after,
        keep: Keep {
            history_days: config.store.keep_history_days,
            done_days: config.store.keep_done_days,
        },
        questions: pipeline::QuestionLimits {
            user_per_minute: config.limits.user_questions_per_minute,
            chat_per_minute: config.limits.chat_questions_per_minute,
            user_parallel: config.limits.user_parallel_answers,
        },
    }
}

pub(super) fn poll(config: &Config) -> pipeline::PollSettings {
    pipeline::PollSettings { backoff_max: Duration::from_secs(config.telegram.poll_backoff_max_s) }
}

pub(super) fn rates(config: &Config) -> Option<Rates> {
    config.delivery.pace.then(|| Rates {
        chat_per_s: config.delivery.chat_per_s,
        chat_burst: config.delivery.chat_burst,
        overall_per_s: f64::from(config.delivery.overall_per_s),
        group_per_min: f64::from(config.delivery.group_per_min),
    })
}

pub(super) fn answering(config: &Config, redactor: &Redactor) -> answer::AnswerSettings {
    answer::AnswerSettings {
        system_prompt: config.answer.system_prompt.clone(),
        max_history_turns: config.answer.max_history_turns as usize,
        max_history_tokens: config.answer.max_history_tokens as usize,
        max_output_tokens: config.answer.max_output_tokens,
        passages: config.knowledge.passages as usize,
        only_documents: config.knowledge.only,
        own_documents: config.knowledge.dir.is_some() || !config.knowledge_sources.is_empty(),
        models: config.answer.models.clone(),
        answers_at_once: config.pipeline.answers_at_once as usize,
        first_token_timeout: Duration::from_secs(config.answer.first_token_timeout_s),
        timeout: Duration::from_secs(config.answer.timeout_s),
        log_prompts: config.log.prompts,
        cache: answer::CacheSettings {
            life: Duration::from_secs(config.cache.ttl_s),
            is_shared: config.cache.shared,
            entries: config.cache.max_entries as usize,
            bytes: config.cache.max_mb as usize * 1024 * 1024,
        },
        is_blank: |text, is_markdown| {
            if is_markdown { render::is_blank_markdown(text) } else { render::is_blank_plain(text) }
        },
        budgets: config.budget.of_model(),
        redactor: redactor.clone(),
    }
}

/// What the configured provider answers with.
pub(super) fn answer_source(config: &Config) -> AnswerSource {
    match config.first().kind.kind {
        Kind::Service(_) => AnswerSource::Model,
        Kind::Documents => AnswerSource::Documents,
        Kind::Echo => AnswerSource::Echo,
    }
}

/// One provider of the list. Nothing is sent.
///
/// # Errors
/// When it cannot work as configured.
pub(crate) fn provider(
    config: &Config,
    chosen: Chosen<'_>,
    knowledge: Option<&Knowledge>,
) -> anyhow::Result<Arc<dyn Provider>> {
    let text = |field: fn(&ProviderSection) -> &String| chosen.section.map(field).cloned();
    let key = chosen.section.and_then(|section| section.api_key.as_ref());
    Ok((chosen.kind.build)(ProviderSettings {
        api_key: key.map(|key| SecretString::from(key.expose())),
        base_url: text(|section| &section.base_url).unwrap_or_default(),
        model: text(|section| &section.model).unwrap_or_default(),
        read_timeout: Duration::from_secs(
            config.answer.first_token_timeout_s.max(config.answer.timeout_s),
        ),
        topics: knowledge.map(|k| k.titles().to_vec()).unwrap_or_default(),
    })?)
}

/// How texts become vectors, where a server is configured.
pub(crate) fn embedder(config: &Config) -> Option<EmbedderSettings> {
    let embeddings = Some(&config.embeddings).filter(|embeddings| embeddings.is_on())?;
    let [query_prefix, passage_prefix] = embeddings.prefixes();
    Some(EmbedderSettings {
        server: EmbeddingsSettings {
            api_key: embeddings.api_key.as_ref().map(|key| SecretString::from(key.expose())),
            base_url: embeddings.base_url.clone(),
            model: embeddings.model.clone(),
            dimensions: embeddings.dimensions as usize,
            timeout: Duration::from_secs(embeddings.timeout_s),
        },
        batch: embeddings.batch as usize,
        query_prefix,
        passage_prefix,
        cache_entries: embeddings.cache_entries as usize,
        query_timeout: Duration::from_secs(embeddings.query_timeout_s),
        requests_per_minute: Some(embeddings.requests_per_minute).filter(|n| *n > 0),
        price: embeddings.usd_per_mtok,
        budgets: config.budget.of_model(),
    })
}

/// Where copies of vectors are searched.
///
/// # Errors
/// When Qdrant's settings cannot be used.
pub(crate) fn copies(config: &Config) -> Result<Copies, ProviderError> {
    let qdrant = &config.qdrant;
    if !qdrant.is_on() {
        return Ok(Copies::Memory);
    }
    let server = QdrantServer::new(QdrantSettings {
        url: qdrant.url.clone(),
        api_key: qdrant.api_key.as_ref().map(|key| SecretString::from(key.expose())),
        timeout: Duration::from_secs(qdrant.timeout_s),
    })?;
    Ok(Copies::Qdrant { server: Arc::new(server), prefix: qdrant.collection.clone() })
}

/// Who is asked, best first.
///
/// # Errors
/// When one cannot work as configured.
pub(super) fn endpoints(
    config: &Config,
    knowledge: Option<&Knowledge>,
) -> anyhow::Result<Vec<Endpoint>> {
    let endpoint = |chosen: Chosen<'_>| {
        let provider = provider(config, chosen, knowledge)?;
        let limits = chosen.section.map(limits).unwrap_or_default();
        let price = chosen.section.map(ProviderSection::price);
        Ok(Endpoint { name: chosen.name.to_owned(), provider, limits, price })
    };
    config.chosen().into_iter().map(endpoint).collect()
}

/// What an endpoint may be asked; 0 in the configuration means no limit of ours.
fn limits(section: &ProviderSection) -> EndpointLimits {
    let limit = |n: u32| Some(n).filter(|n| *n > 0);
    EndpointLimits {
        requests_per_minute: limit(section.requests_per_minute),
        tokens_per_minute: limit(section.tokens_per_minute),
        parallel: limit(section.parallel),
        slow_after: Some(section.slow_after_s).filter(|s| *s > 0).map(Duration::from_secs),
    }
}

pub(super) fn watching(config: &Config, redactor: &Redactor) -> supervise::Settings {
    supervise::Settings {
        every: Duration::from_secs(config.watch.every_s),
        system_every: Duration::from_secs(config.watch.system_every_s),
        thresholds: thresholds(config),
        heartbeat: config.watch.heartbeat_path.clone(),
        backups: config.backup.dir.clone(),
        environment: config.bot.environment.clone(),
        redactor: redactor.clone(),
    }
}

/// How long the work of one turn of a loop may take.
pub(super) fn stall(config: &Config) -> Duration {
    Duration::from_secs(config.watch.stall_s)
}

/// When something is a finding.
pub(crate) fn thresholds(config: &Config) -> supervise::Thresholds {
    const MIB: u64 = 1024 * 1024;
    let watch = &config.watch;
    supervise::Thresholds {
        poll_stalled: Duration::from_secs(watch.poll_stalled_s),
        poll_failing: Duration::from_secs(watch.poll_failing_s),
        conflict: Duration::from_secs(watch.conflict_s),
        inbox_age: Duration::from_secs(watch.inbox_age_s),
        outbox_age: Duration::from_secs(watch.outbox_age_s),
        provider_failures: watch.provider_failures,
        provider_slow_s: watch.provider_slow_s,
        response_s: watch.response_s,
        error_ratio: watch.error_ratio,
        disk_ratio: watch.disk_ratio,
        memory_ratio: watch.memory_ratio,
        cpu_ratio: watch.cpu_ratio,
        commit_slow_s: watch.commit_slow_ms as f64 / 1e3,
        rss_warn_bytes: watch.rss_warn_mb * MIB,
        rss_stop_bytes: watch.rss_stop_mb * MIB,
        documents_unreadable: watch.documents_unreadable,
        documents_stale: Duration::from_secs(watch.documents_stale_s),
        search_failures: watch.search_failures,
        no_hit_ratio: watch.no_hit_ratio,
        unsourced_ratio: watch.unsourced_ratio,
        backup_age: Duration::from_secs(config.backup.max_age_days * 24 * 3600),
        backup_required: config.backup.required,
        event: Duration::from_secs(watch.event_s),
        debounce: watch.patience,
    }
}
