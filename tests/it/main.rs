//! Scenarios: the real application in process, against the simulator over real HTTP.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests may start and write what they want"
)]

mod dead_disk;
mod embeddings_server;
mod harness;
mod mount;
mod notify;
mod parrot;
mod pieces;
mod process;
#[path = "../unit/vectors/fake.rs"]
#[expect(dead_code, reason = "the tests of the library use more of it")]
mod qdrant_server;
mod rendering;
mod search;
mod show;
mod svg;
mod terminal;
mod vendor;
mod wire;

mod access;
mod answers;
mod arguments;
mod authority;
mod backup;
mod blank_answers;
mod budget;
mod cache;
mod canary;
mod chats;
mod citations;
mod commands;
mod context;
mod conversation;
mod crash;
mod deaf;
mod delivery;
mod deploy_check;
mod disk;
mod documents;
mod edited_pieces;
mod edits;
mod entities;
mod error_reports;
mod extraction;
mod failover;
mod features;
mod findings;
mod fuzz;
mod generations;
mod groups;
mod hangup;
mod hostile_backups;
mod in_doubt;
mod indexing;
mod intake;
mod knowledge;
mod knowledge_cli;
mod knowledge_copies;
mod last_exit;
mod leaks;
mod learn;
mod lifecycle;
mod limits;
mod monitoring;
mod odd_server;
mod operator;
mod overlap;
mod passed;
mod patience;
mod pictures;
mod platforms;
mod previews;
mod providers;
mod refusals;
mod reload;
mod restarts;
mod restore;
mod rollback;
mod secrets;
mod setup;
mod setup_back;
mod setup_forms;
mod setup_safety;
mod setup_systemd;
mod setup_tries;
mod taken;
mod told_once;
mod topics;
mod tries;
mod watchdog;
mod ways;
mod web;
mod window;
