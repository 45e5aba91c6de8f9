//! Scenarios: the real application in process, against the simulator over real HTTP.

mod dead_disk;
mod harness;
mod mount;
mod notify;
mod parrot;
mod process;
mod rendering;
mod search;
mod show;
mod wire;

mod access;
mod answers;
mod backup;
mod chats;
mod commands;
mod conversation;
mod crash;
mod deaf;
mod delivery;
mod disk;
mod findings;
mod groups;
mod hangup;
mod intake;
mod leaks;
mod lifecycle;
mod odd_server;
mod operator;
mod previews;
mod reload;
mod restarts;
mod restore;
mod setup;
mod watchdog;
mod web;
