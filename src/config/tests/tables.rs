//! Tables that users name, and several files: over a declaration that only these tests have.

use std::collections::BTreeMap;
use std::path::Path;

use super::{only_problem, written};
use crate::config::key::{Key, Part};
use crate::config::resolved::Resolved;
use crate::config::rule::{flag, optional_secret, url, whole};
use crate::config::secret::Secret;
use crate::config::section::{Member, section};
use crate::config::{Problems, Sources};

section! {
    /// A section beside the tables.
    pub struct Bot in "bot" {
        /// Whether it is loud.
        loud: bool = flag(false).live(Part::Log),
    }
}

section! {
    /// A table that users name.
    pub struct Server in "servers.NAME" {
        /// Its address.
        url: String = url("http://127.0.0.1:1").live(Part::Answers),
        /// Its other address, whose name ends like the first one's.
        base_url: String = url("").live(Part::Answers),
        /// How long it may take, in seconds.
        timeout_s: u64 = whole(1..=60, 30).restart("it is a test"),
        /// Its key.
        api_key: Option<Secret> = optional_secret("server-NAME-key").live(Part::Answers),
    }
}

type Servers = BTreeMap<String, Server>;

fn declared() -> Vec<Key> {
    [<Bot as Member>::keys(), <Servers as Member>::keys()].concat()
}

/// What the files and variables give, or all problems.
fn read(files: &[&str], env: &[(&str, &str)]) -> Result<(Servers, Vec<String>), Problems> {
    let dir = tempfile::tempdir().expect("a folder");
    let files = files.iter().enumerate();
    let files = files.map(|(n, text)| written(dir.path(), &format!("{n}.toml"), text)).collect();
    let sources = Sources {
        files,
        credentials_dir: Some(dir.path().to_owned()),
        ..Sources::from_env(env.iter().copied())
    };
    written(dir.path(), "server-gpu2-key", "from-a-credential");
    from(&sources, dir.path())
}

fn from(sources: &Sources, dir: &Path) -> Result<(Servers, Vec<String>), Problems> {
    let declared = declared();
    let resolved = Resolved::gather(&declared, sources);
    let servers = <Servers as Member>::read(&resolved);
    let (rows, _, problems) = resolved.finish();
    if !problems.0.is_empty() {
        return Err(problems);
    }
    let place = format!("{}/", dir.display());
    let origin = |row: &crate::config::resolved::Row| row.origin.to_string().replace(&place, "");
    Ok((servers, rows.iter().map(|row| format!("{} {}", row.key.path(), origin(row))).collect()))
}

fn problem(files: &[&str], env: &[(&str, &str)]) -> String {
    only_problem(&read(files, env).expect_err("a problem"))
}

#[test]
fn tables_are_named_in_files_and_variables_and_show_their_origins() {
    let file = "[servers.gpu2]\ntimeout_s = 5\n\n[servers.empty]\n";
    let env = [
        ("KATANA_SERVERS_GPU2_URL", "http://gpu2:1/"),
        ("KATANA_SERVERS_MY_OWN_BASE_URL", "http://own:1"),
        ("KATANA_SERVERS_MY_OWN_API_KEY", "from-a-variable"),
    ];
    let (servers, rows) = read(&[file], &env).expect("valid");
    assert_eq!(servers.keys().collect::<Vec<_>>(), ["empty", "gpu2", "my_own"]);
    let key = |name: &str| servers[name].api_key.as_ref().map(Secret::expose);
    assert_eq!((servers["gpu2"].url.as_str(), servers["gpu2"].timeout_s), ("http://gpu2:1", 5));
    assert_eq!(servers["empty"].url, "http://127.0.0.1:1", "defaults hold in each");
    assert_eq!(servers["my_own"].base_url, "http://own:1", "the longest key is meant");
    assert_eq!(key("gpu2"), Some("from-a-credential"));
    assert_eq!(key("my_own"), Some("from-a-variable"));
    for row in [
        "servers.gpu2.timeout_s 0.toml:2",
        "servers.gpu2.url environment KATANA_SERVERS_GPU2_URL",
        "servers.gpu2.api_key credential server-gpu2-key",
        "servers.empty.url default",
    ] {
        assert!(rows.iter().any(|there| there == row), "{row}: {rows:?}");
    }
}

#[test]
fn a_variable_has_one_reading() {
    // `own_base` with the key `url` would have the variable of `own` with the key `base_url`.
    let (servers, _) = read(&[], &[("KATANA_SERVERS_OWN_BASE_URL", "http://x")]).expect("valid");
    assert_eq!(servers.keys().collect::<Vec<_>>(), ["own"]);
    assert!(problem(&["[servers.own_base]\n"], &[]).starts_with("servers: the name of a table"));
    let dir = tempfile::tempdir().expect("a folder");
    let key = written(dir.path(), "key", "from-a-file\n").display().to_string();
    let (servers, _) = read(&[], &[("KATANA_SERVERS_OWN_API_KEY_FILE", &key)]).expect("valid");
    assert_eq!(servers["own"].api_key.as_ref().map(Secret::expose), Some("from-a-file"));
}

#[test]
fn names_are_checked_and_never_repeated() {
    for name in ["Zzz9", "zzz-9", "9zzz", "_zzz9", "zzz9_", "zzz__9", "\"zzz9 \"", &"z".repeat(33)]
    {
        let problem = problem(&[&format!("[servers.{name}]\n")], &[]);
        let start = "servers: the name of a table is not valid (";
        // The path in brackets may have any letters.
        let rest = problem.strip_prefix(start).and_then(|rest| rest.split_once(')'));
        assert!(rest.is_some_and(|(_, rest)| !rest.contains("zz")), "{problem}");
    }
    for name in ["KATANA_SERVERS__URL", "KATANA_SERVERS_URL", "KATANA_SERVERS_zzz_URL"] {
        assert!(problem(&[], &[(name, "http://x")]).contains("no such environment variable"));
    }
}

#[test]
fn slips_are_refused_with_the_nearest() {
    let hint = |files: &[&str], env: &[(&str, &str)]| {
        read(files, env).expect_err("a problem").0.remove(0).hint
    };
    let file = "[servers.gpu]\ntimeot_s = 5\n";
    assert_eq!(hint(&[file], &[]), "did you mean timeout_s in section [servers.gpu]?");
    assert_eq!(
        hint(&[], &[("KATANA_SERVERS_GPU_TIMEOT_S", "5")]),
        "did you mean KATANA_SERVERS_GPU_TIMEOUT_S?"
    );
    assert_eq!(hint(&["[server.gpu]\nurl = \"x\"\n"], &[]), "did you mean [servers.NAME]?");
    assert_eq!(hint(&["[nothing.gpu]\nurl = \"x\"\n"], &[]), "the sections are bot, servers.NAME");
    assert!(problem(&["[servers]\nurl = \"x\"\n"], &[]).starts_with("servers.url: there is no"));
    assert!(problem(&["[servers.gpu]\napi_key = \"zzz9\"\n"], &[]).contains("a secret in the"));
    let value = problem(&["[servers.gpu]\ntimeout_s = 61\n"], &[]);
    assert!(value.starts_with("servers.gpu.timeout_s: the value is too large: 61"), "{value}");
}

#[test]
fn a_later_file_wins_key_by_key_and_each_origin_is_its_own() {
    let first = "[bot]\nloud = false\n[servers.gpu]\ntimeout_s = 5\nurl = \"http://a\"\n";
    let second = "\n[bot]\nloud = true\n[servers.gpu]\ntimeout_s = 6\n[servers.late]\n";
    let (servers, rows) = read(&[first, second], &[]).expect("valid");
    assert_eq!((servers["gpu"].timeout_s, servers["gpu"].url.as_str()), (6, "http://a"));
    assert!(servers.contains_key("late"));
    for row in ["bot.loud 1.toml:3", "servers.gpu.timeout_s 1.toml:5", "servers.gpu.url 0.toml:5"] {
        assert!(rows.iter().any(|there| there == row), "{row}: {rows:?}");
    }
    let problems = read(&["[bot]\nlaud = 1\n", "[bott]\n"], &[]).expect_err("both").0;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].message.contains("0.toml:2") && problems[1].message.contains("1.toml:1"));
}

#[test]
fn a_field_of_a_table_can_be_kept() {
    let at = |url| read(&[], &[("KATANA_SERVERS_GPU_URL", url)]).expect("valid").0;
    let (old, mut new) = (at("http://old"), at("http://new"));
    new.keep("servers.gpu.timeout_s", &old);
    assert_eq!(new["gpu"].url, "http://new");
    new.keep("servers.gpu.url", &old);
    assert_eq!(new["gpu"].url, "http://old");
}
