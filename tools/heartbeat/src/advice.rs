//! Advice that says what to do, for one of several bots.

/// What follows the name of a bot's unit in those of its other units.
const UNITS: [&str; 3] = ["-backup", "-backup.timer", "-check.timer"];

/// Advice for the first bot, written for the bot of this unit (`katana-bot@NAME`): commands between
/// backticks name the unit, or have its name as a flag.
pub fn advice_for(unit: &str, advice: &str) -> String {
    let Some((kind, name)) = unit.split_once('@') else { return advice.to_owned() };
    let own = |command: &str| {
        let of = |word: &str| match word.strip_prefix(kind) {
            Some("") => unit.to_owned(),
            Some(rest) if UNITS.contains(&rest) => {
                let (part, ending) = rest.split_once('.').unwrap_or((rest, ""));
                let dot = if ending.is_empty() { "" } else { "." };
                format!("{kind}{part}@{name}{dot}{ending}")
            }
            _ => word.to_owned(),
        };
        let words: Vec<String> = command.split(' ').map(of).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.iter().position(|word| *word == unit) {
            // As a command of its own, not as the name of a unit.
            Some(at) if words[..at].iter().all(|word| *word == "sudo") => {
                let named = format!("{kind} --instance {name}");
                [&words[..at], &[named.as_str()], &words[at + 1..]].concat().join(" ")
            }
            _ => words.join(" "),
        }
    };
    let parts = advice.split('`').enumerate();
    let parts = parts.map(|(n, part)| if n % 2 == 1 { own(part) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_unit_and_the_instance() {
        let advice = "run `sudo katana-bot doctor`, then `systemctl restart katana-bot` or \
                      `journalctl -u katana-bot -n 9`: katana-bot waits; \
                      `systemctl enable --now katana-bot-backup.timer`";
        assert_eq!(advice_for("katana-bot", advice), advice);
        assert_eq!(
            advice_for("katana-bot@staging", advice),
            "run `sudo katana-bot --instance staging doctor`, then `systemctl restart katana-bot@staging` \
             or `journalctl -u katana-bot@staging -n 9`: katana-bot waits; \
             `systemctl enable --now katana-bot-backup@staging.timer`"
        );
    }
}
