//! Every finding, with all that is fixed about it: one entry, read by the verdict, the journal, the
//! metrics, `status` and the tests.
//!
//! Invariant: names and message ids are public, so they never change and are never used again.

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something works badly; people are served.
    Degraded,
    /// People are not served.
    Failing,
}

/// What is fixed about a finding.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Metric label, heading in the runbook, name of the alert.
    pub name: &'static str,
    /// Message id of the journal entry that reports it (sd-id128(3)).
    pub message_id: &'static str,
    /// Every severity that it may have, the worst first.
    pub severities: &'static [Severity],
    /// Whether a question that is asked now may stay without an answer, however bad it is: what
    /// `/ready` looks at, besides everything that is failing.
    pub blocks_answers: bool,
    /// How long, in seconds, the condition must hold before the finding opens. Zero where one look
    /// is certain: the condition has a duration of its own, or a person must act anyway.
    pub opens_after_s: u64,
    /// How long, in seconds, the condition must be gone before the finding closes.
    pub closes_after_s: u64,
    /// What it means for people, in one line.
    pub impact: &'static str,
    /// What to do first, in one line; the runbook has the rest.
    pub first_step: &'static str,
}

impl Severity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }
}

impl Facts {
    const fn new(
        name: &'static str,
        message_id: &'static str,
        severities: &'static [Severity],
        blocks_answers: bool,
    ) -> Self {
        let (opens_after_s, closes_after_s, impact, first_step) = (0, 0, "", "");
        Self {
            name,
            message_id,
            severities,
            blocks_answers,
            opens_after_s,
            closes_after_s,
            impact,
            first_step,
        }
    }

    const fn debounce(mut self, opens_after_s: u64, closes_after_s: u64) -> Self {
        (self.opens_after_s, self.closes_after_s) = (opens_after_s, closes_after_s);
        self
    }

    const fn blocks_answers(mut self, blocks: bool) -> Self {
        self.blocks_answers = blocks;
        self
    }

    const fn impact(mut self, line: &'static str) -> Self {
        self.impact = line;
        self
    }

    const fn first_step(mut self, line: &'static str) -> Self {
        self.first_step = line;
        self
    }
}

const fn failing(name: &'static str, message_id: &'static str) -> Facts {
    Facts::new(name, message_id, &[Severity::Failing], true)
}

const fn degraded(name: &'static str, message_id: &'static str) -> Facts {
    Facts::new(name, message_id, &[Severity::Degraded], false)
}

const fn failing_or_degraded(name: &'static str, message_id: &'static str) -> Facts {
    Facts::new(name, message_id, &[Severity::Failing, Severity::Degraded], true)
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $facts:expr;)*) => {
        /// What can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind, in the order in which people should read them.
            pub const ALL: [Self; [$(Kind::$kind),*].len()] = [$(Self::$kind),*];

            /// What is fixed about it.
            pub fn facts(self) -> &'static Facts {
                match self {
                    $(Self::$kind => const { &$facts },)*
                }
            }
        }
    };
}

kinds! {
    /// The process ends and is started again and again.
    CrashLoop = failing_or_degraded("crash_loop", "e7f5345930934f78adf3f5a13f0513e0")
        // Who has served for a minute goes on serving, as far as anyone knows.
        .blocks_answers(false)
        .impact("no one gets answers, or only between two ends of the process; messages wait")
        .first_step("see why it ends: `journalctl -u katana-bot -p notice -n 50`");

    /// A loop of the process does not turn.
    StageStalled = failing("stage_stalled", "4ddef5f578e146508ebacf86870da1cc")
        // The tick's own deadline was missed already.
        .debounce(0, 10)
        .impact("some or all messages get no answer; they wait")
        .first_step("wait a minute: the watchdog restarts it; then keep the log");

    /// Telegram does not accept the token.
    TokenRefused = failing("token_refused", "109ded6eaa2c4ee4a0d3328dd57852a9")
        .impact("no one gets answers; messages wait at Telegram for 24 hours")
        .first_step("get a new token from @BotFather, and give it to `sudo katana-bot setup`");

    /// Another program takes this bot's updates.
    Conflict = failing("conflict", "63d6dba41ab546258a5575f0f4312ee1")
        .impact("some or all messages are answered by another program, or not at all")
        .first_step("stop the other bot that uses this token, or delete the webhook");

    /// No poll was completed for too long.
    PollStalled = failing("poll_stalled", "8e7ca1b7e3dc4259b2ca91fff483d486")
        .impact("no one gets answers; messages wait at Telegram for 24 hours")
        .first_step("see which part of the way to Telegram is down: `sudo katana-bot doctor`");

    /// Polls are answered with errors, or not at all.
    PollFailing = failing("poll_failing", "a7947dc76cdd4a74ab19caf227968a80")
        // One poll that works between many that fail is not a recovery.
        .debounce(0, 10)
        .impact("no one gets answers, or late ones; messages wait at Telegram for 24 hours")
        .first_step("check network, DNS and proxy; see the class of the error");

    /// Telegram holds updates that polls do not return.
    UpdatesStuck = failing("updates_stuck", "1457f911c2cf4f11951a91d1128e53d4")
        .impact("no one gets answers; messages wait at Telegram for 24 hours")
        .first_step("`systemctl restart katana-bot`; then `katana-bot doctor`");

    /// Commits fail.
    StoreFailing = failing("store_failing", "df67dfd76c344360b3fa0929b0f06c42")
        .debounce(0, 30)
        .impact("no one gets answers; what cannot be stored waits at Telegram for 24 hours")
        .first_step("check the disk: `df -h`, `dmesg`, and who owns the state directory");

    /// The state file was damaged and set aside.
    StoreCorrupt = degraded("store_corrupt", "3a80395b56a245b3b55c05bb016ba67a")
        .impact("people are served, but have to be approved again; conversations were forgotten")
        .first_step("check the disk, then restore a backup");

    /// The disk of the state directory is nearly full.
    DiskFull = degraded("disk_full", "233b7f61a6fe4c538f32983413ca6adb")
        .debounce(10, 60)
        .impact("none yet; on a full disk no one gets answers")
        .first_step("free some space on the disk of the state directory");

    /// So many updates wait that polling pauses.
    BacklogFull = degraded("backlog_full", "a44c7423d5c14531808815a4ebd4398f")
        .debounce(5, 30)
        .blocks_answers(true)
        .impact("answers come late; new messages wait at Telegram for 24 hours")
        .first_step("find out what is slow: provider, Telegram's limits, disk");

    /// An update waits for too long.
    InboxOld = failing_or_degraded("inbox_old", "5c063331217046819028157c7b300bbe")
        // After a start or a pause old work is there for a moment, and is being done.
        .debounce(15, 15)
        // One chat may wait while the others are served.
        .blocks_answers(false)
        .impact("some messages are answered late")
        .first_step("look for other findings, then for one very slow question");

    /// A reply waits for too long.
    OutboxOld = failing_or_degraded("outbox_old", "dd141d80633e4bfcac80d4c7c57f3af5")
        .debounce(15, 15)
        // One chat may wait while the others are served.
        .blocks_answers(false)
        .impact("some answers are ready, but arrive late")
        .first_step("look for 429 and network errors in the log");

    /// The provider fails.
    ProviderFailing = degraded("provider_failing", "a4c4ef55e3bb4b1ba1935ac0e92c16b6")
        .debounce(0, 15)
        .blocks_answers(true)
        .impact("questions get an apology with a button to try again; commands work")
        .first_step("see the error class; check key, credit and model of the provider");

    /// A provider of the list is not asked.
    ProviderUnusable = degraded("provider_unusable", "6b1f0d9c52e84a7f93d04c8be1a7255d")
        // A breaker that is open is evidence enough; one probe that works ends it.
        .debounce(0, 15)
        .impact("none while another provider answers; else questions get an apology")
        .first_step("see the class: check key, credit, model and address of that provider, then reload");

    /// Questions of several chats fail in the same way, which is not their fault then.
    QuestionsRefused = degraded("questions_refused", "b0c6f5d2a9e84f1d8c37e41a5d926b70")
        .blocks_answers(true)
        .impact("questions of several chats get an apology; commands work")
        .first_step("see `CLASS` in the log; for `too_long` look at knowledge.dir: `katana-bot doctor`");

    /// The bot's own question got no answer, or a wrong one.
    CanaryFailing = degraded("canary_failing", "9c41d7e05f3b4a86b2e8706c1d94a35f")
        // Two questions in a row are evidence enough.
        .impact("people who ask now probably get an apology, or a wrong answer")
        .first_step("ask the bot `canary.question` yourself; see `CLASS` in the log; `katana-bot doctor --ask-provider`");

    /// The provider takes long.
    ProviderSlow = degraded("provider_slow", "a804456995df472a92355213598025fc")
        // Averages of minutes are steady already.
        .debounce(0, 60)
        .impact("answers take a long time; commands work")
        .first_step("see the provider's status page, or choose a faster model");

    /// What all answers together may cost is spent.
    BudgetExhausted = degraded("budget_exhausted", "7f6e2a0b9c3d4e58a1b2c4d6e8f01357")
        .debounce(0, 15)
        .blocks_answers(true)
        .impact("questions are refused until the budget opens again; commands work")
        .first_step("see where the money went: `katana-bot usage`; then raise budget.total_usd_per_day or wait");

    /// A model is asked whose price is not known.
    PriceUnknown = degraded("price_unknown", "3c9d5e7f1a2b4c6d8e0f9a7b5c3d1e2f")
        .impact("none now; its answers count as dear as those of its vendor's dearest model")
        .first_step("see the log for the model; set the prices of its provider in the configuration");

    /// The built-in prices are old.
    PricesOld = degraded("prices_old", "d41c8a6f2e904b7b95c37f1a60d8e2b4")
        .impact("none now; budgets count with prices that may have changed")
        .first_step("install a newer release, or set the prices of your provider in the configuration");

    /// Telegram refused a reply for good.
    DeliveryRefused = degraded("delivery_refused", "966904245bb345ae994899b848916b20")
        .impact("a reply did not arrive; everything else works")
        .first_step("see the log line with the reason");

    /// A reply may have been sent twice.
    PossibleDuplicate = degraded("possible_duplicate", "5cb552696c244cc497c17815d3a22761")
        .impact("someone may see one message twice; everything works")
        .first_step("nothing, unless it happens often");

    /// An update could not be handled and was finished without an answer.
    UpdateGivenUp = degraded("update_given_up", "7f02a3bf137e4d6da12bdd8bc7cd3156")
        .impact("one message got an apology in place of an answer; everything else works")
        .first_step("keep the log and report it");

    /// Too large a share of the work fails.
    ErrorRatio = degraded("error_ratio", "6cd4232d44644dd79cdc83257195d7f3")
        .debounce(0, 60)
        .impact("some messages get an apology, or no answer")
        .first_step("see what fails: `journalctl -u katana-bot -p warning`");

    /// People wait too long for a reply.
    ResponseSlow = degraded("response_slow", "c2ffe5ab6c1046c2b3e9d3b7d52ec788")
        .debounce(0, 60)
        .impact("answers and commands are slow")
        .first_step("see disk and processors: `vmstat 5 3`, `top`");

    /// Commits take long.
    StoreSlow = degraded("store_slow", "0ca68d7f39ce4ba0953648ad7fe14e5b")
        .debounce(0, 60)
        .blocks_answers(true)
        .impact("answers and commands are a little slower")
        .first_step("see how busy the disk is: `vmstat 5 3` (columns b, bi, bo, wa)");

    /// Documents cannot be read.
    DocumentsUnreadable = degraded("documents_unreadable", "3f101f43c182c6bdba8a950206c44912")
        .debounce(15, 15)
        .impact("what is in those documents is not found; everything else works")
        .first_step("see which and why: `sudo katana-bot knowledge status`");

    /// A change of the documents is not searched yet.
    DocumentsStale = degraded("documents_stale", "4cd8d32bd0ee5f1a263c25f888c5f6a9")
        .debounce(0, 15)
        .impact("answers may quote documents as they were")
        .first_step("see what it waits for: `sudo katana-bot knowledge status`");

    /// The embeddings server fails.
    EmbeddingsFailing = degraded("embeddings_failing", "dfe1a586788b8b30280bb50190b6c026")
        .debounce(0, 15)
        .impact("documents are searched by their words alone; new ones wait for their vectors")
        .first_step("test the server: `sudo katana-bot doctor --ask-provider`");

    /// Qdrant fails.
    QdrantFailing = degraded("qdrant_failing", "b397db8fd8e42e3aee55b3751f1dc643")
        .debounce(0, 15)
        .impact("documents are searched by their words alone")
        .first_step("see whether the server runs: `sudo katana-bot doctor`");

    /// Many searches find nothing.
    NoHitHigh = degraded("no_hit_high", "a780b308a2ddf1d529603e007b6b5319")
        .debounce(0, 60)
        .impact("many questions are answered without documents")
        .first_step("search as people do: `sudo katana-bot knowledge search \"...\"`");

    /// Many answers name no source.
    UnsourcedHigh = degraded("unsourced_high", "ccb4577d1920978e996668b66443a240")
        .debounce(0, 60)
        .impact("many answers do not say which document they are from")
        .first_step("ask a question whose answer is in a document, then `/sources`; see the runbook");

    /// The machine's memory is nearly used up.
    MemoryHigh = degraded("memory_high", "404a445e95564f4a87837e4e9864defa")
        // More than one sample a minute.
        .debounce(90, 120)
        .impact("none yet; the kernel may soon end a process")
        .first_step("see what uses the memory: `top -o %MEM`");

    /// The process itself uses more memory than it should.
    RssHigh = degraded("rss_high", "609cbc165b494e57aeb8c93591e13834")
        .debounce(90, 120)
        .impact("none")
        .first_step("nothing: above the higher threshold it restarts itself; report it if it recurs");

    /// The machine's processors are busy.
    CpuHigh = degraded("cpu_high", "7d333df614ee49dd8a8bfa6061fbf004")
        .debounce(150, 120)
        .impact("answers may take longer")
        .first_step("see what uses the processors: `top`");

    /// The time of day jumped.
    ClockJumped = degraded("clock_jumped", "2236af9f3e5546b18b66a1897f8d5791")
        // Seen in one reading only; reported for some minutes.
        .debounce(0, 300)
        .impact("none")
        .first_step("check time synchronisation: `timedatectl`");

    /// The process before this one ended without a clean stop.
    UncleanStart = degraded("unclean_start", "c2c0a0dd517a4e05ac4c8ec2e75524ed")
        .impact("none now; no one was served until the new process had started")
        .first_step("see what went before: `journalctl -u katana-bot -p notice -n 30`");

    /// The nightly backup failed, or there is none that is new enough.
    BackupMissing = degraded("backup_missing", "5d0f3f1a7c5e4b6f9a1d2c84e7b06f39")
        .impact("none now; if the disk is lost, so is everything since the newest backup")
        .first_step("see why: `journalctl -u katana-bot-backup -n 20`; then `systemctl start katana-bot-backup`");

    /// A new configuration was not accepted.
    ConfigRejected = degraded("config_rejected", "721c0983d7d6455183986c107edd626f")
        .impact("none: the configuration of before is in effect")
        .first_step("run `katana-bot check-config`, fix what it names, reload again");
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How bad it is at worst.
    pub fn severity(self) -> Severity {
        self.facts().severities[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_complete_and_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let first_step = kind.facts().first_step;
            assert!(!first_step.is_empty(), "{kind:?}");
            // They are in no package that Debian installs everywhere.
            for program in ["curl", "iostat"] {
                assert!(!first_step.contains(program), "{kind:?}: {first_step}");
            }
            assert!(!kind.facts().impact.is_empty(), "{kind:?}");
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
        assert_eq!(Kind::named("of_a_newer_version"), None);
    }
}
