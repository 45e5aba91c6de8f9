//! Licences and banned crates by `deny.toml`, checked without cargo-deny and without a network.
//!
//! Coarser than cargo-deny (it believes what each crate says of itself), but it runs wherever the
//! tests run. `.ci/run` uses both.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Name and licence of every package that is built for this machine, for tests included. `cargo
/// tree` follows features exactly; `cargo metadata` also names what optional features would bring.
fn packages() -> BTreeSet<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--prefix=none"])
        .arg("--format={p}|{l}")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {words}");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let packages = lines.lines().filter_map(|line| line.split_once('|'));
    packages
        .filter_map(|(package, licence)| Some((package.split_once(' ')?.0, licence)))
        .map(|(name, licence)| (name.to_owned(), licence.trim_end_matches(" (*)").to_owned()))
        .collect()
}

fn rules() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let text = std::fs::read_to_string(path).expect("deny.toml is there");
    text.parse().expect("deny.toml is TOML")
}

/// Whether an SPDX expression can be met with these licences. `/` is the old way to write `OR`.
fn met(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest, allowed) && rest.is_empty()
}

fn any(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut met = all(rest, allowed);
    while rest.first() == Some(&"OR") {
        *rest = &rest[1..];
        met |= all(rest, allowed);
    }
    met
}

fn all(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut met = one(rest, allowed);
    while rest.first() == Some(&"AND") {
        *rest = &rest[1..];
        met &= one(rest, allowed);
    }
    met
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let Some((word, after)) = rest.split_first() else { return false };
    *rest = after;
    if *word == "(" {
        let met = any(rest, allowed);
        *rest = rest.get(1..).unwrap_or_default();
        return met;
    }
    // An exception gives more rights, but it is a licence of its own to cargo-deny, too.
    if rest.first() == Some(&"WITH") {
        *rest = rest.get(2..).unwrap_or_default();
        return false;
    }
    allowed.contains(word)
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allowed = BTreeSet::from(["MIT", "ISC"]);
    for good in
        ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "ISC AND (GPL-2.0 OR MIT)", "A WITH B OR MIT"]
    {
        assert!(met(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-2.0", "MIT WITH x"] {
        assert!(!met(bad, &allowed), "{bad}");
    }
}

#[test]
fn every_licence_is_allowed() {
    let rules = rules();
    let allowed = rules["licenses"]["allow"].as_array().expect("[licenses] allow is a list");
    let allowed: BTreeSet<&str> = allowed.iter().filter_map(toml::Value::as_str).collect();
    let packages = packages();
    assert!(packages.len() > 100, "the tree is there: {} packages", packages.len());
    let bad: Vec<_> = packages.iter().filter(|(_, licence)| !met(licence, &allowed)).collect();
    assert!(bad.is_empty(), "not allowed by deny.toml [licenses]; choose another crate: {bad:?}");
}

#[test]
fn no_banned_crate_is_in_the_tree() {
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().expect("[bans] deny is a list");
    for ban in banned {
        let name = ban["name"].as_str().expect("a ban has a name");
        let found = packages().iter().any(|(package, _)| package == name);
        assert!(
            !found,
            "{name} is in the tree: {}; `cargo tree -i {name}` says why",
            ban["reason"]
        );
    }
}

/// Only the types of async-openai are used, never its client (docs/decisions/0005-providers.md).
#[test]
fn async_openai_brings_types_and_no_client() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest: toml::Table =
        std::fs::read_to_string(path).expect("Cargo.toml is there").parse().expect("it is TOML");
    let openai = &manifest["dependencies"]["async-openai"];
    assert_eq!(openai["default-features"].as_bool(), Some(false));
    let features = openai["features"].as_array().expect("features are named");
    let features: Vec<&str> = features.iter().filter_map(toml::Value::as_str).collect();
    assert!(features.contains(&"chat-completion-types"), "{features:?}");
    assert!(features.iter().all(|feature| feature.ends_with("-types")), "{features:?}");
}
