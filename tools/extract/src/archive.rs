//! The inside of a zip archive that lies in memory.
//!
//! Invariants: nothing is written anywhere, names are only compared, and all parts together never grow
//! beyond the limits, however they overlap or whatever sizes they claim.

use std::collections::HashMap;
use std::io::Read;

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};

use crate::limits::{Limits, Problem};

/// Below this size a part may have any ratio: empty tables compress well.
const SMALL: u64 = 1 << 20;

/// How an OLE file begins: documents of Word before 2007, and encrypted ones of today.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// An archive that is open.
pub(crate) struct Archive<'b> {
    archive: ZipSliceArchive<&'b [u8]>,
    entries: HashMap<String, Entry>,
    /// Bytes that may still be inflated.
    left: u64,
    ratio: u64,
}

struct Entry {
    at: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    is_encrypted: bool,
}

impl<'b> Archive<'b> {
    /// Opens an archive that should be a document of this kind.
    pub(crate) fn open(
        bytes: &'b [u8],
        expected: &'static str,
        limits: &Limits,
    ) -> Result<Self, Problem> {
        if bytes.starts_with(OLE) {
            let remedy = "it is an old document of Word or is protected by a password; save it as .docx \
                          without a password";
            return Err(Problem::Another { expected, remedy });
        }
        let damaged = |_| Problem::Damaged("the archive that it consists of cannot be read");
        let archive = ZipArchive::from_slice(bytes).map_err(|e| {
            let remedy = "save it again, or give its name the ending of what it is";
            if bytes.starts_with(b"PK") {
                damaged(e)
            } else {
                Problem::Another { expected, remedy }
            }
        })?;
        let mut entries = HashMap::new();
        let mut listed = archive.entries();
        let mut count = 0;
        while let Some(entry) = listed.next_entry().map_err(damaged)? {
            count += 1;
            if count > limits.entries {
                return Err(Problem::Bomb("it has too many parts"));
            }
            let name = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
            let method = entry.compression_method();
            let is_encrypted = entry.flags().is_encrypted();
            let entry = Entry { at: entry.wayfinder(), method, is_encrypted };
            entries.entry(name).or_insert(entry);
        }
        Ok(Self { archive, entries, left: limits.inflated, ratio: limits.ratio })
    }

    /// Whether there is a part of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// A part that has to be there.
    pub(crate) fn part(&mut self, name: &str) -> Result<Vec<u8>, Problem> {
        self.optional(name)?.ok_or(Problem::Damaged("a part of it is missing"))
    }

    /// A part that may be there.
    pub(crate) fn optional(&mut self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        if entry.is_encrypted {
            return Err(Problem::Encrypted);
        }
        let damaged = Problem::Damaged("a part of it cannot be read");
        let Ok(local) = self.archive.get_entry(entry.at) else { return Err(damaged) };
        let data = local.data();
        let size = data.len() as u64;
        let allowed = self.left.min(SMALL.max(size.saturating_mul(self.ratio)));
        let mut bytes = Vec::new();
        let read = match entry.method {
            CompressionMethod::STORE => data.take(allowed + 1).read_to_end(&mut bytes),
            CompressionMethod::DEFLATE => {
                DeflateDecoder::new(data).take(allowed + 1).read_to_end(&mut bytes)
            }
            _ => return Err(Problem::Damaged("a part of it is compressed in an unknown way")),
        };
        // What was inflated before damage counts, too.
        let length = bytes.len() as u64;
        if length > allowed {
            return Err(Problem::Bomb("it grows too much when it is unpacked"));
        }
        self.left -= length;
        read.map_err(|_| damaged)?;
        Ok(Some(bytes))
    }
}
