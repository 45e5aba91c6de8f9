//! What to do first about each finding, in one line; the runbook has the rest.

use crate::observe::finding::Kind;

/// The first thing to do about a finding of this name.
pub(super) fn first_step(name: &str) -> Option<&'static str> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).map(of)
}

fn of(kind: Kind) -> &'static str {
    match kind {
        Kind::StageStalled => "wait a minute: the watchdog restarts it; then keep the log",
        Kind::CrashLoop => "see why it exits: `journalctl -u katana-bot -p err -n 50`",
        Kind::UncleanStart => "see why the last process ended: `journalctl -u katana-bot -p err`",
        Kind::TokenRefused => "get a new token from @BotFather, store it, restart the bot",
        Kind::Conflict => "stop the other bot that uses this token, or delete the webhook",
        Kind::PollStalled => "try `curl -sS https://api.telegram.org` on this machine",
        Kind::UpdatesStuck => "`systemctl restart katana-bot`; then `katana-bot doctor`",
        Kind::PollFailing => "check network, DNS and proxy; see the class of the error",
        Kind::StoreFailing => "check the disk: `df -h`, `dmesg`, and who owns the state directory",
        Kind::StoreCorrupt => "check the disk, then restore a backup",
        Kind::DiskFull => "free some space on the disk of the state directory",
        Kind::BacklogFull => "find out what is slow: provider, Telegram's limits, disk",
        Kind::InboxOld => "look for other findings, then for one very slow question",
        Kind::OutboxOld => "look for 429 and network errors in the log",
        Kind::ProviderFailing => "see the error class; check key, credit and model of the provider",
        Kind::ProviderSlow => "see the provider's status page, or choose a faster model",
        Kind::DeliveryRefused => "see the log line with the reason",
        Kind::PossibleDuplicate => "nothing, unless it happens often",
        Kind::UpdateGivenUp => "keep the log and report it",
        Kind::ErrorRatio => "see what fails: `journalctl -u katana-bot -p warning`",
        Kind::ResponseSlow => "see disk and processors: `iostat`, `top`",
        Kind::StoreSlow => "see what else uses the disk: `iostat -x 5`",
        Kind::MemoryHigh => "see what uses the memory: `top -o %MEM`",
        Kind::RssHigh => {
            "nothing: above the higher threshold it restarts itself; report it if it recurs"
        }
        Kind::CpuHigh => "see what uses the processors: `top`",
        Kind::ClockJumped => "check time synchronisation: `timedatectl`",
        Kind::ConfigRejected => "run `katana-bot check-config`, fix what it names, reload again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_advice() {
        assert!(first_step("conflict").is_some_and(|line| line.contains("webhook")));
        assert_eq!(first_step("of_a_newer_version"), None);
    }
}
