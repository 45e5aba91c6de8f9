//! One notification as a mail (RFC 5322): a repeat has the same Message-ID, and all mails of an
//! incident hang below its first.

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};

use crate::channel::{Failure, quote};
use crate::notification::Notification;

/// The mail in the form in which it crosses the wire, dots not yet doubled.
///
/// The Date is now, not when it happened: a mail that waited would else be filed where no one looks.
/// The text says when things happened.
pub(super) fn write(
    notification: &Notification,
    channel: &str,
    from: &Mailbox,
    to: &[Mailbox],
) -> Result<Vec<u8>, Failure> {
    let mut mail = Message::builder()
        .from(from.clone())
        .subject(quote(&notification.subject()))
        .date_now()
        .message_id(Some(id(notification, notification.number, channel, from)));
    for mailbox in to {
        mail = mail.to(mailbox.clone());
    }
    let first = id(notification, 1, channel, from);
    if notification.number > 1 {
        mail = mail.in_reply_to(first.clone()).references(first);
    }
    // RFC 3834: no automatic answers, from holiday programs and the like.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    mail = mail.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(notification.text());
    let mail = mail
        .singlepart(text)
        .map_err(|error| Failure::permanent(format!("cannot write the mail: {error}")))?;
    Ok(mail.formatted())
}

/// The Message-ID of a notification of this incident. In the sender's domain, because filters doubt a
/// host that is not known; with the host, because two can number alike; with the channel, because
/// each counts for itself.
fn id(notification: &Notification, number: u32, channel: &str, from: &Mailbox) -> String {
    let [channel, host, incident] = [channel, &notification.host, &notification.incident].map(atom);
    format!("<katana.{channel}.{host}.{incident}.{number}@{}>", from.email.domain())
}

/// Characters that may stand in a Message-ID without quotes (RFC 5322, section 3.2.3), dots apart.
fn atom(text: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    if text.is_empty() { "-".to_owned() } else { text.chars().take(100).map(fit).collect() }
}
