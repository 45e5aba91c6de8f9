//! Scenarios: the real application in process, against the simulator over real HTTP.

mod harness;
mod process;

mod access;
mod conversation;
mod crash;
mod groups;
mod intake;
