//! The checker as people use it: the real program on real files, and its library with a clock that
//! can be set.

mod alerts;
mod command_line;
mod example;
mod kills;
mod outage;
mod place;
mod simulation;
mod states;
mod world;
