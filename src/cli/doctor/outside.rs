//! What is outside the machine: Telegram, the provider, the time of day.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heartbeat::advice_for;
use hygiene::url::Origin;
use secrecy::SecretString;

use super::check::Check;
use super::machine;
use crate::app;
use crate::cli::stop::CA_CERTIFICATES;
use crate::cli::try_model::{advice, try_model};
use crate::config::{Chosen, Config, Loaded, Problems};
use crate::model::failure::chain;
use crate::observe::clock::Clock;
use crate::provider::{Kind, ProviderError, is_listed, reach};
use crate::telegram::{Client, Identity, TelegramError, TelegramSettings, Webhook, server_time};

/// Longest time for one call to Telegram.
const CALL: Duration = Duration::from_secs(10);

/// Models of a server that are named when one is missing.
const LISTED: usize = 8;

/// A clock that is further off than this makes ages and certificates wrong, in seconds.
const CLOCK_OFF_S: i64 = 30;

/// More updates than this do not wait at Telegram by accident.
const PENDING_MANY: u64 = 100;

/// Token, webhook, groups.
pub(super) async fn telegram(loaded: &Loaded, problems: &Problems, unit: &str) -> Vec<Check> {
    const NAME: &str = "token";
    let config = &loaded.config;
    if problems.0.iter().any(|p| p.key.starts_with("telegram.")) {
        let advice = "fix the configuration first";
        return vec![Check::note(NAME, "Telegram was not asked", advice)];
    }
    let client = match Client::new(&settings(loaded), Arc::default()) {
        Ok(client) => client,
        Err(e) => return vec![Check::bad(NAME, chain(&e), CA_CERTIFICATES)],
    };
    let identity = match client.identity().await {
        Ok(identity) => identity,
        Err(e) => return vec![refused(NAME, &e, unit)],
    };
    let token = config.telegram.token.masked_token();
    let name = format!("{token} belongs to @{}", identity.username);
    let mut checks = vec![Check::good(NAME, name)];
    match client.webhook().await {
        Ok(webhook) => checks.push(polling(&webhook)),
        Err(e) => checks.push(refused("polling", &e, unit)),
    }
    checks.push(groups(&identity, config));
    checks
}

fn settings(loaded: &Loaded) -> TelegramSettings {
    let config = &loaded.config;
    TelegramSettings {
        api_url: config.telegram.api_url.clone(),
        token: SecretString::from(config.telegram.token.expose()),
        poll_timeout: CALL,
        poll_deadline: CALL,
        send_timeout: CALL,
        redactor: loaded.redactor(),
    }
}

fn refused(name: &'static str, e: &TelegramError, unit: &str) -> Check {
    if e.token_refused() {
        let advice = "get the token from @BotFather (/token), and give it to `sudo katana-bot setup`; or store \
                      it yourself, and restart the bot";
        let advice = advice_for(unit, advice);
        return Check::bad(name, format!("Telegram refuses it: {e}"), advice).config();
    }
    let advice = "see whether this machine knows the address: `getent hosts api.telegram.org`; if it does, it is \
                  the network, a firewall or the proxy";
    Check::bad(name, e.to_string(), advice)
}

fn polling(webhook: &Webhook) -> Check {
    const NAME: &str = "polling";
    let waiting = webhook.pending_update_count;
    if !webhook.url.is_empty() {
        // The rest of the address may hold a secret of the program that set it.
        let host = Origin::of(&webhook.url).map(|o| format!(" ({})", o.host)).unwrap_or_default();
        let text = format!("a webhook is set{host}, so polls are refused; {waiting} updates wait");
        let advice = "stop the program that set it, then call deleteWebhook";
        return Check::bad(NAME, text, advice);
    }
    let text = format!("no webhook is set; {waiting} updates wait at Telegram");
    if waiting >= PENDING_MANY {
        let advice = "start the bot: Telegram discards them after 24 hours";
        return Check::note(NAME, text, advice);
    }
    Check::good(NAME, text)
}

fn groups(identity: &Identity, config: &Config) -> Check {
    const NAME: &str = "groups";
    let wanted = config.bot.allow_chats.iter().any(|id| *id < 0);
    if identity.can_join_groups == Some(false) && wanted {
        let text = "bot.allow_chats names groups, but the bot cannot be added to any";
        return Check::note(NAME, text, "allow it with @BotFather: /setjoingroups");
    }
    let text = match (identity.can_join_groups, identity.can_read_all_group_messages) {
        (Some(false), _) => "it cannot be added to groups",
        (_, Some(true)) => "it sees every message in its groups, and answers those addressed to it",
        _ => "it sees the messages addressed to it (privacy mode), which is all it needs",
    };
    Check::good(NAME, text)
}

/// Whether each provider of the list is reachable, or answers when it may be asked.
pub(super) async fn providers(config: &Config, problems: &Problems, ask: bool) -> Vec<Check> {
    let chosen = config.chosen().into_iter();
    futures_util::future::join_all(chosen.map(|one| provider(config, one, problems, ask))).await
}

/// Whether there is a problem with the settings of this provider.
fn is_wrong(problems: &Problems, chosen: Chosen<'_>) -> bool {
    problems.0.iter().any(|p| p.key.starts_with(&format!("{}.", chosen.place())))
}

async fn provider(config: &Config, chosen: Chosen<'_>, problems: &Problems, ask: bool) -> Check {
    const NAME: &str = "provider";
    let name = chosen.name;
    let (url, model, key) = match (&chosen.kind.kind, chosen.section) {
        (Kind::Service(_), Some(c)) => (&c.base_url, &c.model, c.api_key.is_some()),
        (Kind::Echo, _) => return Check::good(NAME, format!("{name}: it repeats each question")),
        _ => return Check::good(NAME, format!("{name}: it quotes pages, without a model")),
    };
    if is_wrong(problems, chosen) {
        let text = format!("{name}: it was not asked");
        return Check::note(NAME, text, "fix the configuration first");
    }
    let key = if key { "with a key" } else { "without a key" };
    let who = format!("{name}, {model}, {key}");
    if ask {
        return answered(config, chosen, &who).await;
    }
    match reach(url, CALL).await {
        Ok(status) if status >= 500 => {
            let text = format!("{who}: its server answers {status}");
            Check::note(NAME, text, "see the provider's status page, or the proxy on the way")
        }
        Ok(_) => {
            let text = format!("{who}: reachable; no question was asked");
            Check::skipped(NAME, format!("{text} (--ask-provider)"))
        }
        Err(e) => failed(&who, &e),
    }
}

/// Whether each server's own list has the models that are configured and offered.
pub(super) async fn models(config: &Config, problems: &Problems) -> Vec<Check> {
    let several = config.chosen().len() > 1;
    let one = |(n, chosen)| async move {
        // What people choose with /model is asked of the first provider only.
        let offered = if n == 0 { config.answer.models.as_slice() } else { &[] };
        let check = models_of(config, chosen, offered, problems).await?;
        let text = format!("{}: {}", chosen.name, check.text);
        Some(if several { Check { text, ..check } } else { check })
    };
    let all = config.chosen().into_iter().enumerate().map(one);
    futures_util::future::join_all(all).await.into_iter().flatten().collect()
}

async fn models_of(
    config: &Config,
    chosen: Chosen<'_>,
    offered: &[String],
    problems: &Problems,
) -> Option<Check> {
    const NAME: &str = "models";
    let section = chosen.section?;
    if is_wrong(problems, chosen) {
        return None;
    }
    let provider = app::provider(config, chosen, None).ok()?;
    let list = match tokio::time::timeout(CALL, provider.models()).await {
        Ok(Ok(Some(list))) => list,
        Ok(Ok(None)) => return Some(Check::skipped(NAME, "the server has no list of its models")),
        // That it cannot be reached is said already.
        Err(_) | Ok(Err(ProviderError::Unreachable { .. } | ProviderError::Timeout)) => {
            return None;
        }
        Ok(Err(e)) => return Some(Check { name: NAME, ..failed("the list of models", &e) }),
    };
    let wanted = std::iter::once(&section.model).chain(offered);
    let mut wanted: Vec<&str> =
        wanted.map(String::as_str).filter(|model| !model.is_empty()).collect();
    let mut seen = BTreeSet::new();
    wanted.retain(|model| seen.insert(*model));
    let missing: Vec<&str> =
        wanted.iter().copied().filter(|model| !is_listed(&list, model)).collect();
    if missing.is_empty() {
        let text = format!("on the server's list of {}: {}", list.len(), wanted.join(", "));
        return Some(Check::good(NAME, text));
    }
    let mut known: Vec<String> =
        list.iter().take(LISTED).map(|name| hygiene::line::one_line(name, 80)).collect();
    if list.len() > LISTED {
        known.push("…".to_owned());
    }
    let text = format!("not on the server's list: {}", missing.join(", "));
    let offered = if offered.is_empty() { "" } else { " and answer.models" };
    let (place, known) = (chosen.place(), known.join(", "));
    let advice = format!("check {place}.model{offered}; it lists {known}");
    Some(Check::note(NAME, text, advice))
}

/// Asks the model.
async fn answered(config: &Config, chosen: Chosen<'_>, who: &str) -> Check {
    let began = Instant::now();
    match try_model(config, chosen).await {
        Ok(()) => {
            let took = began.elapsed().as_secs_f64();
            Check::good("provider", format!("{who}: answers, after {took:.1} s"))
        }
        Err(e) => match e.downcast_ref::<ProviderError>() {
            Some(e) => failed(who, e),
            None => Check::bad("provider", chain(e.as_ref()), "see the settings above").config(),
        },
    }
}

fn failed(who: &str, e: &ProviderError) -> Check {
    Check::bad("provider", format!("{who}: {}", chain(e)), advice(e))
}

/// The time of day against Telegram's, and whether it is synchronised.
pub(super) async fn clock(api_url: &str) -> Check {
    const NAME: &str = "clock";
    let (server, kept) = tokio::join!(server_time(api_url, CALL), machine::is_time_kept());
    let advice = "synchronise the clock: `timedatectl set-ntp true`";
    let kept = match kept {
        Some(true) => ", synchronised",
        Some(false) => ", not synchronised",
        None => "",
    };
    let Ok(Some(server_s)) = server else {
        let text = format!("cannot be compared with Telegram's{kept}");
        return if kept.contains("not") {
            Check::note(NAME, text, advice)
        } else {
            Check::skipped(NAME, text)
        };
    };
    let off_s: i64 = Clock::system().now_ms() / 1000 - server_s;
    let text = match off_s {
        -2..=2 => format!("agrees with Telegram's{kept}"),
        3.. => format!("{off_s} s ahead of Telegram's{kept}"),
        _ => format!("{} s behind Telegram's{kept}", -off_s),
    };
    match off_s.abs() > CLOCK_OFF_S {
        true => Check::bad(NAME, text, advice),
        false if kept.contains("not") => Check::note(NAME, text, advice),
        false => Check::good(NAME, text),
    }
}
