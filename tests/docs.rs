//! The documentation says what the program does.
//!
//! `KATANA_TEST_WRITE=1` writes the generated parts anew instead of comparing them.

use std::path::{Path, PathBuf};

use katana::config::reference;

/// Encloses the generated part of `docs/configuration.md`.
const BEGIN: &str = "<!-- keys: begin -->\n";
const END: &str = "<!-- keys: end -->";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with what it should be, or writes it.
fn expect(name: &str, wanted: &str) {
    if std::env::var_os("KATANA_TEST_WRITE").is_some() {
        std::fs::write(file(name), wanted).expect("the file can be written");
        return;
    }
    let found = std::fs::read_to_string(file(name)).expect(name);
    assert!(found == wanted, "{name} is out of date: KATANA_TEST_WRITE=1 cargo test --test docs");
}

#[test]
fn the_configuration_page_documents_every_key() {
    let name = "docs/configuration.md";
    let page = std::fs::read_to_string(file(name)).expect(name);
    let (before, rest) = page.split_once(BEGIN).expect("the mark at the beginning");
    let (_, after) = rest.split_once(END).expect("the mark at the end");
    expect(name, &format!("{before}{BEGIN}\n{}{END}{after}", reference::markdown()));
}

#[test]
fn the_packaged_configuration_lists_every_key() {
    expect("packaging/katana-bot.toml", &reference::template());
}
