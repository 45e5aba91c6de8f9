//! The pages that come with the program, in an index in memory.

use super::reading;
use crate::store::{Index, NewDocument, StoreError};

/// The name of their source.
const SOURCE: &str = "katana";

/// Pages, each a name and its text, as an index of their own.
pub(super) fn index(pages: &[(&str, &str)]) -> Result<Index, StoreError> {
    let index = Index::in_memory()?;
    for (name, text) in pages {
        let document = NewDocument { source: SOURCE.to_owned(), ..reading::of_page(name, text) };
        index.put_now(&document)?;
    }
    Ok(index)
}
