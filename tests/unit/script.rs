//! A script that a test runs as a program.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes it in a folder. Another process writes it: what this one has open for writing, a child that another test
/// starts at the same time may inherit, and then it cannot be run (ETXTBSY).
pub(super) fn script(dir: &Path, text: &str) -> PathBuf {
    let (draft, program) = (dir.join("reader.draft"), dir.join("reader"));
    std::fs::write(&draft, format!("#!/bin/sh\n{text}\n")).unwrap();
    let made = Command::new("install").args(["-m", "700"]).args([&draft, &program]).status();
    assert!(made.unwrap().success());
    program
}
