//! The checker as people use it: the real program on real files, and its library with a clock that
//! can be set.

#![allow(clippy::unwrap_used, reason = "a test may panic wherever it stands")]
#![allow(clippy::print_stdout, reason = "seeds and skips are printed")]

mod alerts;
mod command_line;
mod configuration;
mod control;
mod disks;
mod example;
mod kills;
mod network;
mod outage;
mod pasted;
mod place;
mod plugin;
mod remote;
mod simulation;
mod states;
mod texts;
mod upgrade;
mod world;
