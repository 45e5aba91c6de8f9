//! What a key was set to, checked, and how a field takes it.

use std::net::SocketAddr;
use std::path::PathBuf;

use hygiene::line::is_invisible;

use super::listen;
use super::secret::Secret;
use crate::model::money::MicroUsd;

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Set nowhere, and there is no default.
    Unset,
    /// Also choices (in lower case), paths and addresses.
    Text(String),
    Whole(u64),
    Number(f64),
    Usd(MicroUsd),
    Flag(bool),
    Ids(Vec<i64>),
    Words(Vec<String>),
    Secret(Secret),
}

impl Value {
    /// The value as TOML writes it; empty for what is unset or secret.
    pub fn to_toml(&self) -> String {
        match self {
            Self::Unset | Self::Secret(_) => String::new(),
            Self::Text(text) => quote(text),
            Self::Whole(n) => n.to_string(),
            Self::Number(n) => toml::Value::Float(*n).to_string(),
            Self::Usd(amount) => amount.exact(),
            Self::Flag(flag) => flag.to_string(),
            Self::Ids(ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                format!("[{}]", ids.join(", "))
            }
            Self::Words(words) => {
                let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
                format!("[{}]", words.join(", "))
            }
        }
    }

    /// Whether this stands in a text that is printed.
    pub fn holds(&self, part: &str) -> bool {
        match self {
            Self::Text(text) => text.contains(part),
            Self::Words(words) => words.iter().any(|word| word.contains(part)),
            _ => false,
        }
    }

    /// A text; empty when unset.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }
}

/// A basic string on one line (TOML 1.0, "String").
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Who prints it must see what it says.
            c if (c.is_control() || is_invisible(c)) && c <= '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c if is_invisible(c) => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The type of a field. A rule (`rule.rs`) gives a key values of the field's type only, so each
/// conversion has one kind of value to take; the empty one stands in for a value that is missing,
/// which is a problem of its own.
pub(super) trait FromValue {
    fn from_value(value: &Value) -> Self;
}

/// Implements [`FromValue`] for types that one kind of value holds.
macro_rules! from_value {
    ($($ty:ty: $pattern:pat => $taken:expr, else $missing:expr;)+) => {$(
        impl FromValue for $ty {
            fn from_value(value: &Value) -> Self {
                match value {
                    $pattern => $taken,
                    _ => $missing,
                }
            }
        }
    )+};
}

from_value! {
    bool: Value::Flag(flag) => *flag, else false;
    u64: Value::Whole(n) => *n, else 0;
    u32: Value::Whole(n) => u32::try_from(*n).expect("a count is bounded"), else 0;
    f64: Value::Number(n) => *n, else 0.0;
    Option<MicroUsd>: Value::Usd(amount) => Some(*amount), else None;
    Vec<i64>: Value::Ids(ids) => ids.clone(), else Vec::new();
    String: Value::Text(text) => text.clone(), else String::new();
    PathBuf: Value::Text(text) => PathBuf::from(text), else PathBuf::new();
    Option<PathBuf>: Value::Text(text) => Some(PathBuf::from(text)), else None;
    Option<SocketAddr>: Value::Text(text) => listen::address(text).unwrap_or_default(), else None;
    Option<Secret>: Value::Secret(secret) => Some(secret.clone()), else None;
    Secret: Value::Secret(secret) => secret.clone(), else Secret::new("");
}

/// Words; a text is the only one.
impl FromValue for Vec<String> {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Words(words) => words.clone(),
            Value::Text(word) => vec![word.clone()],
            _ => Vec::new(),
        }
    }
}

/// One of a few words.
pub(super) trait Choice: FromValue {
    /// All words, in the order in which people read them.
    const WORDS: &'static [&'static str];
    /// The word.
    fn word(self) -> &'static str;
}

/// Declares an enum whose variants are the words of a key. A variant with several words is written
/// as the first and read as any of them.
macro_rules! choice {
    (
        $(#[$about:meta])*
        pub enum $Choice:ident {
            $( $(#[$doc:meta])+ $Variant:ident = $word:literal $(| $other:literal)*, )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $Choice { $( $(#[$doc])+ $Variant, )+ }

        impl $Choice {
            /// The word in the configuration.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$Variant => $word, )+ }
            }
        }

        impl $crate::config::value::Choice for $Choice {
            const WORDS: &'static [&'static str] = &[$( $word, $($other,)* )+];
            fn word(self) -> &'static str {
                self.as_str()
            }
        }

        impl $crate::config::value::FromValue for $Choice {
            fn from_value(value: &$crate::config::value::Value) -> Self {
                match value.text() {
                    $( $word $(| $other)* => Self::$Variant, )+
                    _ => unreachable!("only these words pass the check"),
                }
            }
        }
    };
}
pub(super) use choice;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_survives_a_parser() {
        let hostile = "a \"b\" \\ \n\t\u{7f}\u{1}é😀";
        let table: toml::Table = format!("x = {}", quote(hostile)).parse().expect("valid TOML");
        assert_eq!(table["x"].as_str(), Some(hostile));
    }
}
