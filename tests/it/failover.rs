//! Several providers answer: real HTTP servers that fail in every way, and what people get meanwhile.

use std::time::{Duration, Instant};

use katana::answer::{Answered, EndpointLimits};
use katana::observe::clock::Clock;
use serde_json::json;

use crate::harness::{MODEL_KEY, Stage, eventually};
use crate::parrot::Said;
use crate::process::Daemon;
use crate::vendor::{Bench, Vendor, answers, nothing, refuses, settings, stream, whole};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_primary_costs_at_most_one_attempt_a_cooldown() {
    let primary = Vendor::new(|_| refuses(500, "boom")).await;
    let backup = Vendor::new(|_| answers("from the backup")).await;
    let bench = Bench::new(vec![
        primary.endpoint("openai", nothing()),
        backup.endpoint("backup", nothing()),
    ]);
    for update in 1..=60 {
        let answered = bench.ask(update).await;
        assert_eq!(whole(&answered), Some("from the backup"), "{update}: {answered:?}");
        let Answered::Answer { turn: Some(turn), .. } = answered else { panic!("a turn") };
        assert_eq!(turn.answer.provider, "backup");
    }
    assert_eq!((primary.asked(), backup.asked()), (5, 60));
    assert_eq!((bench.breaker(0), bench.breaker(1)), ("open", "closed"));
    let failed_over: u64 = bench.vitals.failovers().iter().map(|(_, n)| n).sum();
    assert_eq!(failed_over, 5);
    assert_eq!(bench.vitals.provider.read().failures, 0, "people had their answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_one_question_finds_out_and_the_others_go_on() {
    let primary = Vendor::new(|_| {
        let body = json!({"error": {"message": "boom"}}).to_string();
        Said::Headed(500, "retry-after: 1", body)
    })
    .await;
    let backup = Vendor::new(|_| answers("from the backup")).await;
    let endpoints =
        vec![primary.endpoint("openai", nothing()), backup.endpoint("backup", nothing())];
    let bench = Bench::within(endpoints, Duration::from_secs(20), Duration::from_secs(1));
    for update in 1.. {
        bench.ask(update).await;
        if bench.breaker(0) == "open" {
            break;
        }
        // The server asks for a second each time.
        tokio::time::sleep(Duration::from_millis(1010)).await;
    }
    let before = primary.asked();
    primary.says(|_| Said::Silence);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    let answered = futures_util::future::join_all((100..120).map(|update| bench.ask(update))).await;
    assert!(answered.iter().all(|one| whole(one) == Some("from the backup")), "{answered:?}");
    assert_eq!(primary.asked() - before, 1, "one probe at a time");
    // The probe failed, so the next one is a minute away; a person who reloads need not wait.
    assert_eq!(bench.breaker(0), "open");
    primary.says(|_| answers("from the primary"));
    let endpoints =
        vec![primary.endpoint("openai", nothing()), backup.endpoint("backup", nothing())];
    bench.answerer.renew(endpoints, None, settings(bench.timeout, bench.first_word));
    bench.answerer.pool().probe_soon();
    assert_eq!(whole(&bench.ask(200).await), Some("from the primary"));
    assert_eq!(bench.breaker(0), "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_are_out_the_one_due_first_is_tried_once() {
    let primary = Vendor::new(|_| refuses(500, "boom")).await;
    let backup = Vendor::new(|_| refuses(500, "boom")).await;
    let bench = Bench::new(vec![
        primary.endpoint("openai", nothing()),
        backup.endpoint("backup", nothing()),
    ]);
    for update in 1..=5 {
        assert!(matches!(bench.ask(update).await, Answered::Failed { .. }));
    }
    assert_eq!((primary.asked(), backup.asked()), (5, 5));
    let kept = bench.answerer.pool().kept();
    let first = kept.iter().min_by_key(|kept| kept.until_ms).expect("both are out");
    for update in 6..=15 {
        assert!(matches!(bench.ask(update).await, Answered::Failed { .. }));
    }
    let expected = if first.provider == "openai" { (15, 5) } else { (5, 15) };
    assert_eq!((primary.asked(), backup.asked()), expected, "{kept:?}");
    // They are back, and no one waits for a probe.
    primary.says(|_| answers("hello"));
    backup.says(|_| answers("hello"));
    assert_eq!(whole(&bench.ask(16).await), Some("hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_provider_is_not_asked_three_times_for_each_question() {
    let only = Vendor::new(|_| Said::Cut(200, "text/event-stream", String::new())).await;
    let bench = Bench::new(vec![only.endpoint("openai", nothing())]);
    for update in 1..=11 {
        assert!(matches!(bench.ask(update).await, Answered::Failed { .. }));
    }
    assert!(only.asked() <= 11 + 4, "LiteLLM made 33 of 11: {}", only.asked());
    only.says(|_| answers("hello"));
    assert_eq!(whole(&bench.ask(12).await), Some("hello"), "and is asked all the same");
    assert_eq!(bench.breaker(0), "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_broke_off_stays_and_another_try_is_the_next_ones() {
    let primary = Vendor::new(|_| {
        Said::Cut(200, "text/event-stream", stream(&"half of the truth ".repeat(20), true))
    })
    .await;
    let backup = Vendor::new(|_| answers("all of it")).await;
    let bench = Bench::new(vec![
        primary.endpoint("openai", nothing()),
        backup.endpoint("backup", nothing()),
    ]);
    let Answered::Failed { reply, .. } = bench.ask(1).await else { panic!("it broke off") };
    assert!(reply.text().starts_with("half of the truth"), "{reply:?}");
    let footer = reply.footer.clone().unwrap_or_default();
    assert!(footer.contains("broke off"), "{footer}");
    assert_eq!(backup.asked(), 0, "never two models' texts");
    assert_eq!(whole(&bench.ask(1).await), Some("all of it"));
    assert_eq!((primary.asked(), backup.asked()), (1, 1));
    assert!(matches!(bench.ask(2).await, Answered::Failed { .. }), "another question");
}

#[tokio::test(flavor = "multi_thread")]
async fn none_of_a_thousand_cut_streams_is_passed_off_as_complete() {
    const WORDS: &str = "one two three four five six seven eight nine ten";
    let primary = Vendor::new(|n| {
        let complete = stream(WORDS, true);
        // Everywhere in the answer, but before its end was said.
        let end = stream(WORDS, false).len();
        let at = (n * 37) % end;
        Said::Cut(200, "text/event-stream", format!("{}{}", &complete[..at], " ".repeat(at)))
    })
    .await;
    let backup = Vendor::new(|_| answers("from the backup")).await;
    let bench = Bench::new(vec![primary.endpoint("openai", nothing())]);
    let endpoints =
        vec![primary.endpoint("openai", nothing()), backup.endpoint("backup", nothing())];
    let (mut broken, mut passed) = (0, 0);
    for update in 1..=1000 {
        // A reload: the primary is asked each time, though its breaker opens.
        let settings = settings(bench.timeout, bench.first_word);
        bench.answerer.renew(endpoints.clone(), None, settings);
        bench.answerer.pool().probe_soon();
        match bench.ask(update).await {
            Answered::Answer { reply, turn } => {
                assert_eq!(reply.text(), "from the backup");
                let provider = turn.map(|turn| turn.answer.provider);
                assert_eq!(provider.as_deref(), Some("backup"));
                passed += 1;
            }
            Answered::Failed { reply, .. } => {
                assert!(WORDS.starts_with(reply.text().trim_end()), "{reply:?}");
                let footer = reply.footer.unwrap_or_default();
                assert!(footer.contains("broke off"), "{footer}");
                broken += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(primary.asked(), 1000);
    assert!(broken > 500 && passed > 50, "{broken} {passed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_missing_model_are_asked_once() {
    for (status, message, class) in [
        (401, "Incorrect API key provided", "auth"),
        (403, "permission denied", "auth"),
        (404, "The model `m` does not exist", "not_found"),
        (402, "insufficient credits", "quota"),
    ] {
        let primary = Vendor::new(move |_| refuses(status, message)).await;
        let backup = Vendor::new(|_| answers("from the backup")).await;
        let endpoints =
            || vec![primary.endpoint("openai", nothing()), backup.endpoint("backup", nothing())];
        let bench = Bench::new(endpoints());
        for update in 1..=20 {
            assert_eq!(whole(&bench.ask(update).await), Some("from the backup"));
        }
        assert_eq!(primary.asked(), 1, "{status}");
        let kept = bench.answerer.pool().kept();
        assert_eq!((kept[0].class.as_str(), kept[0].is_unusable), (class, true));
        assert!(kept[0].until_ms - Clock::system().now_ms() > 250_000, "{kept:?}");
        primary.says(|_| answers("from the primary"));
        bench.answerer.renew(endpoints(), None, settings(bench.timeout, bench.first_word));
        bench.answerer.pool().probe_soon();
        assert_eq!(whole(&bench.ask(21).await), Some("from the primary"), "{status}");
        assert!(bench.answerer.pool().kept().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_asker_caused_opens_no_breaker_and_is_not_taken_elsewhere() {
    let primary = Vendor::new(|_| refuses(400, "flagged by our content_filter")).await;
    let backup = Vendor::new(|_| answers("from the backup")).await;
    let bench = Bench::new(vec![
        primary.endpoint("openai", nothing()),
        backup.endpoint("backup", nothing()),
    ]);
    for update in 1..=12 {
        assert!(matches!(bench.ask(update).await, Answered::Failed { .. }));
    }
    assert_eq!((bench.breaker(0), backup.asked()), ("closed", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_limits_are_obeyed_while_another_answers() {
    let primary = Vendor::new(|n| match n {
        0 => {
            let headers = "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 1m0s";
            let message = json!({"role": "assistant", "content": "from the primary"});
            let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
            Said::Headed(200, headers, json!({"model": "m", "choices": [choice]}).to_string())
        }
        _ => refuses(429, "it was asked too early"),
    })
    .await;
    let backup = Vendor::new(|_| answers("from the backup")).await;
    let bench = Bench::new(vec![
        primary.endpoint("openai", nothing()),
        backup.endpoint("backup", nothing()),
    ]);
    assert_eq!(whole(&bench.ask(1).await), Some("from the primary"));
    for update in 2..=10 {
        assert_eq!(whole(&bench.ask(update).await), Some("from the backup"));
    }
    assert_eq!(primary.asked(), 1);
    // A limit does not count as a failure.
    assert_eq!(bench.breaker(0), "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_all_ask_for_a_pause_no_question_is_put_too_early() {
    let limited = |n| match n {
        0 => {
            let body = json!({"error": {"message": "rate limit"}}).to_string();
            Said::Headed(429, "retry-after: 2", body)
        }
        _ => answers("hello"),
    };
    let (primary, backup) = (Vendor::new(limited).await, Vendor::new(limited).await);
    let bench = Bench::new(vec![
        primary.endpoint("openai", nothing()),
        backup.endpoint("backup", nothing()),
    ]);
    let begun = Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((primary.asked(), backup.asked()), (1, 1), "both have refused the first");
        bench.ask(2).await
    };
    let (first, second) = tokio::join!(bench.ask(1), later);
    assert_eq!((whole(&first), whole(&second)), (Some("hello"), Some("hello")));
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
    assert_eq!(primary.asked() + backup.asked(), 4, "none was refused twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_limits_are_kept_and_the_next_provider_answers() {
    let limits = EndpointLimits { requests_per_minute: Some(3), ..EndpointLimits::default() };
    let primary = Vendor::new(|_| answers("from the primary")).await;
    let backup = Vendor::new(|_| answers("from the backup")).await;
    let bench =
        Bench::new(vec![primary.endpoint("openai", limits), backup.endpoint("backup", nothing())]);
    let answered = futures_util::future::join_all((1..=12).map(|update| bench.ask(update))).await;
    assert!(answered.iter().all(|one| whole(one).is_some()), "{answered:?}");
    assert_eq!((primary.asked(), backup.asked()), (3, 9));
    // Alone, what is over the limit waits, or hears at once that it would be too late.
    let bench = Bench::within(
        vec![primary.endpoint("openai", limits)],
        Duration::from_secs(5),
        Duration::from_secs(5),
    );
    let begun = Instant::now();
    let answered = futures_util::future::join_all((1..=5).map(|update| bench.ask(update))).await;
    assert_eq!(answered.iter().filter(|one| whole(one).is_some()).count(), 3);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(primary.asked(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_provider_is_left_for_the_next_and_has_its_time_when_it_is_alone() {
    let limits = EndpointLimits {
        slow_after: Some(Duration::from_millis(300)),
        ..EndpointLimits::default()
    };
    let primary = Vendor::new(|_| Said::Silence).await;
    let backup = Vendor::new(|_| answers("from the backup")).await;
    let bench =
        Bench::new(vec![primary.endpoint("openai", limits), backup.endpoint("backup", nothing())]);
    let begun = Instant::now();
    for update in 1..=8 {
        assert_eq!(whole(&bench.ask(update).await), Some("from the backup"));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((primary.asked(), bench.breaker(0)), (5, "open"));
    let alone = vec![primary.endpoint("openai", limits)];
    let bench = Bench::within(alone, Duration::from_secs(4), Duration::from_secs(2));
    let begun = Instant::now();
    assert!(matches!(bench.ask(1).await, Answered::Failed { .. }));
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_too_long_for_one_may_fit_the_next() {
    let primary =
        Vendor::new(|_| refuses(400, "This model's maximum context length is 300 tokens")).await;
    let backup = Vendor::new(|_| answers("from the backup")).await;
    let bench = Bench::new(vec![
        primary.endpoint("openai", nothing()),
        backup.endpoint("backup", nothing()),
    ]);
    assert_eq!(whole(&bench.ask(1).await), Some("from the backup"));
    assert_eq!(bench.breaker(0), "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_out_adds_no_request_to_an_answer() {
    let primary = Vendor::new(|_| refuses(401, "Incorrect API key provided")).await;
    let backup = Vendor::new(|_| answers("from the backup")).await;
    let both = Bench::new(vec![
        primary.endpoint("openai", nothing()),
        backup.endpoint("backup", nothing()),
    ]);
    for update in 1..=100 {
        assert_eq!(whole(&both.ask(update).await), Some("from the backup"));
    }
    assert_eq!((primary.asked(), backup.asked(), both.breaker(0)), (1, 100, "open"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_does_not_ask_a_dead_provider_again() {
    let primary = Vendor::new(|_| refuses(500, "boom")).await;
    let mut stage = Stage::new().await;
    stage
        .set("KATANA_ANSWER_PROVIDER", "openai,echo")
        .set("KATANA_OPENAI_BASE_URL", &format!("{}/v1", primary.parrot.url()))
        .set("KATANA_OPENAI_API_KEY", MODEL_KEY);
    let daemon = Daemon::start(&stage);
    for n in 1..=6 {
        assert_eq!(stage.ask(5, &format!("{n}")).await, format!("echo: {n}"));
    }
    assert_eq!(primary.asked(), 5);
    let path = stage.dir.path().join("katana.db");
    let kept = || {
        let state = rusqlite::Connection::open(&path).expect("the state");
        let sql = "SELECT count(*) FROM breakers WHERE provider = 'openai' AND class = 'server'";
        state.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    assert!(eventually(|| kept() == 1).await, "it is kept beside the work");
    daemon.signal("KILL");
    drop(daemon);
    let daemon = Daemon::start(&stage);
    for n in 7..=9 {
        assert_eq!(stage.ask(5, &format!("{n}")).await, format!("echo: {n}"));
    }
    assert_eq!(primary.asked(), 5, "{}", daemon.log());
    // The operator repairs it and reloads: the next question tries it.
    primary.says(|_| answers("from the primary"));
    daemon.signal("HUP");
    daemon.says("configuration read again").await;
    assert_eq!(stage.ask(5, "10").await, "from the primary");
    assert!(eventually(|| kept() == 0).await, "it is asked again");
}
