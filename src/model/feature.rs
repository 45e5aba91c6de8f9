//! Features that are on for some people only, so that what is new reaches a few before it reaches all.

use super::access::Role;
use super::ids::UserId;

/// A feature that the configuration can open step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Choosing a model with `/model`.
    Models,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Models];

    /// Its name, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Models => "models",
        }
    }
}

/// Whom a feature is on for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Not on.
    Off,
    /// Owners.
    Owners,
    /// Owners and the listed testers.
    Testers,
    /// Everyone who may chat.
    #[default]
    Everyone,
}

impl Audience {
    /// Its name, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Owners => "owners",
            Self::Testers => "testers",
            Self::Everyone => "everyone",
        }
    }
}

/// Whom each feature is on for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Choosing a model.
    pub models: Audience,
    /// The listed testers.
    pub testers: Vec<UserId>,
}

impl Features {
    /// Whom this feature is on for.
    pub fn audience(&self, feature: Feature) -> Audience {
        match feature {
            Feature::Models => self.models,
        }
    }

    /// Whether it is on for this person.
    pub fn is_on(&self, feature: Feature, user: UserId, role: Role) -> bool {
        match self.audience(feature) {
            Audience::Off => false,
            Audience::Owners => role == Role::Owner,
            Audience::Testers => role == Role::Owner || self.testers.contains(&user),
            Audience::Everyone => true,
        }
    }

    /// The name of each feature with that of its audience.
    pub fn names(&self) -> Vec<(&'static str, &'static str)> {
        Feature::ALL.map(|feature| (feature.name(), self.audience(feature).name())).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_audience_includes_the_one_before() {
        let people =
            [(UserId(1), Role::Owner), (UserId(2), Role::Member), (UserId(3), Role::Member)];
        for (models, on) in [
            (Audience::Off, [false, false, false]),
            (Audience::Owners, [true, false, false]),
            (Audience::Testers, [true, true, false]),
            (Audience::Everyone, [true, true, true]),
        ] {
            let features = Features { models, testers: vec![UserId(2)] };
            let found = people.map(|(user, role)| features.is_on(Feature::Models, user, role));
            assert_eq!(found, on, "{models:?}");
        }
    }
}
