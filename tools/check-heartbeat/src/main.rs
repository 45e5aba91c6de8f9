//! The program `check-heartbeat`.

use check_heartbeat::{cli::Args, report, run};
use clap::Parser;
use clap::error::ErrorKind;

fn main() {
    let quick = Args::quick(std::env::args_os().skip(1));
    let status = match quick.map_or_else(Args::try_parse, Ok) {
        Ok(args) => run::run(&args),
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
    };
    // Ends the threads of channels that had no answer in time, too.
    std::process::exit(i32::from(status));
}
