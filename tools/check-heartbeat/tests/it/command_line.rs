//! Flags, exit statuses, and mistakes in the configuration.

use crate::world::skipped;
use heartbeat::{Severity, Verdict};
use serde_json::Value;

use crate::place::{Place, ran};

#[test]
fn nagios_gets_its_words_and_statuses() {
    let place = Place::new();
    place.beat(Verdict::Ok, 3, &[]);
    let ran = place.check(&["--nagios"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("HEARTBEAT OK - "), "{ran:?}");
    assert!(ran.out.ends_with(" | age=3s;120;120;0\n"), "{ran:?}");
    place.beat(Verdict::Degraded, 3, &[("cpu", Severity::Degraded, "a|b")]);
    let ran = place.check(&["--nagios"]);
    assert_eq!(ran.status, 1);
    assert_eq!(ran.out.matches('|').count(), 1, "{ran:?}");
    assert!(ran.out.starts_with("HEARTBEAT WARNING - "), "{ran:?}");
    std::fs::remove_file(&place.heartbeat).unwrap();
    let ran = place.check(&["--nagios"]);
    assert_eq!((ran.status, ran.err.as_str()), (2, ""));
    assert!(ran.out.starts_with("HEARTBEAT CRITICAL - "), "{ran:?}");
    assert!(!ran.out.contains('|'), "no age, no data: {ran:?}");
    assert_eq!(place.check(&["--nagios", "--no-such-flag"]).status, 3);
    std::fs::write(place.path("config.toml"), "nonsense = 1\n").unwrap();
    place.good();
    assert_eq!(place.check(&["--nagios"]).status, 3);
}

#[test]
fn a_plugin_that_cannot_work_is_unknown_on_standard_output() {
    let place = Place::new();
    place.good();
    for (config, args, reason) in [
        ("nonsense = 1\n", &[][..], "configuration: nonsense: "),
        ("this is | not toml\n", &[], "config.toml: line 1 is not TOML"),
        ("[[channel]]\ntype = \"telegram\"\nchat_id = 1\n", &[], "channel[1].token: is missing"),
        ("", &["--no-such-flag"], "wrong arguments: unexpected argument"),
        ("", &["--threshold", "hunter2-pass"], "wrong arguments: invalid value for '--threshold"),
        ("", &["hunter2-pass"], "wrong arguments: u"),
        ("", &["--hunter2-pass"], "wrong arguments: unexpected argument"),
        ("", &["--config", "no/such/file"], "cannot read no/such/file"),
    ] {
        std::fs::write(place.path("config.toml"), config).unwrap();
        let ran = place.check(&[&["--nagios"], args].concat());
        assert_eq!((ran.status, ran.err.as_str()), (3, ""), "{config}{args:?}: {ran:?}");
        assert!(ran.out.starts_with("HEARTBEAT UNKNOWN - "), "{ran:?}");
        assert!(ran.out.contains(reason), "{ran:?}");
        assert!(!ran.out.split(' ').any(|word| word == "OK"), "{ran:?}");
        assert!(!ran.out.contains("hunter2"), "{ran:?}");
        assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
    }
    // What is critical is so with a mistake as well.
    place.stale();
    std::fs::write(place.path("config.toml"), "nonsense = 1\n").unwrap();
    let ran = place.check(&["--nagios"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.out.starts_with("HEARTBEAT CRITICAL - ") && ran.out.contains("nonsense"),
        "{ran:?}"
    );
}

#[test]
fn a_test_warns_of_a_secret_that_everyone_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let token = place.path("token");
    std::fs::write(&token, "no-token\n").unwrap();
    let file = token.display();
    let telegram = "[[channel]]\ntype = \"telegram\"\nchat_id = 1\n";
    let smtp = "[[channel]]\ntype = \"smtp\"\nhost = \"mx\"\nfrom = \"a@b.example\"\nto = \"a@b.example\"\nuser = \"a\"\n";
    let webhook = "[[channel]]\ntype = \"webhook\"\nurl = \"https://127.0.0.1:9/{token}\"\n";
    let named = |table: &str, key: &str| format!("{table}{key} = \"{file}\"\n");
    for (config, variable, key) in [
        (named(telegram, "token_file"), "", "channel[1].token_file"),
        (named(smtp, "password_file"), "", "channel[1].password_file"),
        (named(webhook, "token_file"), "", "channel[1].token_file"),
        (
            telegram.to_owned(),
            "TELEGRAM_ALERT_BOT_TOKEN_FILE",
            "channel[1].TELEGRAM_ALERT_BOT_TOKEN_FILE",
        ),
        (smtp.to_owned(), "SMTP_ALERT_PASSWORD_FILE", "channel[1].SMTP_ALERT_PASSWORD_FILE"),
        (webhook.to_owned(), "WEBHOOK_ALERT_TOKEN_FILE", "channel[1].WEBHOOK_ALERT_TOKEN_FILE"),
        (String::new(), "TELEGRAM_ALERT_BOT_TOKEN_FILE", "TELEGRAM_ALERT_BOT_TOKEN_FILE"),
    ] {
        place.configure(&config);
        for (mode, is_open) in [(0o644, true), (0o640, false)] {
            std::fs::set_permissions(&token, std::fs::Permissions::from_mode(mode)).unwrap();
            let mut command = place.command(&["--test-alert"]);
            let ran = command
                .envs(Some(variable).filter(|name| !name.is_empty()).map(|name| (name, &token)));
            let said = String::from_utf8(ran.output().unwrap().stderr).unwrap();
            let words = format!("warning: {key}: everyone on this machine can read the file (");
            assert_eq!(said.contains(&words), is_open, "{said}");
            assert!(!said.contains(&file.to_string()) && !said.contains("no-token"), "{said}");
        }
    }
}

#[test]
fn a_heartbeat_has_a_warning_age_of_its_own() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    place.beat(Verdict::Ok, 70, &[]);
    let ran = place.run(&["--nagios", "-w", "60", "-c", "2m"]);
    assert_eq!((ran.status, ran.err.as_str()), (1, ""));
    assert!(ran.out.starts_with("HEARTBEAT WARNING - bot (testing): heartbeat is 1 min 10 s old"));
    assert!(ran.out.contains("more than 1 min | age=70s;60;120;0"), "{ran:?}");
    assert_eq!(place.run(&["--nagios", "-w", "80", "-c", "2m", "--no-alert"]).status, 0);
    assert_eq!(place.run(&["--nagios", "-w", "30", "-c", "60", "--no-alert"]).status, 2);
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let config = config.replace("[[channel]]", "warning = \"1m\"\n[[channel]]");
    std::fs::write(place.path("config.toml"), config).unwrap();
    let ran = place.run(&[]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.starts_with("WARNING: bot"), "{ran:?}");
    assert!(place.kinds("a").is_empty(), "a warning by age is only shown");
}

#[test]
fn a_file_that_is_only_touched_can_be_watched() {
    let place = Place::new();
    let touch = |ago: u64| {
        let file = std::fs::File::create(&place.heartbeat).unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(ago);
        file.set_modified(time).unwrap();
    };
    touch(50);
    assert_eq!(place.check(&[]).status, 1, "it is empty");
    let ran = place.check(&["--mtime"]);
    assert!(ran.status == 0 && ran.out.contains("last change is 50 s old"), "{ran:?}");
    touch(500);
    let ran = place.check(&["--mtime"]);
    assert!(ran.status == 1 && ran.err.contains("last change is 8 min 20 s old"), "{ran:?}");
    std::fs::remove_file(&place.heartbeat).unwrap();
    assert!(place.check(&["--mtime"]).err.contains("does not exist"));
    touch(5);
    place.configure("");
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    std::fs::write(place.path("config.toml"), format!("{config}mtime = true\n")).unwrap();
    assert_eq!(place.run(&[]).status, 0);
}

#[test]
fn programs_get_json() {
    let place = Place::new();
    place.beat(Verdict::Degraded, 3, &[("cpu", Severity::Degraded, "91 %")]);
    let ran = place.check(&["--json"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&json["state"], &json["exit"]), (&"warning".into(), &0.into()));
    let watch = &json["watches"][0];
    assert_eq!(watch["reason"], "degraded");
    assert_eq!(watch["threshold_s"], 120);
    assert_eq!(watch["heartbeat"]["findings"][0]["name"], "cpu");
    std::fs::remove_file(&place.heartbeat).unwrap();
    let ran = place.check(&["--json"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.status, &json["state"], &json["exit"]), (1, &"critical".into(), &1.into()));
    assert_eq!(json["watches"][0]["reason"], "missing");
    assert!(ran.err.starts_with("CRITICAL: "), "{ran:?}");
}

#[test]
fn quiet_means_silence_unless_critical() {
    let place = Place::new();
    place.good();
    let ran = place.check(&["--quiet"]);
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    place.beat(Verdict::Degraded, 1, &[]);
    let ran = place.check(&["--quiet"]);
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    place.stale();
    let ran = place.check(&["--quiet"]);
    assert_eq!((ran.status, ran.out.as_str()), (1, ""));
    assert!(ran.err.starts_with("CRITICAL: "));
}

#[test]
fn quiet_prints_what_no_channel_has_accepted() {
    let place = Place::new();
    place.configure(&place.command_channel("a"));
    place.stale();
    let down = place.path("a.down");
    std::fs::write(&down, "").unwrap();
    let ran = place.run(&["--quiet"]);
    assert_eq!((ran.status, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("CRITICAL: bot") && ran.err.contains("channel a: "), "{ran:?}");
    // From here on cron has nothing to mail, and the status is still that of the bot.
    std::fs::remove_file(&down).unwrap();
    for _ in 0..2 {
        let ran = place.run(&["--quiet"]);
        assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (1, "", ""));
    }
    assert_eq!(place.kinds("a"), ["down"]);
    let ran = place.run(&["--quiet", "--no-alert"]);
    assert!(ran.err.starts_with("CRITICAL: "), "{ran:?}");
}

#[test]
fn wrong_arguments_are_64() {
    let place = Place::new();
    for args in [
        &["--no-such-flag"][..],
        &["--threshold", "soon"],
        &["--threshold", "-5"],
        &["--threshold"],
        &["surplus"],
        &["--quiet", "--verbose"],
    ] {
        let ran = place.run(args);
        assert_eq!((ran.status, ran.out.as_str()), (64, ""), "{args:?}: {ran:?}");
        assert!(!ran.err.is_empty());
    }
    for args in [&["--help"][..], &["--version"]] {
        let ran = place.run(args);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn several_watches_have_the_worst_status() {
    let place = Place::new();
    let other = place.path("other");
    place.good();
    std::fs::write(&other, "12345\n").unwrap();
    place.configure(&format!("[[watch]]\nname = \"other\"\nfile = \"{}\"\n", other.display()));
    let ran = place.run(&[]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.starts_with("OK: bot (testing): "), "{ran:?}");
    assert!(ran.err.starts_with("CRITICAL: other: "), "{ran:?}");
    let ran = place.run(&["--nagios"]);
    assert_eq!(ran.status, 2);
    assert!(ran.out.contains("'age bot'=1s;120;120;0 'age other'="), "{ran:?}");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("HEARTBEAT CRITICAL - other: ") && lines[0].contains(" | "));
    assert!(lines[1].starts_with("OK: bot (testing): "), "one line for each: {ran:?}");
    assert!(lines[2].starts_with("CRITICAL: other: ") && lines.len() == 3, "{ran:?}");
    // One that is named on the command line is checked alone.
    assert_eq!(place.check(&[]).status, 0);
}

#[test]
fn a_mistake_in_the_configuration_never_stops_the_check() {
    let place = Place::new();
    let file = place.heartbeat.to_str().unwrap();
    for (text, key) in [
        ("this is not toml", "line 1"),
        ("remindr = 1", "remindr"),
        ("reminder = \"often\"", "reminder"),
        ("[[channel]]\ntype = \"pigeon\"", "channel[1]"),
        ("[[channel]]\ntype = \"telegram\"\nchat_id = 1", "channel[1]"),
    ] {
        std::fs::write(place.path("config.toml"), text).unwrap();
        place.good();
        let ran = place.run(&["--file", file]);
        assert_eq!(ran.status, 78, "{text}: {ran:?}");
        assert!(ran.out.starts_with("OK: "), "{ran:?}");
        assert!(ran.err.starts_with("configuration: ") && ran.err.contains(key), "{ran:?}");
        assert!(ran.err.contains(" ("), "each has a hint: {ran:?}");
        place.stale();
        let ran = place.run(&["--file", file]);
        assert_eq!(ran.status, 1, "{text}: {ran:?}");
        assert!(ran.err.contains("CRITICAL: ") && ran.err.contains(key), "{ran:?}");
    }
    let ran = place.run(&["--config", "no/such/file", "--file", file]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("cannot read no/such/file"), "{ran:?}");
}

#[test]
fn the_default_configuration_need_not_exist() {
    let place = Place::new();
    place.good();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_check-heartbeat"));
    command.env_clear().arg("--file").arg(&place.heartbeat).arg("--no-alert");
    if std::path::Path::new(check_heartbeat::config::DEFAULT_CONFIG).exists() {
        skipped("this machine has the default configuration");
        return;
    }
    assert_eq!(ran(command).status, 0);
}

#[test]
fn a_token_in_the_wrong_place_is_not_repeated() {
    const TOKEN: &str = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ";
    let place = Place::new();
    place.good();
    for line in [
        &[TOKEN][..],
        &["--threshold", TOKEN],
        &["--no-such-option", TOKEN],
        &["--json=123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppXYZ"],
        &["--config", TOKEN],
        &["--no-alert", "--file", TOKEN],
        &["--no-alert", "--nagios", "--file", TOKEN],
        &["--no-alert", "--json", "--file", TOKEN],
    ] {
        let ran = place.run(line);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(
            ran.status != 0 && !said.is_empty() && !said.contains(&TOKEN[10..]),
            "{line:?}: {said}"
        );
    }
}

#[test]
fn what_a_heartbeat_says_plays_no_tricks_on_a_terminal() {
    let place = Place::new();
    place.beat(Verdict::Failing, 3, &[]);
    let text = std::fs::read_to_string(&place.heartbeat).unwrap();
    let odd = "disk\u{202e}\x1b[2J\u{9b}1m\u{e0041}\u{200b}";
    let finding = format!("finding: disk_full failing {odd} 96 %\n");
    let environment = format!("environment: {odd}\n");
    std::fs::write(&place.heartbeat, text + &finding + &environment).unwrap();
    for line in [&[][..], &["--nagios"], &["--json"], &["--verbose"]] {
        let ran = place.check(&[&["--no-alert"], line].concat());
        let said = ran.out + &ran.err;
        let tricks = |c: char| c.is_control() && c != '\n' || hygiene::line::is_invisible(c);
        assert!(said.contains("disk") && !said.contains(tricks), "{line:?}: {said:?}");
    }
}
