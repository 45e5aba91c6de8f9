//! What the bot knows about itself: the pages of `examples/knowledge`, built into the program.
//!
//! The provider `offline` quotes them when no folder is configured, so that a bot with nothing but
//! a token can already explain how to go on.

/// Names and texts.
pub const PAGES: &[(&str, &str)] = &[
    ("access.md", include_str!("../../examples/knowledge/access.md")),
    ("backup-update.md", include_str!("../../examples/knowledge/backup-update.md")),
    ("commands.md", include_str!("../../examples/knowledge/commands.md")),
    ("configuration.md", include_str!("../../examples/knowledge/configuration.md")),
    ("first-bot.md", include_str!("../../examples/knowledge/first-bot.md")),
    ("heartbeat.md", include_str!("../../examples/knowledge/heartbeat.md")),
    ("install.md", include_str!("../../examples/knowledge/install.md")),
    ("katana.md", include_str!("../../examples/knowledge/katana.md")),
    ("knowledge.md", include_str!("../../examples/knowledge/knowledge.md")),
    ("nothing-lost.md", include_str!("../../examples/knowledge/nothing-lost.md")),
    ("operating.md", include_str!("../../examples/knowledge/operating.md")),
    ("privacy.md", include_str!("../../examples/knowledge/privacy.md")),
    ("providers.md", include_str!("../../examples/knowledge/providers.md")),
    ("troubleshooting.md", include_str!("../../examples/knowledge/troubleshooting.md")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/knowledge");
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, PAGES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
