//! A feature that is on for a few: chats, status and metrics agree, and a reload opens it.

use serde_json::Value;

use crate::harness::{Stage, eventually_in};
use crate::overlap::free_port;
use crate::process::{Daemon, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_feature_is_opened_step_by_step_and_shown() {
    let mut stage = Stage::new().await;
    let url = format!("http://127.0.0.1:{}", free_port());
    stage.openai().set("KATANA_WEB_LISTEN", url.trim_start_matches("http://"));
    let file = stage.dir.path().join("katana-bot.toml");
    let write = |audience: &str| {
        let text = format!(
            "[answer]\nmodels = [\"big\"]\n[features]\nmodels = \"{audience}\"\ntesters = [7]\n"
        );
        std::fs::write(&file, text).expect("written");
    };
    write("testers");
    stage.set("KATANA_CONFIG", &file.display().to_string());
    let bot = Daemon::start(&stage);
    bot.says("ready: Telegram").await;
    for (user, words) in [(5, "not open to you"), (7, "From now on")] {
        stage.sim.say(user, "/model big");
        let heard = || async {
            let said = stage.sim.bot_messages(user);
            said.last().is_some_and(|message| message.text.contains(words))
        };
        assert!(eventually_in(heard).await, "{user}: {:?}", stage.sim.bot_messages(user));
    }
    let shows = |audience: &'static str| {
        let url = url.clone();
        async move {
            let series = format!("katana_feature{{feature=\"models\",audience=\"{audience}\"}} 1");
            let get = |path: &'static str| {
                let address = format!("{url}{path}");
                async move {
                    reqwest::get(address).await.expect("an answer").text().await.expect("text")
                }
            };
            let status: Value = serde_json::from_str(&get("/bot/status").await).expect("JSON");
            status["features"]["models"] == audience && get("/metrics").await.contains(&series)
        }
    };
    assert!(shows("testers").await);
    let status = run(&stage, &["status"]).await;
    assert!(status.stdout.contains("models: testers"), "{status:?}");
    write("everyone");
    bot.signal("HUP");
    assert!(eventually_in(|| shows("everyone")).await, "{}", bot.log());
    stage.sim.say(6, "/model big");
    let heard = || async {
        stage.sim.bot_messages(6).iter().any(|message| message.text.contains("From now on"))
    };
    assert!(eventually_in(heard).await, "{:?}", stage.sim.bot_messages(6));
}
