//! The conversation: what is said, what comes back, and how long that may take.

use std::time::Duration;

use botapi_sim::{Message, Sim};
use katana::lifecycle::{Signal, Signals};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::screen::Screen;
use crate::stage::{Stage, USER};

/// Between two looks while an answer is awaited, if nothing arrives; quick enough to look alive.
const LOOK: Duration = Duration::from_millis(5);

/// Between two looks otherwise.
const GLANCE: Duration = Duration::from_millis(250);

/// Why a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was said.
    NothingMore,
    /// Ctrl-C.
    Interrupted,
    /// A task of the bot panicked.
    BotDied,
}

/// One conversation.
pub struct Talk<'a> {
    stage: &'a Stage,
    screen: &'a mut Screen,
    timeout: Duration,
    /// What the bot said and was shown.
    shown: usize,
    drafts: usize,
    notices: usize,
    /// Buttons under the last message that has some: label, data, message.
    buttons: Vec<(String, i64)>,
    waiting: Option<Waiting>,
    unanswered: usize,
}

/// A message without an answer.
struct Waiting {
    text: String,
    since: Instant,
    answers: usize,
}

impl<'a> Talk<'a> {
    /// Nothing was said yet.
    pub fn new(stage: &'a Stage, screen: &'a mut Screen, timeout: Duration) -> Self {
        Self {
            stage,
            screen,
            timeout,
            shown: 0,
            drafts: 0,
            notices: 0,
            buttons: Vec::new(),
            waiting: None,
            unanswered: 0,
        }
    }

    /// How many messages got no answer in time.
    pub fn unanswered(&self) -> usize {
        self.unanswered + usize::from(self.waiting.is_some())
    }

    /// Says line after line. A person may write on while an answer is awaited (`/cancel`); a
    /// script waits for each answer.
    pub async fn run(
        &mut self,
        mut lines: mpsc::Receiver<String>,
        signals: &mut Signals,
    ) -> std::io::Result<Ending> {
        let mut open = true;
        self.screen.prompt()?;
        loop {
            if !open && self.waiting.is_none() {
                return Ok(Ending::NothingMore);
            }
            let listens = open && (self.waiting.is_none() || self.screen.interactive);
            let deadline = self.waiting.as_ref().map(|w| w.since + self.timeout);
            tokio::select! {
                signal = signals.next() => if signal == Signal::Stop {
                    self.waiting = None;
                    return Ok(Ending::Interrupted);
                },
                line = lines.recv(), if listens => match line {
                    Some(line) => self.hear(line.trim())?,
                    None => open = false,
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.give_up()?;
                }
                () = self.news() => {}
            }
            if self.stage.is_broken() {
                return Ok(Ending::BotDied);
            }
            self.look().await?;
        }
    }

    /// Waits for a message of the bot, or for the time of another look.
    async fn news(&self) {
        let longest = if self.waiting.is_some() { LOOK } else { GLANCE };
        let shown = self.shown;
        let more = |sim: &Sim| sim.bot_messages(USER).len() > shown;
        self.stage.sim.wait_until(longest, more).await;
    }

    /// One line from the person.
    fn hear(&mut self, line: &str) -> std::io::Result<()> {
        if line.is_empty() {
            return self.screen.prompt();
        }
        self.screen.said(line)?;
        let pressed = line.strip_prefix('!').and_then(|rest| rest.parse::<usize>().ok());
        match pressed {
            None => {
                self.stage.sim.say(USER, line);
            }
            Some(number) => {
                let Some((data, message)) = self.buttons.get(number.wrapping_sub(1)).cloned()
                else {
                    self.unanswered += usize::from(!self.screen.interactive);
                    self.screen.note("there is no such button")?;
                    return self.screen.prompt();
                };
                self.stage.sim.press(USER, message, USER, &data);
            }
        }
        let text = line.to_owned();
        self.waiting = Some(Waiting { text, since: Instant::now(), answers: 0 });
        Ok(())
    }

    /// Shows whatever is new.
    async fn look(&mut self) -> std::io::Result<()> {
        let sim = &self.stage.sim;
        // Looked at before the messages: what is idle now has shown everything it will.
        let idle = self.stage.is_idle().await;
        let drafts = sim.drafts(USER);
        if drafts.len() > self.drafts {
            self.drafts = drafts.len();
            if self.waiting.is_some() {
                self.screen.draft(drafts.last().map_or("", String::as_str))?;
            }
        }
        for message in sim.bot_messages(USER).split_off(self.shown) {
            self.shown += 1;
            self.show(&message)?;
        }
        for notice in sim.callback_answers().split_off(self.notices) {
            self.notices += 1;
            if let Some(words) = notice["text"].as_str() {
                self.screen.note(words)?;
            }
            if let Some(waiting) = &mut self.waiting {
                waiting.answers += 1;
            }
        }
        if idle && self.waiting.as_ref().is_some_and(|w| w.answers > 0) {
            self.waiting = None;
            self.screen.prompt()?;
        }
        Ok(())
    }

    fn show(&mut self, message: &Message) -> std::io::Result<()> {
        let labels = buttons(message);
        if !labels.is_empty() {
            self.buttons =
                labels.iter().map(|(_, data)| (data.clone(), message.message_id)).collect();
        }
        let labels: Vec<String> = labels.into_iter().map(|(label, _)| label).collect();
        let asked = self.waiting.as_mut().map(|waiting| {
            waiting.answers += 1;
            (waiting.text.as_str(), waiting.since.elapsed())
        });
        self.screen.answer(message, &labels, asked)
    }

    fn give_up(&mut self) -> std::io::Result<()> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        if waiting.answers > 0 {
            return self.screen.prompt();
        }
        self.unanswered += 1;
        self.screen.no_answer(&waiting.text, self.timeout)?;
        self.screen.prompt()
    }
}

/// Labels and data of the buttons under a message, row by row.
fn buttons(message: &Message) -> Vec<(String, String)> {
    let rows = message.reply_markup.as_ref().map(|markup| &markup["inline_keyboard"]);
    let rows = rows.and_then(Value::as_array).into_iter().flatten();
    let keys = rows.flat_map(|row| row.as_array().into_iter().flatten());
    keys.filter_map(|key| {
        Some((key["text"].as_str()?.to_owned(), key["callback_data"].as_str()?.to_owned()))
    })
    .collect()
}
