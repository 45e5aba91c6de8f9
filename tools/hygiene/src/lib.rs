//! What bot and checker must do in the same way, so that a fix is made once.
//!
//! | module | in one sentence |
//! |---|---|
//! | [`redact`] | strikes secrets out of texts |
//! | [`atomic`] | replaces a file as a whole |
//! | [`ownership`] | says whose a file is before it is touched |
//! | [`beneath`] | opens what lies in a folder, and nothing outside |
//! | [`disk`] | free space of a file system |
//! | [`drop_ins`] | which small files beside a configuration count, and in which order |
//! | [`duration`] | durations in words |
//! | [`mod@line`] | foreign text on one line |
//! | [`quick`] | what the kernel has in memory already, without waiting |
//! | [`time_limit`] | work that may never end, such as a look at a mount that hangs |
//! | [`text`] | small files, read with a bound |
//! | [`uptime`] | two clocks that no one can set |
//! | `arguments` | errors of a command line, without what was written |
//! | [`url`] | addresses, and what of them may be shown |
//! | [`secret`] | where secrets come from |
//!
//! Plain functions and values: no configuration, no logging, no runtime. The only dependencies are
//! `rustix`, and `clap` for `arguments`, which both programs have anyway.

#[cfg(feature = "arguments")]
pub mod arguments;
pub mod atomic;
pub mod beneath;
pub mod disk;
pub mod drop_ins;
pub mod duration;
pub mod line;
pub mod ownership;
pub mod quick;
pub mod redact;
pub mod secret;
pub mod text;
pub mod time_limit;
pub mod uptime;
pub mod url;

pub use redact::{MARK, Redactor};
