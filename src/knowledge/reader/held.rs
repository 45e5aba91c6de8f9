//! A document that is in memory, as a file without a name.

use std::fs::File;
use std::io::{self, Write};

use bytes::Bytes;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::blocking;

/// A file of these bytes, which no folder has: nothing is left of it after a crash.
///
/// # Errors
/// When there is no memory for it.
pub async fn held(bytes: Bytes) -> io::Result<File> {
    let work = move || {
        let mut file = File::from(memfd_create("document", MemfdFlags::CLOEXEC)?);
        file.write_all(&bytes)?;
        Ok(file)
    };
    let ended = || Err(io::Error::other("the bot is about to end"));
    blocking::run(work).await.unwrap_or_else(ended)
}
