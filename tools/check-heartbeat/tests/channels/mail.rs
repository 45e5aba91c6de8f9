//! Mail that arrives: found in the mailbox of a real server, over each kind of connection.

use check_heartbeat::channel::{Channel, Taken};
use check_heartbeat::notification::Kind;

use crate::postbox::{Mail, Postbox, Setup};
use crate::{later, notice, open};

const LOGIN: (&str, &str) = ("watch@example.org", "correct hörse / battery+staple");

fn table(postbox: &Postbox, more: &str) -> String {
    let ca = postbox.ca_file();
    format!(
        "type = 'smtp'\nhost = '127.0.0.1'\nport = {}\nca_file = '{}'\n\
         from = 'Watch <watch@example.org>'\n{more}",
        postbox.port,
        ca.display()
    )
}

fn channel(postbox: &Postbox, more: &str) -> Box<dyn Channel> {
    let env = [("SMTP_ALERT_PASSWORD", LOGIN.1)];
    open(&table(postbox, more), &env).expect("opens")
}

/// The text of a body in quoted-printable or base64, by the means of the mail itself.
fn text(mail: &Mail) -> String {
    let encoding = mail.header("Content-Transfer-Encoding").unwrap_or("7bit");
    match encoding {
        "7bit" | "8bit" => mail.body.clone(),
        "quoted-printable" => {
            let joined = mail.body.replace("=\n", "");
            let mut bytes = Vec::new();
            let mut rest = joined.as_bytes();
            while let Some((&first, after)) = rest.split_first() {
                if first == b'=' {
                    let hex = std::str::from_utf8(&after[..2]).expect("hex");
                    bytes.push(u8::from_str_radix(hex, 16).expect("hex"));
                    rest = &after[2..];
                } else {
                    bytes.push(first);
                    rest = after;
                }
            }
            String::from_utf8(bytes).expect("text")
        }
        other => panic!("{other} is not readable without a mail program"),
    }
}

#[test]
fn a_mail_arrives_over_each_kind_of_connection() {
    for (tls, encrypted) in [("implicit", "yes"), ("starttls", "yes"), ("none", "no")] {
        let setup = Setup { tls, login: Some(LOGIN), ..Setup::default() };
        let Some(postbox) = Postbox::start(setup) else { return };
        let more = format!("tls = '{tls}'\nuser = '{}'\nto = 'ops@example.org'", LOGIN.0);
        let channel = channel(&postbox, &more);
        assert_eq!(channel.name(), "smtp");
        let remarks = channel.deliver(&notice(1, Kind::Down), later()).expect(tls);
        assert_eq!(remarks, Taken::default());
        let mail = postbox.mail();
        assert_eq!(mail.header("X-Encrypted"), Some(encrypted), "{tls}");
        assert_eq!(mail.header("X-RcptTo"), Some("ops@example.org"), "{tls}");
    }
}

#[test]
fn a_mail_has_the_headers_that_mail_needs() {
    let Some(postbox) = Postbox::start(Setup::default()) else { return };
    let channel = channel(&postbox, "tls = 'none'\nto = 'Night shift <ops@example.org>'");
    let down = notice(1, Kind::Down);
    channel.deliver(&down, later()).expect("accepted");
    let mail = postbox.mail();
    assert_eq!(mail.header("Subject"), Some(down.subject().as_str()));
    assert_eq!(mail.header("From"), Some("Watch <watch@example.org>"));
    assert_eq!(mail.header("To"), Some("\"Night shift\" <ops@example.org>"));
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(mail.header("MIME-Version"), Some("1.0"));
    assert_eq!(mail.header("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(mail.header("X-MailFrom"), Some("watch@example.org"));
    let id = "<katana.smtp.host-1-example.katana-bot-19aa2b3c4d5.1@example.org>";
    assert_eq!(mail.header("Message-ID"), Some(id));
    assert_eq!((mail.header("In-Reply-To"), mail.header("References")), (None, None));
    // Dated when it was sent: what waited for a day would else be filed below yesterday.
    let date = mail.header("Date").expect("a date");
    assert!(date.ends_with("+0000") && date.contains(':'), "{date}");
    assert!(!date.contains("21 Nov 2026 07:29:35"), "{date} is when it happened");
    assert_eq!(text(&mail).trim_end(), down.text().trim_end());
}

#[test]
fn mails_of_one_incident_thread_and_repeats_are_the_same() {
    let Some(postbox) = Postbox::start(Setup::default()) else { return };
    let channel = channel(&postbox, "tls = 'none'\nto = 'ops@example.org'");
    let story = [(1, Kind::Down), (2, Kind::Reminder), (2, Kind::Reminder), (3, Kind::Recovered)];
    for (number, kind) in story {
        channel.deliver(&notice(number, kind), later()).expect("accepted");
    }
    let mails = postbox.mails();
    let id = |n: usize| mails[n].header("Message-ID").expect("an id");
    assert_eq!(mails.len(), 4);
    assert_eq!(id(1), id(2), "a repeat can be recognised");
    assert!(id(0) != id(1) && id(1) != id(3) && id(0) != id(3));
    for mail in &mails[1..] {
        assert_eq!(mail.header("In-Reply-To"), Some(id(0)));
        assert_eq!(mail.header("References"), Some(id(0)));
    }
}

#[test]
fn hostile_text_stays_inside_its_place() {
    let Some(postbox) = Postbox::start(Setup::default()) else { return };
    let channel = channel(&postbox, "tls = 'none'\nto = 'ops@example.org'");
    let mut hostile = notice(2, Kind::Down);
    hostile.host = "a\r\nBcc: victim@example.org\r\n\r\nb".to_owned();
    hostile.watch = format!("über\r\nX-Evil: 1 {}", "long ".repeat(200));
    hostile.incident = "i>\r\nX-Evil: 2".to_owned();
    hostile.details =
        vec![".".to_owned(), "\r\n.\r\nMAIL FROM:<x@y>".to_owned(), "x".repeat(5_000)];
    channel.deliver(&hostile, later()).expect("accepted");
    let mail = postbox.mail();
    assert_eq!(mail.header("X-Evil"), None);
    assert_eq!(mail.header("Bcc"), None);
    assert_eq!(mail.header("X-RcptTo"), Some("ops@example.org"));
    assert!(mail.header("Subject").is_some_and(|s| s.contains("=?utf-8?")));
    let (sent, got) = (hostile.text().replace("\r\n", "\n"), text(&mail));
    assert_eq!(got.trim_end(), sent.trim_end());
}

#[test]
fn several_people_get_one_mail_and_a_refused_one_is_named() {
    let Some(postbox) = Postbox::start(Setup::default()) else { return };
    let to = "tls = 'none'\nto = ['a@example.org', 'unknown@example.org', 'later@example.org', \
              'b@example.org']";
    let channel = channel(&postbox, to);
    let taken = channel.deliver(&notice(1, Kind::Down), later()).expect("two of four are enough");
    let remarks = taken.remarks;
    assert_eq!(postbox.mail().header("X-RcptTo"), Some("a@example.org, b@example.org"));
    assert_eq!(remarks.len(), 2, "{remarks:?}");
    assert!(remarks[0].contains("unknown@example.org (550 "), "{remarks:?}");
    assert!(remarks[1].contains("later@example.org (451 "), "{remarks:?}");
    assert!(remarks[1].ends_with("it is tried again alone"), "{remarks:?}");
    assert_eq!(taken.left, ["later@example.org"]);
}

#[test]
fn who_was_to_wait_is_tried_again_alone() {
    let Some(postbox) = Postbox::start(Setup::default()) else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (heartbeat, config) = (dir.path().join("heartbeat"), dir.path().join("config.toml"));
    let table = format!(
        "[[watch]]\nname = 'bot'\nfile = '{}'\n[[channel]]\ntype = 'smtp'\nhost = '127.0.0.1'\n\
         port = {}\ntls = 'none'\nfrom = 'watch@example.org'\n\
         to = ['ops@example.org', 'once@example.org', 'unknown@example.org']\n",
        heartbeat.display(),
        postbox.port
    );
    std::fs::write(&config, table).expect("written");
    let check = || {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_check-heartbeat"))
            .arg("--config")
            .arg(&config)
            .arg("--state-dir")
            .arg(dir.path().join("state"))
            .output()
            .expect("it runs");
        let mails = postbox.mails();
        let to = |mail: &crate::postbox::Mail| {
            let subject = mail.header("Subject").unwrap_or_default();
            let kind = subject.split(':').next().unwrap_or_default();
            format!("{kind} to {}", mail.header("X-RcptTo").unwrap_or_default())
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (mails.iter().map(to).collect::<Vec<_>>(), said)
    };
    let (mails, said) = check();
    assert_eq!(mails, ["DOWN to ops@example.org"], "{said}");
    assert!(
        said.contains("once@example.org (451 ") && said.contains("tried again alone"),
        "{said}"
    );
    let (mails, said) = check();
    assert_eq!(mails[1..], ["DOWN to once@example.org"], "{said}");
    assert_eq!(check().0.len(), 2, "everyone has it");
    let ids: Vec<_> =
        postbox.mails().iter().map(|m| m.header("Message-ID").map(str::to_owned)).collect();
    assert_eq!(ids[0], ids[1], "it is the same mail");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    std::fs::write(&heartbeat, format!("{}\n", now.as_secs())).expect("written");
    let (mails, said) = check();
    assert_eq!(mails[2..], ["RECOVERED to ops@example.org, once@example.org"], "{said}");
}

#[test]
fn a_refusal_of_who_is_left_is_not_the_channels() {
    let Some(postbox) = Postbox::start(Setup::default()) else { return };
    let to = "tls = 'none'\nto = ['ops@example.org', 'unknown@example.org', 'later@example.org']";
    let channel = channel(&postbox, to);
    let cases: [(&[&str], &str, &str, &[&str]); 5] = [
        (&["unknown@example.org"], "stale", "(550 ", &[]),
        (&["later@example.org"], "stale", "(451 ", &["later@example.org"]),
        (&["unknown@example.org", "later@example.org"], "stale", "(550 ", &["later@example.org"]),
        (&["ops@example.org"], "spam, please", "554 ", &[]),
        (&["ops@example.org"], "a full disk, please", "452 ", &["ops@example.org"]),
    ];
    for (only, summary, remark, left) in cases {
        let mut notification = notice(1, Kind::Down);
        notification.summary = summary.to_owned();
        // Where it is for all of them, a refusal of them all is a failure.
        let all = only.len() == 1 && summary != "stale";
        assert!(!all || channel.deliver(&notification, later()).is_err());
        notification.only = only.iter().map(|&address| address.to_owned()).collect();
        let taken = channel.deliver(&notification, later()).expect(remark);
        assert!(taken.remarks[0].contains(remark), "{:?}", taken.remarks);
        assert_eq!(taken.left, left, "{only:?}");
    }
    assert!(postbox.mails().is_empty());
}

#[test]
fn login_is_used_where_plain_is_not_offered() {
    let setup =
        Setup { tls: "implicit", login: Some(LOGIN), without: Some("PLAIN"), chatty: false };
    let Some(postbox) = Postbox::start(setup) else { return };
    let channel = channel(&postbox, &format!("user = '{}'\nto = 'ops@example.org'", LOGIN.0));
    channel.deliver(&notice(1, Kind::Down), later()).expect("accepted");
    assert_eq!(postbox.mails().len(), 1);
}

#[test]
fn the_password_can_lie_in_a_file_or_a_credential() {
    let setup = Setup { tls: "starttls", login: Some(LOGIN), ..Setup::default() };
    let Some(postbox) = Postbox::start(setup) else { return };
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("smtp-alert-password"), format!("{}\n", LOGIN.1))
        .expect("written");
    let dir = dir.path().display().to_string();
    let base = format!("tls = 'starttls'\nuser = '{}'\nto = 'ops@example.org'\n", LOGIN.0);
    let file = format!("{base}password_file = '{dir}/smtp-alert-password'");
    let named = format!("{base}password_credential = 'smtp-alert-password'");
    let env = [("CREDENTIALS_DIRECTORY", dir.as_str())];
    for (more, env) in [(&file, &env[..0]), (&named, &env[..]), (&base, &env[..])] {
        let channel = open(&table(&postbox, more), env).expect(more);
        channel.deliver(&notice(1, Kind::Down), later()).expect(more);
    }
    assert_eq!(postbox.mails().len(), 3);
}
