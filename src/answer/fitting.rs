//! Asking with as much as the model has room for.

use super::asking::Call;
use super::engine::AnswerEngine;
use super::error::{AnswerError, way_back};
use super::plan::Plan;
use super::question::{Asked, Question, said};
use super::room::Room;
use super::stream::Collected;
use super::window::Bounds;
use crate::model::class::AnswerClass;
use crate::model::conversation::{ChatRequest, ConversationId, Message, Role};
use crate::model::reply::Reply;
use crate::store::{CutAnswer, KeptTurn, StoreError};

/// Times that a question is asked with less before it is asked alone.
const SHRINKS: u32 = 6;

impl AnswerEngine {
    /// What goes to the model for a question.
    pub(super) async fn plan(&self, question: Question<'_>) -> Result<(Plan, Asked), StoreError> {
        let kept = self.kept(question.conversation).await?;
        let history: Vec<Message> =
            kept.iter().flat_map(|turn| turn.messages.iter().cloned()).collect();
        let asked = question.asked(&history);
        let mut plan = self.begin(question.conversation, kept, asked.messages()).await?;
        plan.passages = self.retrieve(&asked.words(), &history).await;
        self.fit(&mut plan);
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
        self.fit(&mut plan);
        Ok(plan)
    }

    /// What was said before, as far as it can matter.
    async fn kept(&self, conversation: ConversationId) -> Result<Vec<KeptTurn>, StoreError> {
        // One more than goes along shows that the window is full.
        let turns = self.settings.max_history_turns + 1;
        if !self.provider.has_context() {
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
        if self.provider.has_context() {
            let chosen = self.store.chosen_model(conversation).await?;
            // It may have been on offer when it was chosen.
            base.model = chosen.filter(|model| self.settings.models.contains(model));
        }
        Ok(Plan { conversation, turns, last, asked, passages: Vec::new(), base })
    }

    fn fit(&self, plan: &mut Plan) {
        let turns = self.settings.max_history_turns;
        let bounds = Bounds { turns, tokens: self.settings.max_history_tokens };
        let room = self.rooms.of(self.model(plan));
        plan.fit(&self.windows, bounds, room);
    }

    fn model<'p>(&'p self, plan: &'p Plan) -> &'p str {
        plan.base.model.as_deref().unwrap_or(self.provider.model())
    }

    /// Asks; when the model finds it too long, asks again with less, until only the question is left.
    pub(super) async fn ask_fitting(&self, plan: &mut Plan, call: &mut Call<'_>) -> Collected {
        let mut retries = self.tries();
        let mut shrunk = 0;
        loop {
            let collected = self.ask(&plan.request(), call, &mut retries).await;
            match &collected {
                Collected::Whole { finished, .. } => {
                    if let Some(usage) = finished.usage {
                        let model = self.model(plan);
                        self.rooms.read(model, usage.input_tokens, plan.estimate());
                    }
                    if shrunk > 0 {
                        plan.settle(&self.windows);
                    }
                    return collected;
                }
                Collected::Failed { error, wrote: false }
                    if error.class() == AnswerClass::TooLong =>
                {
                    self.rooms.refused(self.model(plan), &error.words(), plan.estimate());
                    let room = self.rooms.of(self.model(plan));
                    let is_less = shrunk <= SHRINKS
                        && if shrunk < SHRINKS { plan.shrink(room) } else { plan.strip() };
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
    pub(super) fn refusal(&self, plan: &Plan, error: &AnswerError, chosen: Option<&str>) -> Reply {
        if error.class() != AnswerClass::TooLong {
            return error.reply(chosen);
        }
        /// English words that a token makes on average.
        const WORDS: f64 = 0.7;
        let words =
            |room: Room| (room.for_prompt(room.for_answer(usize::MAX)) as f64 * WORDS) as usize;
        let room = match self.rooms.of(self.model(plan)).map(words) {
            Some(words) if words >= 100 => {
                format!(" It has room for about {} words.", words / 100 * 100)
            }
            _ => String::new(),
        };
        Reply::plain(format!(
            "This message alone is too long for the model.{room} Please send a shorter part of it.{}",
            way_back(chosen)
        ))
    }
}
