//! The search as the bot does it, opened beside the bot.

use std::sync::Arc;

use words::Language;

use crate::app;
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::config::Loaded;
use crate::knowledge::{Embedder, Meaning, Meanings, Searcher};
use crate::model::ids::BotId;
use crate::observe::clock::Clock;
use crate::observe::vitals::Vitals;
use crate::store::{GenerationState, Index, Store};

/// What searches, and why it does so by words alone if it does.
pub(super) struct Opened {
    pub(super) searcher: Searcher,
    /// The generation whose vectors are searched.
    pub(super) meaning: Option<Arc<Meaning>>,
    pub(super) words_alone: Option<String>,
    store: Option<Store>,
}

impl Opened {
    /// Waits until what the search cost is written down.
    pub(super) async fn close(self) {
        if let Some(store) = self.store {
            store.close().await;
        }
    }
}

/// Opens the index, and the vectors of a generation: the active one, unless another is named; for these questions.
pub(super) async fn open(
    loaded: &Loaded,
    generation: Option<i64>,
    questions: &[&str],
) -> anyhow::Result<Opened> {
    let config = &loaded.config;
    let path = &config.knowledge.index_path;
    if !path.exists() {
        let hint = "start the bot, or run `katana-bot knowledge sync`";
        return Err(Stop::new(exit::UNAVAILABLE, "there is no index of documents yet", hint).into());
    }
    let index = Index::visit(path)?;
    let vitals: Arc<Vitals> = Arc::default();
    let searcher = Searcher::new(index.clone(), Arc::clone(&vitals));
    let mut opened = Opened { searcher, meaning: None, words_alone: None, store: None };
    let all = index.generations().await?;
    let found = all.iter().find(|one| match generation {
        Some(wanted) => one.id.0 == wanted,
        None => one.state == GenerationState::Active,
    });
    if let (None, Some(wanted)) = (found, generation) {
        let known: Vec<String> = all.iter().map(|one| one.id.0.to_string()).collect();
        let message = format!("there is no generation {wanted}");
        let hint = format!("those that there are: {}", known.join(", "));
        return Err(Stop::new(exit::USAGE, message, hint).into());
    }
    let (Some(found), Some(settings)) = (found, app::embedder(config)) else {
        opened.words_alone = Some(match app::embedder(config) {
            None => "embeddings.base_url is not set".to_owned(),
            Some(_) => "there are no complete vectors yet".to_owned(),
        });
        return Ok(opened);
    };
    // What it costs counts against the budget, also beside the bot.
    let bot = config.telegram.token.bot_id().map(BotId);
    opened.store = bot.and_then(|bot| Store::visit(&config.store.path, bot, Clock::system()).ok());
    let ledger = opened.store.as_ref().map(Store::ledger);
    let embedder = Embedder::new(settings, ledger.clone(), Arc::clone(&vitals))?;
    let copies = app::copies(config)?;
    let meanings =
        Meanings::new(index.clone(), copies, Arc::new(embedder), ledger, Arc::clone(&vitals));
    match meanings.open(found).await {
        Ok(meaning) => {
            // Without it everything counts as found, which a trial may show.
            let languages = questions.iter().filter_map(|question| Language::of(question));
            let languages: Vec<Language> = languages.chain([Language::ENGLISH]).collect();
            let _ = meaning.calibrate(&index, &languages).await;
            opened.searcher.use_meanings(vec![Arc::clone(&meaning)]);
            opened.meaning = Some(meaning);
        }
        Err(e) => opened.words_alone = Some(e.to_string()),
    }
    Ok(opened)
}
