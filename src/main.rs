//! Runs katana-bot: parses, runs, prints the error with its hint, sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    katana::cli::main()
}
