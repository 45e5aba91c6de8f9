//! Telegram's command menus: what each kind of chat shows. Convenience only: tried a few times,
//! then left.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::commands::{self, Scope};
use crate::model::failure::{Classify, RetryPolicy, backoff, chain};
use crate::model::ids::{ChatId, UserId};
use crate::model::limits;
use crate::pipeline::Pipeline;
use crate::telegram::{MenuScope, TelegramError};

/// Publishes the menus, and once more whenever the owners `changed`, until the process drains.
pub(super) async fn menus(pipeline: Arc<Pipeline>, changed: Arc<Notify>) {
    let drain = pipeline.base.tasks.drain().clone();
    let mut shown = Vec::new();
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = publish(&pipeline, &mut shown) => {}
        }
        tokio::select! {
            () = drain.cancelled() => return,
            () = changed.notified() => {}
        }
    }
}

/// `shown`: whose private chats show the owner's menu.
async fn publish(pipeline: &Pipeline, shown: &mut Vec<UserId>) {
    let owners = match pipeline.context.owners().await {
        Ok(owners) => owners,
        Err(e) => {
            let error = chain(&e);
            tracing::warn!(error, "cannot read who owns the bot: {error}");
            return;
        }
    };
    let client = &pipeline.client;
    for (scope, of) in [(MenuScope::Private, Scope::Private), (MenuScope::Groups, Scope::Group)] {
        let menu = commands::published(of);
        retry_until_published(scope, || client.publish(scope, &menu)).await;
    }
    let menu = commands::published(Scope::Owner);
    for owner in &owners {
        let scope = MenuScope::Chat(ChatId(owner.0));
        retry_until_published(scope, || client.publish(scope, &menu)).await;
    }
    for gone in shown.iter().filter(|user| !owners.contains(user)) {
        let chat = ChatId(gone.0);
        retry_until_published(MenuScope::Chat(chat), || client.unpublish(chat)).await;
    }
    *shown = owners;
}

/// Three times, unless it makes no sense.
async fn retry_until_published<F>(scope: MenuScope, call: impl Fn() -> F)
where
    F: Future<Output = Result<(), TelegramError>>,
{
    for attempt in 1..=3 {
        match call().await {
            Ok(()) => return,
            Err(e) if e.retry_policy() == RetryPolicy::Never || attempt == 3 => {
                tracing::warn!(?scope, error = %e, "cannot publish the command menu: {e}");
                return;
            }
            Err(_) => {
                let pause = backoff(attempt, limits::SEND_BACKOFF, limits::SEND_BACKOFF_MAX);
                tokio::time::sleep(pause).await;
            }
        }
    }
}
