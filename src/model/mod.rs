//! The words everyone shares: plain data and pure functions, no input or output.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | update | one thing Telegram told us (Bot API `Update`), in our own small shape |
//! | inbox | updates on disk that were accepted; each is *new* until it is *done* |
//! | question | a text that a provider is asked to answer |
//! | message | one thing said in a conversation: text, files, tool calls or their results |
//! | turn | a question with everything that answers it, the work of tools included |
//! | exchange | one question with its answer, as kept in the history |
//! | reply | what thinking (commands, answers) returns; it becomes one or more parts |
//! | part | one Telegram message of a reply, at most 4,096 UTF-16 units |
//! | outbox | parts on disk: *due*, *sending*, *sent* or *dropped* |
//! | in doubt | a part in *sending* that may or may not have arrived |
//! | preview | an ephemeral draft of an answer that is still being written |
//! | person | a Telegram user as the bot knows it, with a role |

pub mod access;
pub mod authorship;
pub mod budget;
pub mod cited;
pub mod class;
pub mod conversation;
pub mod dsn;
pub mod effect;
pub mod failure;
pub mod feature;
pub mod ids;
pub mod learned;
pub mod limits;
pub mod message;
pub mod money;
pub mod passage;
pub mod pieces;
pub mod quota;
pub mod quote;
pub mod rate_left;
pub mod reply;
pub mod sent_file;
pub mod text;
pub mod work;
