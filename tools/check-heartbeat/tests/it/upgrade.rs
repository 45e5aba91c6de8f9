//! A state that version 0.2 left behind: nothing that waits in it is lost, and nothing comes twice.
//!
//! `fixtures/incidents-0.2.json` was written by the released program: an incident of `disk` that is
//! over, of which `b` was never sent anything and `c` neither, an incident of `bot` that goes on, of
//! which `a` accepted DOWN, the count of `web` that needs five bad checks, and `c` in backoff.

use crate::place::{self, Place};

const STATE: &str = include_str!("fixtures/incidents-0.2.json");

#[test]
fn a_state_of_0_2_is_continued() {
    let place = Place::new();
    let now = heartbeat::Now::read().time_ms / 1000;
    let watch = |name: &str, seconds: i64| {
        std::fs::write(place.path(name), format!("{seconds}\n")).unwrap();
        let file = place.path(name);
        format!("[[watch]]\nname = \"{name}\"\nfile = \"{}\"\n", file.display())
    };
    // The three programs of the state: bot is still down, disk is well, web is bad for the third time.
    let channels = ["a", "b", "c"].map(|name| place.command_channel(name)).concat();
    let web = format!("{}failures_needed = 5\n", watch("web", 1));
    let config = [watch("bot", 1), watch("disk", now), web, channels].concat();
    std::fs::write(place.path("config.toml"), format!("reminder = 0\n{config}")).unwrap();
    let state = place.path("state");
    std::fs::create_dir(&state).unwrap();
    // Written an hour ago, before the last boot.
    let seconds = format!("\"time_ms\":{}", now - 3600);
    let text = STATE.replace("\"time_ms\":1795874915", &seconds);
    assert_ne!(text, STATE);
    std::fs::write(state.join("incidents.json"), text).unwrap();
    // Its lock had the holder's name in it.
    std::fs::write(state.join("lock"), "{\"pid\":4711,\"since\":{\"time_ms\":1}}").unwrap();

    let ran = place.run(&[]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(!ran.err.contains("cannot read"), "{ran:?}");
    let told = |name: &str| -> Vec<(String, String, u64)> {
        let notices = place.told(name).into_iter();
        let word = |n: &serde_json::Value, key: &str| n[key].as_str().unwrap().to_owned();
        notices
            .map(|n| (word(&n, "kind"), word(&n, "incident"), n["number"].as_u64().unwrap()))
            .collect()
    };
    let (disk, bot) = ("disk-1a2227c83b8-12387-0", "bot-1a2227c8438-12393-7");
    let of = |kind: &str, id: &str, number| (kind.to_owned(), id.to_owned(), number);
    assert!(told("a").is_empty(), "it has accepted the DOWN already: {:?}", told("a"));
    // The attempts that 0.2 made keep their numbers, so that receivers recognise them.
    assert_eq!(told("b"), [of("late", disk, 2), of("down", bot, 1)]);
    // Long after its backoff, c gets all at once.
    assert_eq!(told("c"), [of("late", disk, 2), of("down", bot, 1)]);
    std::fs::write(place.path("bot"), format!("{now}\n")).unwrap();
    for _ in 0..3 {
        place.run(&[]);
    }
    for name in ["a", "b", "c"] {
        let bot: Vec<_> = told(name).into_iter().filter(|(_, id, _)| id == bot).collect();
        assert_eq!(bot.last(), Some(&of("recovered", "bot-1a2227c8438-12393-7", 2)), "{name}");
        let web = place.told(name).iter().filter(|n| n["watch"] == "web").count();
        assert_eq!(web, 1, "five bad checks in all: {name}");
    }
}

/// 0.2 called the watch of an instance by the path of its file.
#[test]
fn an_incident_of_an_instance_that_0_2_began_ends() {
    let place = Place::new();
    let file = place.path("katana-bot@staging/heartbeat");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    let path = file.display().to_string();
    std::fs::write(place.path("config.toml"), place.command_channel("a")).unwrap();
    let state = place.path("state");
    std::fs::create_dir(&state).unwrap();
    let text = STATE.replace("\"watch\":\"bot\"", &format!("\"watch\":\"{path}\""));
    assert_ne!(text, STATE);
    std::fs::write(state.join("incidents.json"), text).unwrap();
    let beat = place::beat(heartbeat::Verdict::Ok, 1, &[]);
    heartbeat::write(&file, &beat).unwrap();
    let ran = place.run(&["--file", &path]);
    assert!(ran.out.starts_with("OK: katana-bot@staging"), "{ran:?}");
    let told = place.told("a");
    let ended =
        |n: &serde_json::Value| n["kind"] == "recovered" && n["watch"] == "katana-bot@staging";
    assert!(told.iter().any(ended), "{told:?}");
}
