//! Small files, read whole and with a bound, for the configuration and for secrets.
//!
//! Invariant: an error says why, and neither which file nor what stands in it.

use std::io::{ErrorKind, Read};
use std::path::Path;

/// Reads a text of at most `most` bytes. The error continues a sentence about the file.
pub(super) fn read(path: &Path, most: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err("cannot be read: there is no such file".to_owned())
        }
        Err(error) => Err(format!("cannot be read: {}", error.kind())),
        Ok(n) if n as u64 > most => Err(format!("is larger than {most} bytes")),
        Ok(_) => String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned()),
    }
}
