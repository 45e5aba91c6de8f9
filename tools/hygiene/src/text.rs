//! Small files of text, read whole and with a bound, for configurations and secrets.
//!
//! Invariant: an error says why, and neither which file nor what stands in it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::quick;

/// Reads a text of at most `most` bytes.
///
/// # Errors
/// Why it cannot be read, to continue a sentence about the file.
pub fn read(path: &Path, most: u64) -> Result<String, String> {
    let bound = usize::try_from(most).unwrap_or(usize::MAX - 1);
    if let Some(bytes) = quick::read(path, bound) {
        return String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned());
    }
    quick::waiting();
    let mut bytes = Vec::new();
    // Opening a pipe that no process writes to would wait forever.
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path);
    let read = file.and_then(|file| match file.metadata()?.file_type() {
        kind if kind.is_file() => file.take(most + 1).read_to_end(&mut bytes),
        kind if kind.is_dir() => Err(ErrorKind::IsADirectory.into()),
        _ => Err(std::io::Error::other("it is not a regular file")),
    });
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err("cannot be read: there is no such file".to_owned())
        }
        Err(error) if error.kind() == ErrorKind::Other => Err(format!("cannot be read: {error}")),
        Err(error) => Err(format!("cannot be read: {}", error.kind())),
        Ok(n) if n as u64 > most => Err(format!("is larger than {most} bytes")),
        Ok(_) => String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned()),
    }
}
