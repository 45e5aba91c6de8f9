//! The program `check-heartbeat`.

use check_heartbeat::{cli::Args, report, run};
use clap::Parser;
use clap::error::ErrorKind;

fn main() {
    let is_plugin = || std::env::args_os().any(|arg| arg == "--nagios");
    if is_plugin() {
        report::answer_when_broken();
    }
    let quick = Args::quick(std::env::args_os().skip(1));
    let status = match quick.map_or_else(Args::try_parse, Ok) {
        Ok(args) => run::run(&args),
        Err(error) => {
            let helps = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let error = hygiene::arguments::discreet(error);
            if !helps && is_plugin() {
                let text = error.to_string();
                let why = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
                report::unknown(&format!("wrong arguments: {why}"));
                std::process::exit(i32::from(report::EXIT_UNKNOWN));
            }
            // Nothing is left to do when standard output or standard error is gone.
            let _ = error.print();
            if helps { 0 } else { report::EXIT_USAGE }
        }
    };
    // Ends the threads of channels that had no answer in time, too.
    std::process::exit(i32::from(status));
}
