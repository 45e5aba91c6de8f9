//! Who the bot is, as Telegram says: asked for as long as it takes.

use crate::lifecycle::Tasks;
use crate::model::failure::{Classify, RetryPolicy, backoff, chain};
use crate::model::ids::{BotId, UserId};
use crate::model::limits;
use crate::observe::catalog::JournalEvent;
use crate::observe::repeats::Repeats;
use crate::observe::vitals::Vitals;
use crate::telegram::{Client, Me};

/// `getMe`, until it is answered; `None` when the process drains first.
pub(super) async fn introduce(
    client: &Client,
    vitals: &Vitals,
    bot: BotId,
    tasks: &Tasks,
) -> Option<Me> {
    let (mut attempt, mut repeats) = (0, Repeats::default());
    // A token that was replaced meanwhile is tried at once.
    let mut renewals = client.renewals();
    loop {
        let answer = tokio::select! {
            answer = client.me() => answer,
            () = renewals.next() => continue,
            () = tasks.drain().cancelled() => return None,
        };
        let e = match answer {
            Ok(me) => return Some(Me { id: UserId(bot.0), ..me }),
            Err(e) => e,
        };
        attempt += 1;
        vitals.failed(&vitals.polling, e.class());
        let pause = match e.retry_policy() {
            _ if e.token_refused() => limits::TOKEN_REFUSED_PAUSE,
            RetryPolicy::After(wait) => wait.min(limits::POLL_PAUSE_MAX),
            _ => backoff(attempt, limits::POLL_BACKOFF, limits::POLL_BACKOFF_MAX),
        };
        let (error, class) = (chain(&e), e.class().as_str());
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        if !repeats.is_news(class) {
            tracing::debug!(error, class, attempt, pause_ms, "cannot reach Telegram again");
        } else if e.token_refused() {
            tracing::error!(
                message_id = JournalEvent::TokenNotAccepted.id(),
                error,
                class,
                "Telegram refuses the token; get a new one from @BotFather, and give it to \
                     `katana-bot setup` ({error})"
            );
        } else {
            tracing::error!(
                error,
                class,
                attempt,
                pause_ms,
                "cannot reach Telegram: {error}; trying again until it works"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = renewals.next() => {}
            () = tasks.drain().cancelled() => return None,
        }
    }
}
