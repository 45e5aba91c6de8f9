//! Scenarios: the real application in process, against the simulator over real HTTP.

mod harness;

mod conversation;
mod crash;
mod intake;
