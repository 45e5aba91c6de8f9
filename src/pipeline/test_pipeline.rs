//! A pipeline for tests of single stages.

use std::sync::Arc;
use std::time::Duration;

use super::{Pipeline, QuestionLimits, StageBase, StageSettings};
use crate::answer::{AnswerSettings, Answerer, CacheSettings, Endpoint};
use crate::commands::{About, AnswerSource, CommandContext, Rules};
use crate::lifecycle::Tasks;
use crate::model::conversation::ChatRequest;
use crate::model::ids::UserId;
use crate::observe::clock::Clock;
use crate::observe::vitals::Vitals;
use crate::provider::{Answering, Provider};
use crate::store::{Keep, Store};
use crate::telegram::{Client, Me, TelegramSettings};

struct Silent;

impl Provider for Silent {
    fn name(&self) -> &'static str {
        "silent"
    }

    fn model(&self) -> &str {
        "silent"
    }

    fn answer(&self, _: ChatRequest) -> Answering {
        Box::pin(futures_util::stream::empty())
    }
}

/// The parts of a bot whose Telegram cannot be reached and whose provider says nothing.
pub(super) async fn pipeline(store: Store) -> Pipeline {
    pipeline_with(store, Arc::new(Silent)).await
}

/// The same with another provider.
pub(super) async fn pipeline_with(store: Store, provider: Arc<dyn Provider>) -> Pipeline {
    let (vitals, clock) = (Arc::<Vitals>::default(), Clock::system());
    let second = Duration::from_secs(1);
    let telegram = TelegramSettings {
        api_url: "http://127.0.0.1:9".into(),
        token: "42:token".into(),
        poll_timeout: second,
        poll_deadline: second,
        send_timeout: second,
        redactor: hygiene::Redactor::default(),
    };
    let answer = AnswerSettings {
        system_prompt: String::new(),
        max_history_turns: 1,
        max_history_tokens: 1,
        max_output_tokens: 1,
        passages: 0,
        only_documents: false,
        own_documents: false,
        models: Vec::new(),
        answers_at_once: 1,
        first_token_timeout: second,
        timeout: second,
        log_prompts: false,
        cache: CacheSettings::default(),
        is_blank: |text, _| text.is_empty(),
        budgets: Default::default(),
        redactor: hygiene::Redactor::default(),
    };
    let settings = StageSettings {
        backlog_max: 1,
        previews: false,
        give_up_after: second,
        reconcile_after: second,
        keep: Keep { history_days: 1, done_days: 1 },
        questions: QuestionLimits::default(),
    };
    let about = About {
        username: "KatanaBot".into(),
        version: "",
        environment: String::new(),
        provider: String::new(),
        answers_from: AnswerSource::Model,
        model: String::new(),
        models: Vec::new(),
        started_ms: 0,
    };
    let me = Me { id: UserId(42), username: "KatanaBot".into(), first_name: String::new() };
    let client = Client::new(&telegram, Arc::clone(&vitals)).unwrap();
    let answerer = Answerer::new(
        vec![Endpoint::of(provider)],
        None,
        store.clone(),
        answer,
        Arc::clone(&vitals),
    );
    let (of_commands, of_stages) = (clock.clone(), Arc::clone(&vitals));
    let context =
        CommandContext::new(store.clone(), of_commands, of_stages, Rules::default(), about);
    let base = StageBase { store, vitals, clock, tasks: Tasks::new() };
    Pipeline::new(base, (client, me), context, Arc::new(answerer), settings).await.unwrap()
}
