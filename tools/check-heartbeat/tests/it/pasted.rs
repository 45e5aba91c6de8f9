//! Lines that pages and messages show for a configuration: pasted into one, they do what they should.

use std::path::Path;

use crate::place::{Place, Ran, ran};

const PAGES: [&str; 2] = [
    include_str!("../../../../docs/alert-channels.md"),
    include_str!("../../../../docs/check-heartbeat.md"),
];
const PACKAGED: &str = include_str!("../../../../packaging/check-heartbeat.toml");
/// What setup writes, which is there already when people add a second channel.
const SETUP: &str = "[[channel]]\ntype = \"telegram\"\nchat_id = 5\n";
const TOKEN: &str = "1234567890:AAExampleExampleExampleExampleExampl";

/// The snippets of both pages, with files that are there.
fn snippets(folder: &Path) -> Vec<String> {
    let authority = rcgen::generate_simple_self_signed(["mail.example.org".to_owned()]).unwrap();
    std::fs::write(folder.join("example-ca.pem"), authority.cert.pem()).unwrap();
    let folder = folder.display().to_string();
    let blocks = PAGES.iter().flat_map(|page| page.split("\n```").skip(1).step_by(2));
    let blocks = blocks.filter_map(|block| block.strip_prefix("toml\n"));
    let local = |text: &str| {
        let text = text.replace("/etc/ssl/certs", &folder).replace("/etc/katana-bot", &folder);
        let files =
            text.lines().filter_map(|line| line.split_once("_file = ")?.1.split('"').nth(1));
        for file in files.filter(|file| !file.ends_with(".pem")) {
            std::fs::write(file, TOKEN).unwrap();
        }
        text + "\n"
    };
    blocks.map(local).collect()
}

/// The real checker reads this configuration, with a heartbeat that is good.
fn read(place: &Place, config: &str) -> Ran {
    std::fs::write(place.path("config.toml"), config).unwrap();
    std::fs::write(place.path("smtp-alert-password"), "hunter2").unwrap();
    let mut command = place.command(&["--file", place.heartbeat.to_str().unwrap()]);
    command.env("CREDENTIALS_DIRECTORY", place.folder.path());
    ran({
        command.env("TELEGRAM_ALERT_BOT_TOKEN", TOKEN);
        command
    })
}

/// A table belongs to the end of a file, and a key to its top.
fn paste(into: &str, snippet: &str) -> String {
    let parts = if snippet.starts_with("[[") { [into, snippet] } else { [snippet, into] };
    parts.join("\n")
}

#[test]
fn what_the_pages_show_can_be_pasted() {
    let place = Place::new();
    place.good();
    let snippets = snippets(place.folder.path());
    // The ping would be fetched.
    let ping = |text: &&String| text.starts_with("ping_url");
    let (pings, channels): (Vec<_>, Vec<_>) = snippets.iter().partition(ping);
    assert!(pings.len() == 1 && channels.len() >= 8, "{snippets:?}");
    let watch = "[[watch]]\nname = \"another\"\nfile = \"/run/another\"";
    for before in ["", PACKAGED, SETUP, watch, &format!("{PACKAGED}\n{SETUP}{watch}\n")] {
        let mut all = before.to_owned();
        for snippet in &channels {
            all = paste(&all, snippet);
            for config in [paste(before, snippet), all.clone()] {
                let ran = read(&place, &config);
                assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{config}");
            }
        }
        // In a file beside it, they come to what is there, and replace nothing.
        std::fs::create_dir_all(place.path("config.d")).unwrap();
        let beside = place.path("config.d/60-mine.toml");
        std::fs::write(&beside, channels.iter().map(|text| text.as_str()).collect::<String>())
            .unwrap();
        assert_eq!(read(&place, before).err, "", "{before}");
        let config = check_heartbeat::config::Config::load(Some(&place.path("config.toml")));
        let there = before.matches("\n[[channel]]").count() + usize::from(before == SETUP);
        assert_eq!(config.channels.len(), channels.len() + there, "{before}");
        std::fs::remove_file(beside).unwrap();
        let config = check_heartbeat::config::Config::parse(&paste(before, pings[0]));
        assert_eq!(config.problems, []);
    }
}

#[test]
fn a_key_below_a_table_is_sent_above_it() {
    let place = Place::new();
    place.good();
    for (key, table) in [("ping_url = \"x\"", SETUP), ("mode = \"all\"", "[[watch]]\n")] {
        let ran = read(&place, &format!("{table}{key}\n"));
        assert_eq!(ran.status, 78);
        let hint = "write it above the first [[watch]] and [[channel]]";
        assert!(ran.err.contains(hint) && !ran.err.contains("expected"), "{ran:?}");
    }
}

#[test]
fn the_name_of_a_second_channel_can_be_pasted() {
    let place = Place::new();
    place.good();
    for second in [SETUP.to_owned(), SETUP.replace("chat_id", "name = \"telegram\"\nchat_id")] {
        let mut config = format!("{SETUP}{second}");
        for _ in 0..2 {
            let ran = read(&place, &config);
            assert_eq!(ran.status, 78, "{config}");
            let line = ran.err.split("write ").nth(1).unwrap();
            let (line, place_of_it) = line.split_once("\" ").unwrap();
            assert!(
                place_of_it.starts_with("below its type") || second.contains("name"),
                "{ran:?}"
            );
            let fixed = format!("type = \"telegram\"\n{line}\"\n");
            let at = config.rfind("type").unwrap();
            config.truncate(at);
            config.push_str(&fixed);
            config.push_str("chat_id = 6\n");
            assert_eq!(read(&place, &config).err, "", "{config}");
            config.push_str(&second);
        }
    }
}
