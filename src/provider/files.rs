//! Files of a message, as models take them.
//!
//! Both vendors take pictures and PDF in base64; text is given as text. Anything else, and a file
//! whose bytes are no longer at hand, is named, so that the model knows that it was there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::conversation::{Attachment, Content};

/// Media types of pictures that both vendors read.
const PICTURES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// How a model is given a piece of what a person says.
pub(super) enum Given<'a> {
    Text(String),
    Picture { media_type: &'a str, base64: String },
    Pdf { name: &'a str, base64: String },
}

/// A person's piece; `None` for calls and results, which people do not send.
pub(super) fn given(content: &Content) -> Option<Given<'_>> {
    match content {
        Content::Text { text } => Some(Given::Text(text.clone())),
        Content::Image(file) | Content::Document(file) => Some(file_given(file)),
        // The prompt has made text of them.
        Content::Speaker { .. } | Content::Quote(_) => None,
        Content::ToolCall(_) | Content::ToolResult(_) => None,
    }
}

fn file_given(file: &Attachment) -> Given<'_> {
    let media_type = file.media_type.as_str();
    let name = file.name.as_deref().unwrap_or("document");
    let Some(data) = &file.data else {
        return Given::Text(format!("(a file that is no longer at hand: {name}, {media_type})"));
    };
    if PICTURES.contains(&media_type) {
        return Given::Picture { media_type, base64: STANDARD.encode(data) };
    }
    if media_type == "application/pdf" {
        return Given::Pdf { name, base64: STANDARD.encode(data) };
    }
    match std::str::from_utf8(data) {
        Ok(text) if media_type.starts_with("text/") => Given::Text(format!("{name}:\n\n{text}")),
        _ => Given::Text(format!("(a file that cannot be read here: {name}, {media_type})")),
    }
}
