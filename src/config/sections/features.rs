//! `[features]`: what is on for some people only.

use crate::config::key::Part;
use crate::config::rule::{self, ids};
use crate::config::section::section;
use crate::config::value::choice;
use crate::model::feature;

choice! {
    /// Whom a feature is on for.
    pub enum Audience {
        /// Everyone who may chat.
        Everyone = "everyone",
        /// Owners and the listed testers.
        Testers = "testers",
        /// Owners.
        Owners = "owners",
        /// Not on.
        Off = "off",
    }
}

section! {
    /// The section `[features]`: what is on for some people only, so that it can reach all step by step.
    pub struct Features in "features" {
        /// Telegram user ids of people for whom a feature is on that is set to `testers`.
        testers: Vec<i64> = ids(false)
            .when("To try a feature with a few people before it is on for everyone.")
            .live(Part::Access),

        /// Who may choose a model with `/model`: `off` means no one, `owners` the owners, `testers` also
        /// the people in `features.testers`, `everyone` all who may chat. A model that was chosen
        /// before stays.
        models: Audience = rule::choice(Audience::Everyone)
            .when("To offer a costly model to a few people first.").live(Part::Access),
    }
}

impl Features {
    /// As the program uses it.
    pub fn of_model(&self) -> feature::Features {
        feature::Features {
            models: match self.models {
                Audience::Off => feature::Audience::Off,
                Audience::Owners => feature::Audience::Owners,
                Audience::Testers => feature::Audience::Testers,
                Audience::Everyone => feature::Audience::Everyone,
            },
            testers: self.testers.iter().copied().map(crate::model::ids::UserId).collect(),
        }
    }
}
