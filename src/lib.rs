//! Katana: a Telegram AI assistant that survives crashes and can be left alone.
//!
//! ```text
//! Telegram ──poll──▶ ingress ─commit──▶ inbox ──claim──▶ chats ──route──▶ command ─┐
//!                      ▲ offset                            │              answer ──┤ replies
//!                      └─ only after commit                └─ previews (ephemeral) │
//! Telegram ◀──send── deliver ◀──claim── outbox ◀──one commit: update done + turns + replies
//! ```
//!
//! Work rests on disk between the stages: a stage takes one piece from the store, does one step,
//! commits. Crash, restart, shutdown and overload are one case: the row is still there.
//!
//! Read in this order: [`model`] (the words), [`observe`] (what the parts report), [`store`],
//! [`telegram`] and [`provider`] (the edges), [`knowledge`] (what documents say), [`commands`] and
//! [`answer`] (thinking), [`pipeline`] (movement), [`supervise`] and [`web`] (watching and showing),
//! [`app`] (where the parts meet).

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests may start and write what they want")
)]

pub mod blocking;
pub mod model;
pub mod observe;

pub mod config;
pub mod provider;
pub mod store;
pub mod telegram;

pub mod knowledge;

pub mod answer;
pub mod commands;

pub mod pipeline;

pub mod supervise;

pub mod web;

pub mod lifecycle;
pub mod logging;
pub mod systemd;

pub mod app;
pub mod cli;
