//! Scenarios: the real application in process, against the simulator over real HTTP.

mod harness;
mod notify;
mod process;
mod rendering;

mod access;
mod answers;
mod backup;
mod chats;
mod commands;
mod conversation;
mod crash;
mod delivery;
mod disk;
mod groups;
mod hangup;
mod intake;
mod lifecycle;
mod operator;
mod previews;
mod reload;
mod restore;
mod watchdog;
mod web;
