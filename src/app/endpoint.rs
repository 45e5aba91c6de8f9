//! The endpoint's part in the composition: what it shows, and what of it follows a reload.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use arc_swap::ArcSwap;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::answer::Answerer;
use crate::commands;
use crate::config::{Config, Loaded, Origin};
use crate::lifecycle::Tasks;
use crate::observe::vitals::Vitals;
use crate::store::Store;
use crate::supervise::{self, ReportHub};
use crate::systemd;
use crate::web::{About, Parts, Web, WebError};

/// The endpoint, bound and not yet answering, and who it says it is.
pub(super) struct Endpoint {
    web: Option<Web>,
    connections_per_client: usize,
    info: EndpointInfo,
}

/// What may change while it answers. Cheap to clone.
#[derive(Clone)]
pub(super) struct EndpointInfo {
    about: Arc<ArcSwap<About>>,
    admin_token: Arc<ArcSwap<Option<SecretString>>>,
    answerer: Arc<Answerer>,
}

impl Endpoint {
    /// Listens where the configuration says, if anywhere. A socket that systemd passes comes first:
    /// it is the same across restarts, so that no client is refused in the meantime. Nothing is
    /// answered yet. The usual port may belong to something else on a machine where no one asked
    /// for this endpoint: then the bot goes on without it.
    /// `held` is a listener that this process has already.
    pub(super) fn bind(
        loaded: &Loaded,
        answerer: &Arc<Answerer>,
        held: Option<TcpListener>,
    ) -> Result<Self, WebError> {
        let config = &loaded.config;
        let asked_for = loaded.origins.get("web.listen") != Some(&Origin::Default);
        let passed = match held {
            Some(listener) => Some(listener),
            None => systemd::passed_listener().map_err(WebError::Other)?,
        };
        let bound = match passed {
            Some(listener) => Web::passed(listener).map(Some),
            None => config.web.listen.map(Web::bind).transpose(),
        };
        let web = match bound {
            Err(e @ WebError::InUse { .. }) if !asked_for => {
                tracing::warn!(error = %e, "running without the HTTP endpoint: {e}; {}", e.hint());
                None
            }
            bound => bound?,
        };
        let info = EndpointInfo {
            about: Arc::default(),
            admin_token: Arc::default(),
            answerer: Arc::clone(answerer),
        };
        info.follow(config);
        let connections_per_client = config.web.connections_per_client as usize;
        Ok(Self { web, connections_per_client, info })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.web.as_ref().map(Web::address)
    }

    pub(super) fn info(&self) -> EndpointInfo {
        self.info.clone()
    }

    /// Answers until `end`.
    pub(super) fn start(
        self,
        vitals: &Arc<Vitals>,
        store: &Store,
        report_hub: &ReportHub,
        settings: &supervise::Settings,
        tasks: &Tasks,
        end: CancellationToken,
    ) {
        let Some(web) = self.web else { return };
        let store = store.clone();
        let parts = Parts {
            report_hub: report_hub.clone(),
            vitals: Arc::clone(vitals),
            about: self.info.about,
            admin_token: self.info.admin_token,
            report_every: settings.every,
            connections_per_client: self.connections_per_client,
            commands: commands::table().iter().map(|command| command.name).collect(),
            redactor: settings.redactor.clone(),
            store_timings: Some(Box::new(move || store.timings())),
        };
        tasks.spawn("web", web.run(parts, end));
    }
}

impl EndpointInfo {
    /// Telegram told the bot's name.
    pub(super) fn name(&self, username: &str) {
        let about = self.about.load().as_ref().clone();
        self.about.store(Arc::new(About { username: username.to_owned(), ..about }));
    }

    /// Another configuration is in effect.
    pub(super) fn follow(&self, config: &Config) {
        let username = self.about.load().username.clone();
        let (provider, model) = self.answerer.provider();
        self.about.store(Arc::new(About {
            version: env!("CARGO_PKG_VERSION"),
            environment: config.bot.environment.clone(),
            username,
            provider,
            model,
            features: config.features.of_model().names(),
        }));
        self.admin_token.store(Arc::new(admin_token(config)));
    }
}

pub(super) fn admin_token(config: &Config) -> Option<SecretString> {
    config.web.admin_token.as_ref().map(|token| SecretString::from(token.expose()))
}
