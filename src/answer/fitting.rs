//! Asking with as much as the model has room for.

use std::time::Duration;

use tokio::time::timeout;

use super::asker::Purpose;
use super::call::Call;
use super::context_size::ContextSize;
use super::engine::{AnswerEngine, Room};
use super::error::{AnswerError, way_back};
use super::failover::Run;
use super::plan::Plan;
use super::question::{Asked, Question, said};
use super::stream::Collected;
use super::window::Bounds;
use crate::model::class::AnswerClass;
use crate::model::conversation::{ChatRequest, ConversationId, DocumentUse, Message, Role};
use crate::model::ids::MessageId;
use crate::model::reply::Reply;
use crate::store::{CutAnswer, KeptTurn, StoreError};

/// Times that a question is asked with less before it is asked alone.
const SHRINKS: u32 = 6;

/// Prompt and answer of fewer tokens fit every model.
const SMALL: usize = 2000;

/// Longest wait for a server to say how much its model can read; without that, its refusals show it.
const SIZE_WITHIN: Duration = Duration::from_secs(2);

impl AnswerEngine {
    /// What goes to the model for a question.
    pub(super) async fn plan(&self, question: Question<'_>) -> Result<(Plan, Asked), StoreError> {
        let kept = self.kept(question.conversation).await?;
        let history: Vec<Message> =
            kept.iter().flat_map(|turn| turn.messages.iter().cloned()).collect();
        // Providers without a model answer the words, and have no use for what stands around them.
        let media = question.media.filter(|_| self.has_context());
        let question = Question { media, ..question };
        let asked = question.asked(&history, self.last_sent(&question).await?);
        let mut plan = self.begin(question.conversation, kept, asked.messages()).await?;
        plan.words = asked.words();
        plan.passages = self.retrieve(&plan.words, &history).await;
        plan.base.documents = self.document_use(&plan);
        Ok((plan, asked))
    }

    /// What goes to the model so that it goes on with an answer.
    pub(super) async fn plan_to_go_on(
        &self,
        cut: &CutAnswer,
        go_on: &str,
    ) -> Result<Plan, StoreError> {
        let mut kept = self.kept(cut.conversation).await?;
        // Other questions may have come in between, or `/new`.
        let place = kept.iter().position(|turn| turn.number == cut.turn.number);
        kept.truncate(place.unwrap_or(0));
        let history: Vec<Message> =
            kept.iter().flat_map(|turn| turn.messages.iter().cloned()).collect();
        let mut asked = cut.turn.messages.clone();
        let words = said(asked.iter().filter(|message| message.role == Role::User));
        asked.push(Message::user(go_on));
        let mut plan = self.begin(cut.conversation, kept, asked).await?;
        plan.passages = self.retrieve(&words, &history).await;
        plan.base.documents = self.document_use(&plan);
        plan.words = words;
        Ok(plan)
    }

    /// What documents are to the answer.
    fn document_use(&self, plan: &Plan) -> DocumentUse {
        match &self.knowledge {
            _ if self.settings.only_documents => DocumentUse::Only,
            None => DocumentUse::Any,
            Some(_) if plan.passages.is_empty() && self.settings.own_documents => {
                DocumentUse::Nothing
            }
            Some(_) => DocumentUse::Any,
        }
    }

    /// What was said before, as far as it can matter.
    async fn kept(&self, conversation: ConversationId) -> Result<Vec<KeptTurn>, StoreError> {
        // One more than goes along shows that the window is full.
        let turns = self.settings.max_history_turns + 1;
        if !self.has_context() {
            return Ok(Vec::new());
        }
        self.store.history(conversation, turns).await
    }

    async fn begin(
        &self,
        conversation: ConversationId,
        turns: Vec<KeptTurn>,
        asked: Vec<Message>,
    ) -> Result<Plan, StoreError> {
        let last = turns.last().map_or(0, |turn| turn.number);
        let mut base = ChatRequest {
            system: self.settings.system_prompt.clone(),
            max_output_tokens: self.settings.max_output_tokens,
            ..ChatRequest::default()
        };
        if self.has_context() {
            let chosen = self.store.chosen_model(conversation).await?;
            // It may have been on offer when it was chosen.
            base.model = chosen.filter(|model| self.settings.models.contains(model));
        }
        let (words, passages) = (String::new(), Vec::new());
        Ok(Plan { conversation, turns, last, asked, words, passages, base })
    }

    /// Fits a plan to what an endpoint can read.
    pub(super) async fn fit(&self, at: usize, plan: &mut Plan) {
        if self.has_context() && !self.endpoints[at].provider.has_context() {
            // Without a model, what is found is the answer: it must have to do with the question itself.
            plan.turns.clear();
            plan.passages = self.retrieve(&plan.words, &[]).await;
            return;
        }
        self.ask_for_size(at, plan).await;
        let turns = self.settings.max_history_turns;
        let bounds = Bounds { turns, tokens: self.settings.max_history_tokens };
        plan.fit(&self.rooms[at].windows, bounds, self.size(at, plan));
    }

    /// Asks a server of one's own how much the model can read, before the first prompt that may be too much.
    async fn ask_for_size(&self, at: usize, plan: &Plan) {
        let (provider, sizes) = (&self.endpoints[at].provider, &self.rooms[at].context_sizes);
        let most = plan.estimate() + plan.base.max_output_tokens as usize;
        let model = self.model(at, plan);
        if most < SMALL || !provider.is_own_server() || !sizes.is_wanted(model) {
            return;
        }
        let size = timeout(SIZE_WITHIN, provider.context_size(model)).await;
        if let Ok(Some(size)) = size {
            tracing::info!(
                model,
                context_tokens = size,
                "the server says how much the model can read"
            );
            sizes.learn(model, size);
        }
    }

    /// How much the model can read, where that is known.
    fn size(&self, at: usize, plan: &Plan) -> Option<ContextSize> {
        self.rooms[at].context_sizes.of(self.model(at, plan), plan.script())
    }

    /// The last message of the bot in a chat, where a question answers one.
    async fn last_sent(&self, question: &Question<'_>) -> Result<Option<MessageId>, StoreError> {
        let reply = question.context.and_then(|context| context.reply.as_ref());
        match reply.filter(|reply| reply.by_bot && reply.message_id.is_some()) {
            Some(_) => self.store.last_sent(question.conversation.chat).await,
            None => Ok(None),
        }
    }

    fn model<'p>(&'p self, at: usize, plan: &'p Plan) -> &'p str {
        plan.base.model.as_deref().unwrap_or(self.endpoints[at].model())
    }

    /// Asks; when the model finds it too long, asks again with less, until only the question is left.
    pub(super) async fn ask_fitting(
        &self,
        at: usize,
        plan: &mut Plan,
        call: &mut Call<'_>,
        run: &mut Run,
    ) -> Collected {
        let Room { context_sizes, windows } = &self.rooms[at];
        if call.asker.purpose == Purpose::Canary {
            plan.keep_small();
        }
        let mut shrunk = 0;
        loop {
            let collected = self.ask(at, &plan.request(), call, run).await;
            match &collected {
                Collected::Whole { finished, .. } => {
                    if let Some(usage) = finished.usage {
                        let model = self.model(at, plan);
                        let (script, estimate) = (plan.script(), plan.estimate());
                        context_sizes.read(model, script, usage.input_tokens, estimate);
                    }
                    if shrunk > 0 {
                        plan.settle(windows);
                    }
                    return collected;
                }
                Collected::Failed { error, text }
                    if text.is_empty() && error.class() == AnswerClass::TooLong =>
                {
                    let (script, estimate) = (plan.script(), plan.estimate());
                    let (model, words) = (self.model(at, plan), error.words());
                    context_sizes.refused(model, script, &words, estimate);
                    let context = self.size(at, plan);
                    let is_less = shrunk <= SHRINKS
                        && if shrunk < SHRINKS { plan.shrink(context) } else { plan.strip() };
                    if !is_less {
                        return collected;
                    }
                    shrunk += 1;
                    let words = error.words();
                    tracing::info!(error = words, "too long for the model; asking with less");
                }
                _ => return collected,
            }
        }
    }

    /// What a person hears whose message alone is too long for the model; other failures as they are.
    pub(super) fn refusal(
        &self,
        (at, plan): (usize, &Plan),
        error: &AnswerError,
        chosen: Option<&str>,
    ) -> Reply {
        if error.class() != AnswerClass::TooLong {
            return error.reply(chosen);
        }
        /// English words that a token makes on average.
        const WORDS: f64 = 0.7;
        let words = |context: ContextSize| {
            (context.for_prompt(context.for_answer(usize::MAX)) as f64 * WORDS) as usize
        };
        let context = match self.size(at, plan).map(words) {
            Some(words) if words >= 100 => {
                format!(" It has room for about {} words.", words / 100 * 100)
            }
            _ => String::new(),
        };
        Reply::plain(format!(
            "This message alone is too long for the model.{context} Please send a shorter part of it.{}",
            way_back(chosen)
        ))
    }
}
