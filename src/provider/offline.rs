//! The provider without a model: it quotes the operator's documents. Where they stand is named below its answer.
//!
//! Invariants: it writes nothing that does not stand in a passage, apart from the sentences below;
//! a fence that is opened is closed.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

use super::descriptor::{Descriptor, Kind};
use super::{Answering, Provider};
use crate::model::conversation::{ChatRequest, Event, Finished, Passage};

/// Characters of one passage that are quoted: what fits on a telephone without much scrolling.
const QUOTE_CHARS: usize = 900;
/// Longest code block that is still quoted whole: half of a Bot API message.
const CODE_CHARS: usize = 2000;
/// Passages quoted at most; more would be a list of results, not an answer.
const PASSAGES: usize = 3;
/// A further passage is quoted when it is nearly as relevant as the best one.
const NEARLY: f64 = 0.75;
/// Topics named when nothing was found.
const TOPICS: usize = 20;
/// Words that are streamed together.
const WORDS_PER_PIECE: usize = 12;

/// No model.
pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "offline",
    title: "offline",
    summary: "No model: the bot quotes your documents",
    kind: Kind::Documents,
    build: |settings| Ok(Arc::new(Offline::with_topics(settings.topics))),
};

/// Answers with the best passages.
#[derive(Clone, Debug, Default)]
pub struct Offline {
    topics: Vec<String>,
}

impl Offline {
    /// A provider that can say what its documents are about, such as their titles, when it finds
    /// nothing. Only the first twenty are named.
    pub fn with_topics(topics: Vec<String>) -> Self {
        Self { topics }
    }

    fn text(&self, passages: &[Passage]) -> String {
        if passages.is_empty() { self.nothing() } else { quoted(passages) }
    }

    fn nothing(&self) -> String {
        let mut text = String::from(
            "I found nothing about that in my documents. No language model is connected, so I can \
             only quote what stands in them.",
        );
        let topics: Vec<&str> = self
            .topics
            .iter()
            .map(|topic| topic.trim())
            .filter(|topic| !topic.is_empty())
            .collect();
        if !topics.is_empty() {
            text.push_str("\n\nThey are about:\n");
            for topic in topics.iter().take(TOPICS) {
                text.push_str(&format!("\n- {topic}"));
            }
            if let Some(more) = topics.len().checked_sub(TOPICS).filter(|more| *more > 0) {
                text.push_str(&format!("\n- … and {more} more"));
            }
            text.push('\n');
        }
        text.push_str("\n\nOther words may help: the name of a command, a setting or a message.");
        text
    }
}

impl Provider for Offline {
    fn name(&self) -> &'static str {
        "offline"
    }

    fn model(&self) -> &str {
        "full-text"
    }

    fn has_context(&self) -> bool {
        false
    }

    fn quotes(&self, passages: &[Passage]) -> Option<Vec<usize>> {
        Some(chosen(passages))
    }

    fn answer(&self, request: ChatRequest) -> Answering {
        let finished = Finished { model: Some("full-text".to_owned()), ..Finished::default() };
        let pieces = word_groups(&self.text(&request.passages))
            .into_iter()
            .map(Event::Text)
            .chain([Event::Done(finished)])
            .map(Ok);
        stream::iter(pieces.collect::<Vec<_>>()).boxed()
    }
}

/// The places of the passages that are quoted.
fn chosen(passages: &[Passage]) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    let best = passages.first().map_or(0.0, |passage| passage.score);
    for (place, passage) in passages.iter().enumerate() {
        let near = chosen.is_empty() || (best > 0.0 && passage.score >= best * NEARLY);
        let is_same = |other: &usize| passages[*other].text.trim() == passage.text.trim();
        if near && !chosen.iter().any(is_same) && chosen.len() < PASSAGES {
            chosen.push(place);
        }
    }
    chosen
}

fn quoted(passages: &[Passage]) -> String {
    let chosen = chosen(passages);
    let mut text = String::from("From the documents:");
    for (index, place) in chosen.iter().enumerate() {
        text.push_str("\n\n");
        text.push_str(&excerpt(&passages[*place].text));
        if chosen.len() > 1 {
            text.push_str(&format!("\n\n— [{}]", index + 1));
        }
    }
    text
}

/// A run of lines that stays together: a paragraph, or a whole fenced code block.
struct Block {
    text: String,
    fence: Option<String>,
}

/// The beginning of a passage, cut where a reader would pause.
fn excerpt(text: &str) -> String {
    let all = blocks(text);
    let mut taken = String::new();
    let mut left = QUOTE_CHARS;
    for (index, block) in all.iter().enumerate() {
        let chars = block.text.chars().count();
        // The command in a code block is often the answer itself, so it may exceed the bound.
        let fits = chars <= left || (block.fence.is_some() && left > 0 && chars <= CODE_CHARS);
        if !fits && index > 0 {
            taken.push_str("\n\n…");
            break;
        }
        if index > 0 {
            taken.push_str("\n\n");
        }
        if fits {
            taken.push_str(&block.text);
        } else {
            taken.push_str(&shortened(block));
            break;
        }
        left = left.saturating_sub(chars);
    }
    taken
}

fn shortened(block: &Block) -> String {
    let Some(fence) = &block.fence else { return sentences(&block.text, QUOTE_CHARS) };
    let mut text = String::new();
    for line in block.text.lines() {
        if text.chars().count() + line.chars().count() > CODE_CHARS {
            break;
        }
        text.push_str(line);
        text.push('\n');
    }
    format!("{text}…\n{fence}")
}

/// At most `limit` characters and an ellipsis, ending with a sentence, else a word, where one
/// ends in the second half.
fn sentences(text: &str, limit: usize) -> String {
    let hard = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
    let head = &text[..hard];
    let after_sentence = head
        .char_indices()
        .filter(|(at, mark)| {
            let next = at + mark.len_utf8();
            let spaced = text[next..].starts_with(char::is_whitespace);
            matches!(mark, '。' | '！' | '？') || (matches!(mark, '.' | '!' | '?') && spaced)
        })
        .map(|(at, mark)| at + mark.len_utf8())
        .next_back();
    let after_word = head.rfind(char::is_whitespace);
    let end = [after_sentence, after_word]
        .into_iter()
        .flatten()
        .find(|end| *end > hard / 2)
        .unwrap_or(hard);
    format!("{} …", head[..end].trim_end())
}

fn blocks(text: &str) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.trim().lines() {
        let mark = fence_of(line);
        match open.take() {
            Some(mut block) if block.fence.is_some() => {
                block.text.push('\n');
                block.text.push_str(line);
                let closes = block.fence.as_deref().is_some_and(|fence| closes(line, fence));
                if closes { all.push(block) } else { open = Some(block) }
            }
            block if mark.is_some() => {
                all.extend(block);
                open = Some(Block { text: line.to_owned(), fence: mark });
            }
            block if line.trim().is_empty() => all.extend(block),
            Some(mut block) => {
                if continues(&block.text, line) {
                    block.text.push(' ');
                    block.text.push_str(line.trim_start());
                } else {
                    block.text.push('\n');
                    block.text.push_str(line);
                }
                open = Some(block);
            }
            None => open = Some(Block { text: line.to_owned(), fence: None }),
        }
    }
    if let Some(mut block) = open {
        // The passage was cut inside a code block: close it, or it swallows the source line.
        if let Some(fence) = &block.fence {
            block.text.push('\n');
            block.text.push_str(fence);
        }
        all.push(block);
    }
    all
}

/// Whether a line goes on with the sentence before it. Documents are wrapped at any width, and a chat wraps
/// them once more. Lists, tables, headings, quotes and indented code keep their lines, and so do breaks
/// that are meant (CommonMark: two spaces or a backslash).
fn continues(before: &str, line: &str) -> bool {
    let is_rule = |line: &str| line.trim().chars().all(|c| matches!(c, '=' | '-' | '*' | '_'));
    let keeps = |line: &str| {
        line.trim_start().starts_with(['#', '|', '>']) || line.contains(" | ") || is_rule(line)
    };
    let digits = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    let is_entry =
        |line: &str| line.starts_with("- ") || line.starts_with("* ") || line.starts_with("+ ");
    let is_numbered = digits.len() < line.trim_start().len()
        && (digits.starts_with(". ") || digits.starts_with(") "));
    let last = before.lines().next_back().unwrap_or_default();
    let is_code = before.starts_with("    ") || before.starts_with('\t');
    let is_meant = before.ends_with("  ") || before.ends_with('\\');
    !(keeps(last)
        || keeps(line)
        || is_entry(line.trim_start())
        || is_numbered
        || is_code
        || is_meant)
}

/// The fence that opens a code block on this line (CommonMark: three or more of one character).
fn fence_of(line: &str) -> Option<String> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = line.chars().take_while(|next| *next == mark).count();
    let info = &line[length..];
    (length >= 3 && !(mark == '`' && info.contains('`'))).then(|| mark.to_string().repeat(length))
}

fn closes(line: &str, fence: &str) -> bool {
    let line = line.trim();
    line.starts_with(fence) && line.chars().all(|mark| fence.starts_with(mark))
}

/// The same text in pieces of a few words; joined they give it back.
fn word_groups(text: &str) -> Vec<String> {
    let mut groups = Vec::new();
    let mut group = String::new();
    let mut words = 0;
    for part in text.split_inclusive(char::is_whitespace) {
        group.push_str(part);
        words += 1;
        if words == WORDS_PER_PIECE {
            groups.push(std::mem::take(&mut group));
            words = 0;
        }
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(text: &str, score: f64) -> Passage {
        let (source, title) = ("install.md".to_owned(), "First steps".to_owned());
        Passage { source, title, text: text.to_owned(), score, ..Passage::default() }
    }

    async fn answered(provider: &Offline, passages: Vec<Passage>) -> String {
        let request = ChatRequest { passages, ..ChatRequest::default() };
        let pieces: Vec<Event> = provider.answer(request).map(Result::unwrap).collect().await;
        assert!(matches!(pieces.last(), Some(Event::Done(_))));
        let text = |piece: &Event| match piece {
            Event::Text(text) => text.clone(),
            _ => String::new(),
        };
        pieces.iter().map(text).collect()
    }

    #[tokio::test]
    async fn wrapped_lines_flow_and_meant_ones_stay() {
        let text = "A sentence that is\nwrapped at any\n  width.\n\n# Head\nBody\n\nTitle\n=====\n\n- one\n  goes on\n- two\n\n\
                    1. first\n2. second\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nmeant  \nbreak\n\n    code\n    more\n\n\
                    ```\nfenced\ncode\n```";
        let blocks: Vec<String> = blocks(text).into_iter().map(|block| block.text).collect();
        let wanted = [
            "A sentence that is wrapped at any width.",
            "# Head\nBody",
            "Title\n=====",
            "- one goes on\n- two",
            "1. first\n2. second",
            "| a | b |\n|---|---|\n| 1 | 2 |",
            "meant  \nbreak",
            "    code\n    more",
            "```\nfenced\ncode\n```",
        ];
        assert_eq!(blocks, wanted);
    }

    #[tokio::test]
    async fn quotes_the_best_passage() {
        let passages = vec![passage("Run it.\n\n```sh\nmake\n```", 9.0), passage("Other.", 1.0)];
        let text = answered(&Offline::default(), passages).await;
        assert_eq!(text, "From the documents:\n\nRun it.\n\n```sh\nmake\n```");
    }

    #[tokio::test]
    async fn a_passage_nearly_as_good_is_quoted_too_and_repeats_are_not() {
        let passages = vec![passage("One.", 9.0), passage("One.", 9.0), passage("Two.", 8.0)];
        assert_eq!(Offline::default().quotes(&passages), Some(vec![0, 2]));
        let text = answered(&Offline::default(), passages).await;
        assert_eq!(text, "From the documents:\n\nOne.\n\n— [1]\n\nTwo.\n\n— [2]");
    }

    #[tokio::test]
    async fn says_honestly_that_nothing_was_found() {
        let text = answered(&Offline::with_topics(vec!["Install".to_owned()]), Vec::new()).await;
        assert!(text.starts_with("I found nothing"), "{text}");
        assert!(text.contains("\n- Install\n"), "{text}");
        assert!(!answered(&Offline::default(), Vec::new()).await.contains("about:"));
        let many = (1..=TOPICS + 2).map(|n| format!("Topic {n}")).collect();
        let text = answered(&Offline::with_topics(many), Vec::new()).await;
        assert!(text.contains(&format!("\n- Topic {TOPICS}\n- … and 2 more\n")), "{text}");
    }

    #[test]
    fn long_text_is_cut_at_a_sentence_and_code_stays_whole() {
        let long = "A sentence of some words. ".repeat(60);
        let cut = excerpt(&long);
        assert!(cut.ends_with("words. …") && cut.chars().count() <= QUOTE_CHARS + 2, "{cut}");
        let code = format!("Lead.\n\n```\n{}\n```\n\nAfter.", "x\n\n".repeat(450));
        let cut = excerpt(&code);
        assert_eq!(cut.matches("```").count(), 2);
        assert!(cut.ends_with("```\n\n…"), "{cut}");
        let huge = excerpt(&format!("```\n{}```", "0123456789\n".repeat(1000)));
        assert!(huge.ends_with("\n…\n```") && huge.len() < CODE_CHARS + 40);
    }

    #[test]
    fn an_open_fence_is_closed() {
        assert_eq!(excerpt("~~~~\nls"), "~~~~\nls\n~~~~");
        assert_eq!(excerpt("a\n```\nls"), "a\n\n```\nls\n```");
    }

    #[test]
    fn hostile_text_neither_panics_nor_exceeds_the_bound() {
        for text in ["", "   ", "字".repeat(5000).as_str(), "🦀 ".repeat(3000).as_str(), "`` ```"]
        {
            assert!(excerpt(text).chars().count() <= CODE_CHARS + 10);
        }
    }

    #[test]
    fn word_groups_give_the_text_back() {
        let text = "a b\n\n c  d ".repeat(40);
        assert_eq!(word_groups(&text).concat(), text);
    }
}
