//! The program `check-heartbeat`.

use check_heartbeat::{cli, report, run};
use clap::error::ErrorKind;

fn main() {
    let status = match cli::plain(std::env::args_os().skip(1)) {
        Some(args) => run::run(&args),
        None => by_clap(),
    };
    // Ends the threads of channels that had no answer in time, too.
    std::process::exit(i32::from(status));
}

/// The same for arguments that need a closer look.
fn by_clap() -> u8 {
    match cli::command().try_get_matches() {
        Ok(matches) => run::run(&cli::args(&matches)),
        Err(error) => {
            // Nothing is left to do when standard output or standard error is gone.
            let _ = error.print();
            let nagios = std::env::args_os().any(|arg| arg == "--nagios");
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
                _ if nagios => report::EXIT_UNKNOWN,
                _ => report::EXIT_USAGE,
            }
        }
    }
}
