//! The folder beside a configuration, and mistakes that TOML itself refuses.

use std::path::Path;

use super::{only, only_problem, sources, with_file, written};
use crate::config::{Config, Origin, Sources};

fn beside(dir: &Path, main: Option<&str>) -> Sources {
    let path = dir.join("katana-bot.toml");
    let files = main.map(|text| written(dir, "katana-bot.toml", text)).into_iter().collect();
    std::fs::create_dir_all(path.with_extension("d")).expect("a folder");
    let drop_ins = hygiene::drop_ins::folder(&path);
    Sources { files, drop_ins, ..sources(&[]) }
}

#[test]
fn they_are_read_by_name_after_the_file_and_the_last_wins() {
    let dir = tempfile::tempdir().expect("a folder");
    let main = "[log]\nlevel = \"info\"\n[bot]\nowners = [1, 2]\nenvironment = \"main\"\n";
    let sources = beside(dir.path(), Some(main));
    let folder = dir.path().join("katana-bot.d");
    written(&folder, "60-mine.toml", "\n[log]\nlevel = \"warn\"\n");
    written(&folder, "50-setup.toml", "[log]\nlevel = \"debug\"\n[bot]\nowners = [3]\n");
    written(&folder, "70-not.toml.dpkg-dist", "[broken");
    let loaded = Config::load(&sources).expect("valid");
    assert_eq!(loaded.config.log.level.as_str(), "warn");
    assert_eq!(loaded.config.bot.owners.len(), 1, "a list is replaced as a whole");
    assert_eq!(loaded.config.bot.environment, "main");
    let late = Origin::File { path: folder.join("60-mine.toml"), line: 3 };
    assert_eq!(loaded.origins["log.level"], late);
    assert!(loaded.print(false).contains("katana-bot.d/60-mine.toml:3"), "{}", loaded.print(false));
    // Without the main file, they count all the same.
    let without = Sources { files: Vec::new(), ..sources };
    assert_eq!(Config::load(&without).expect("valid").config.log.level.as_str(), "warn");
    // What is read again is what is there then.
    written(&folder, "90-last.toml", "[log]\nlevel = \"error\"\n");
    assert_eq!(Config::load(&without).expect("valid").config.log.level.as_str(), "error");
}

#[test]
fn what_is_wrong_with_one_names_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let sources = beside(dir.path(), Some(""));
    let folder = dir.path().join("katana-bot.d");
    for (text, words) in [
        ("[log]\nlevel = \"loud\"\n", "log.level: the value is not an allowed value ("),
        ("[log]\nlevle = \"info\"\n", "log.levle: there is no such key ("),
        ("[log\n", "50-a.toml:1:5: cannot read this line as TOML"),
    ] {
        written(&folder, "50-a.toml", text);
        let problem = only(Config::load(&sources));
        assert!(
            problem.contains(words) && problem.contains("katana-bot.d/50-a.toml:"),
            "{problem}"
        );
    }
    std::fs::remove_file(folder.join("50-a.toml")).expect("removed");
    std::os::unix::fs::symlink("nowhere", folder.join("55-b.toml")).expect("a link");
    let problem = only(Config::load(&sources));
    assert!(problem.contains("55-b.toml: the file cannot be read: there is no such"), "{problem}");
    std::fs::remove_file(folder.join("55-b.toml")).expect("removed");
    written(&folder, "60-mine.conf", "");
    let warnings = Config::load(&sources).expect("valid").warnings;
    let [ignored] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(ignored.key.ends_with("60-mine.conf") && ignored.message.contains("ignored"));
    std::fs::remove_dir_all(&folder).expect("removed");
    std::fs::write(&folder, "").expect("written");
    let problem = only(Config::load(&sources));
    assert!(problem.contains("katana-bot.d: the folder cannot be read"), "{problem}");
}

#[test]
fn what_stands_twice_is_named_with_both_lines() {
    for (toml, words, hint) in [
        (
            "[telegram]\npoll_timeout_s = 5\n[bot]\n\n[telegram]\npreviews = false\n",
            ":5:2: [telegram] begins here for the second time; it begins in line 1",
            "move the keys below line 5 to the others below line 1",
        ),
        (
            "[log]\nlevel = \"info\"\n[bot]\naccess = \"open\"\n# …\naccess = \"closed\"\n",
            ":6:1: access is set here for the second time; it is set in line 4",
            "remove line 4 or line 6",
        ),
        (
            "[log]\n\"hunter2 a\" = 1\n\"hunter2 a\" = 2\n",
            ":3:1: what is here is set here for the second time; it is set in line 2",
            "remove line 2 or line 3",
        ),
        (
            "[bot]\naccess = { a = 1, a = 2 }\n",
            ":2:19: a key or a table is here for the second time",
            "remove one",
        ),
        ("bot = 1\n", "bot: this is a section, not a key (", "write [bot] on a line of its own"),
    ] {
        let problems = with_file(toml, &[]).expect_err("a problem");
        let problem = only_problem(&problems);
        assert!(problem.contains(words), "{problem}");
        assert!(problems.0[0].hint.starts_with(hint), "{problems}");
    }
}

#[test]
fn a_file_of_something_else_is_refused_in_a_moment() {
    let keys: String = (0..40_000).map(|n| format!("other_{n} = 1\n")).collect();
    let begun = std::time::Instant::now();
    let problems = with_file(&format!("[bot]\n{keys}"), &[]).expect_err("problems").0;
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(problems.len(), 21);
    let last = problems.iter().find(|p| p.message.contains("39980 more unknown keys"));
    assert!(last.is_some(), "{:?}", problems.last());
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let token = super::TOKEN;
    let named = Sources { files: vec![token.into()], ..sources(&[]) };
    let problem = only(Config::load(&named));
    assert!(problem.starts_with("--config: the configuration file cannot be read"), "{problem}");
    let variable = format!("KATANA_{token}");
    let problem = only(super::with(&[(&variable, "1")]));
    assert!(problem.ends_with("there is no such environment variable"), "{problem}");
    assert!(!problem.contains("AAbbCC"), "{problem}");
}
