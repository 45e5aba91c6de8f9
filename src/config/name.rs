//! The names that users give to tables, such as `[providers.NAME]`.

/// Longest name, in characters.
const NAME_CHARS: usize = 32;

/// What is right for a name, to follow "write".
pub(super) const EXPECTED: &str =
    "small letters, digits and single underscores, beginning with a letter, at most 32";

/// Whether this may be the name of a table.
pub(super) fn is_name(name: &str) -> bool {
    let fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.bytes().all(fit)
        && name.len() <= NAME_CHARS
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('_')
        && !name.contains("__")
}
