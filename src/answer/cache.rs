//! Answers that are given again to the same question, without a model.
//!
//! Invariants: memory only, and only as long as the settings and documents that they were made with; an answer goes to
//! the person who had it, unless the configuration shares answers between private chats; what a person had forgotten is
//! gone.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::plan::Plan;
use super::question::Question;
use crate::model::conversation::AnswerMetadata;
use crate::model::ids::UserId;
use crate::model::reply::Reply;

/// What is kept, and for how long.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheSettings {
    /// How long an answer is given again; zero keeps none.
    pub life: Duration,
    /// Whether one person's answer is given to others, in private chats.
    pub is_shared: bool,
    /// Answers, at most.
    pub entries: usize,
    /// Their size in bytes, at most.
    pub bytes: usize,
}

/// What a question has in common with all that have the same answer.
pub(super) type Key = [u8; 32];

/// The answers of one engine. Another engine begins without any, so nothing outlives a change.
#[derive(Debug)]
pub(super) struct AnswerCache {
    settings: CacheSettings,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    /// Oldest first, with the number of the entry: one that was replaced has another.
    order: VecDeque<(Key, u64)>,
    next: u64,
    bytes: usize,
    /// How often something was forgotten on request.
    forgotten: u64,
}

#[derive(Debug)]
struct Entry {
    answer: CachedAnswer,
    /// Who asked.
    user: UserId,
    at: Instant,
    number: u64,
}

/// An answer as it was given.
#[derive(Clone, Debug)]
pub(super) struct CachedAnswer {
    /// For the chat.
    pub(super) reply: Reply,
    /// The model's words, for the history.
    pub(super) text: String,
    /// What is known of it.
    pub(super) metadata: AnswerMetadata,
}

/// Where an answer may be kept, if it turns out to be whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    key: Key,
    user: UserId,
    forgotten: u64,
}

impl CachedAnswer {
    fn size(&self) -> usize {
        /// What stands around the texts.
        const AROUND: usize = 500;
        let below = [&self.reply.footer, &self.reply.sources];
        let below = below.into_iter().flatten().map(String::len).sum::<usize>();
        let passages = self.metadata.passages.iter();
        let passages =
            passages.map(|passage| passage.text.len() + passage.title.len()).sum::<usize>();
        self.reply.text().len() + below + passages + self.text.len() + AROUND
    }
}

impl AnswerCache {
    pub(super) fn new(settings: CacheSettings) -> Self {
        Self { settings, kept: Mutex::default() }
    }

    /// Where the answer to a question is kept; `None` where it depends on more than its words.
    pub(super) fn slot(&self, question: &Question<'_>, plan: &Plan) -> Option<Slot> {
        let depends =
            question.context.is_some() || question.media.is_some() || !plan.turns.is_empty();
        if self.settings.life.is_zero() || depends {
            return None;
        }
        let is_shared = self.settings.is_shared && question.speaker.is_none();
        let asker = if is_shared { 0 } else { question.user.0 };
        let (base, mut hash) = (&plan.base, Sha256::new());
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add(&asker.to_string());
        add(question.speaker.unwrap_or_default());
        add(&normalised(question.text));
        add(base.model.as_deref().unwrap_or_default());
        add(&base.system);
        add(&base.max_output_tokens.to_string());
        for passage in &plan.passages {
            add(&passage.source);
            add(&passage.text);
        }
        let forgotten = self.kept().forgotten;
        Some(Slot { key: hash.finalize().into(), user: question.user, forgotten })
    }

    /// What is kept there, and how old it is.
    pub(super) fn find(&self, slot: &Slot) -> Option<(CachedAnswer, Duration)> {
        let kept = self.kept();
        let entry = kept.entries.get(&slot.key)?;
        let age = entry.at.elapsed();
        (age < self.settings.life).then(|| (entry.answer.clone(), age))
    }

    /// Keeps an answer in place of an older one.
    pub(super) fn keep(&self, slot: Slot, answer: CachedAnswer) {
        let size = answer.size();
        let mut kept = self.kept();
        // Its asker may be the one who had everything forgotten meanwhile.
        if size > self.settings.bytes || kept.forgotten != slot.forgotten {
            return;
        }
        let (number, at) = (kept.next, Instant::now());
        kept.next += 1;
        kept.bytes += size;
        kept.order.push_back((slot.key, number));
        let entry = Entry { answer, user: slot.user, at, number };
        if let Some(old) = kept.entries.insert(slot.key, entry) {
            kept.bytes -= old.answer.size();
        }
        self.make_room(&mut kept);
    }

    /// Forgets all that this person asked.
    pub(super) fn forget(&self, user: UserId) {
        let mut kept = self.kept();
        kept.forgotten += 1;
        kept.entries.retain(|_, entry| entry.user != user);
        kept.bytes = kept.entries.values().map(|entry| entry.answer.size()).sum();
    }

    fn make_room(&self, kept: &mut Kept) {
        let CacheSettings { life, entries, bytes, .. } = self.settings;
        while let Some((key, number)) = kept.order.front().copied() {
            let is_full = kept.entries.len() > entries || kept.bytes > bytes;
            let front = kept.entries.get(&key).filter(|entry| entry.number == number);
            if front.is_some_and(|entry| !is_full && entry.at.elapsed() < life) {
                return;
            }
            if front.is_some()
                && let Some(old) = kept.entries.remove(&key)
            {
                kept.bytes -= old.answer.size();
            }
            kept.order.pop_front();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question without what makes no difference: blanks around it, and how many stand between its words. Upper and
/// lower case may differ in meaning (`-r` and `-R`), and so may the lines of a longer text.
fn normalised(text: &str) -> String {
    let text = text.trim();
    if text.contains('\n') {
        return text.to_owned();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::conversation::{ChatRequest, ConversationId, Message, Passage};
    use crate::model::ids::ChatId;

    fn settings(entries: usize, is_shared: bool) -> CacheSettings {
        CacheSettings { life: Duration::from_secs(60), is_shared, entries, bytes: 100_000 }
    }

    fn question(user: i64, text: &str) -> Question<'_> {
        let conversation = ConversationId { chat: ChatId(user), topic: 0 };
        let user = UserId(user);
        Question::plain(conversation, user, text)
    }

    fn plan(passage: &str) -> Plan {
        let passage = Passage {
            source: "a.md".to_owned(),
            title: String::new(),
            text: passage.to_owned(),
            score: 1.0,
            ..Passage::default()
        };
        Plan {
            conversation: ConversationId { chat: ChatId(5), topic: 0 },
            turns: Vec::new(),
            last: 0,
            asked: vec![Message::user("why?")],
            words: String::new(),
            passages: vec![passage],
            base: ChatRequest::default(),
        }
    }

    fn answer(text: &str) -> CachedAnswer {
        let (reply, metadata) = (Reply::plain(text), AnswerMetadata::default());
        CachedAnswer { reply, text: text.to_owned(), metadata }
    }

    fn keep(cache: &AnswerCache, question: &Question<'_>, text: &str) {
        cache.keep(cache.slot(question, &plan("p")).expect("a slot"), answer(text));
    }

    fn finds(cache: &AnswerCache, question: &Question<'_>, plan: &Plan) -> Option<String> {
        Some(cache.find(&cache.slot(question, plan)?)?.0.text)
    }

    #[test]
    fn only_the_same_question_of_the_same_person_has_the_same_answer() {
        let cache = AnswerCache::new(settings(10, false));
        keep(&cache, &question(5, " why  is it -r? "), "a");
        assert_eq!(finds(&cache, &question(5, "why is it -r?"), &plan("p")).as_deref(), Some("a"));
        let named = Question { speaker: Some("Cy"), ..question(5, "why is it -r?") };
        for other in [question(5, "why is it -R?"), question(6, "why is it -r?"), named] {
            assert_eq!(finds(&cache, &other, &plan("p")), None, "{other:?}");
        }
        let asked = question(5, "why is it -r?");
        let base = ChatRequest { model: Some("m".to_owned()), ..ChatRequest::default() };
        let system = ChatRequest { system: "s".to_owned(), ..ChatRequest::default() };
        let others = [plan("q"), Plan { base, ..plan("p") }, Plan { base: system, ..plan("p") }];
        assert!(others.iter().all(|other| finds(&cache, &asked, other).is_none()));
        let pictures = Question { media: Some("photo"), ..asked };
        assert!(cache.slot(&pictures, &plan("p")).is_none());

        let shared = AnswerCache::new(settings(10, true));
        keep(&shared, &question(5, "why?"), "a");
        assert!(finds(&shared, &question(6, "why?"), &plan("p")).is_some());
        let in_group = |user| Question { speaker: Some("Cy"), ..question(user, "why?") };
        keep(&shared, &in_group(5), "b");
        assert!(finds(&shared, &in_group(6), &plan("p")).is_none(), "the model knew who asked");
        assert!(AnswerCache::new(CacheSettings::default()).slot(&asked, &plan("p")).is_none());
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_is_gone() {
        let cache = AnswerCache::new(settings(100, true));
        for number in 0..1000 {
            keep(&cache, &question(number % 7, &format!("q{number}")), "a");
            keep(&cache, &question(3, "again"), "a");
        }
        let kept = cache.kept();
        assert!(kept.entries.len() <= 100 && kept.order.len() <= 201, "{}", kept.order.len());
        assert_eq!(
            kept.bytes,
            kept.entries.values().map(|entry| entry.answer.size()).sum::<usize>()
        );
        drop(kept);
        keep(&cache, &question(3, "long"), &"a".repeat(99_000));
        assert!(finds(&cache, &question(3, "long"), &plan("p")).is_none(), "it alone is too large");
        keep(&cache, &question(3, "long"), &"a".repeat(30_000));
        assert!(
            cache.kept().bytes <= 100_000
                && finds(&cache, &question(4, "long"), &plan("p")).is_some()
        );
        let running = cache.slot(&question(3, "running"), &plan("p")).expect("a slot");
        cache.forget(UserId(3));
        cache.keep(running, answer("a"));
        for text in ["again", "long", "running"] {
            assert!(finds(&cache, &question(4, text), &plan("p")).is_none(), "{text}");
        }
        assert!(cache.kept().entries.values().all(|entry| entry.user != UserId(3)));
        let cache =
            AnswerCache::new(CacheSettings { life: Duration::from_nanos(1), ..settings(9, true) });
        keep(&cache, &question(3, "old"), "a");
        assert!(finds(&cache, &question(3, "old"), &plan("p")).is_none());
    }
}
