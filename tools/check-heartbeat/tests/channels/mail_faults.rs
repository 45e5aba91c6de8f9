//! Mail that does not arrive: each refusal and each broken server has its own words, and its time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use check_heartbeat::channel::Channel;
use check_heartbeat::notification::Kind;

use crate::peers::{Peer, closed_port};
use crate::postbox::{Postbox, Setup};
use crate::{fails, later, notice, open, within, words};

const LOGIN: (&str, &str) = ("watch@example.org", "correct horse battery staple");
const SOON: Duration = Duration::from_secs(5);

fn channel(port: u16, more: &str) -> Box<dyn Channel> {
    let host = if more.contains("host =") { "" } else { "host = '127.0.0.1'\n" };
    let from = if more.contains("from =") { "" } else { "from = 'watch@example.org'\n" };
    let to = if more.contains("to =") { "" } else { "to = 'ops@example.org'\n" };
    let table = format!("type = 'smtp'\nport = {port}\n{host}{from}{to}{more}");
    open(&table, &[("SMTP_ALERT_PASSWORD", LOGIN.1)]).unwrap_or_else(|p| panic!("{table}: {p:?}"))
}

#[test]
fn refusals_are_distinguished() {
    let Some(postbox) = Postbox::start(Setup::default()) else { return };
    for (more, permanent, said) in [
        (
            "to = ['unknown@example.org', 'unknown2@example.org']",
            true,
            "unknown2@example.org (550 ",
        ),
        ("to = ['unknown@example.org', 'later@example.org']", false, "later@example.org (451 "),
        ("from = 'stranger@example.org'", true, "refused the sender: 553 "),
    ] {
        let channel = channel(postbox.port, &format!("tls = 'none'\n{more}"));
        let failure = fails(&*channel, later(), SOON);
        assert_eq!(failure.permanent, permanent, "{failure:?}");
        assert!(failure.message.contains(said), "{failure:?}");
        assert!(failure.hint.is_some(), "{failure:?}");
    }
    let channel = channel(postbox.port, "tls = 'none'");
    for (words, permanent, said) in
        [("a full disk, please", false, "452 "), ("spam, please", true, "554 ")]
    {
        let mut notice = notice(1, Kind::Down);
        notice.summary = words.to_owned();
        let failure = channel.deliver(&notice, later()).expect_err(words);
        assert!(failure.permanent == permanent && failure.message.contains(said), "{failure:?}");
    }
    assert!(postbox.mails().is_empty());
}

#[test]
fn a_wrong_password_is_named() {
    for tls in ["implicit", "starttls"] {
        let login = Some((LOGIN.0, "another one"));
        let Some(postbox) = Postbox::start(Setup { tls, login, ..Setup::default() }) else {
            return;
        };
        let ca = postbox.ca_file();
        let more = format!("tls = '{tls}'\nuser = '{}'\nca_file = '{}'", LOGIN.0, ca.display());
        let failure = fails(&*channel(postbox.port, &more), later(), SOON);
        assert!(
            failure.permanent && failure.message.contains("refused the login: 535 "),
            "{failure:?}"
        );
        assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains("password")));
        assert!(postbox.mails().is_empty());
    }
}

#[test]
fn a_certificate_must_be_trusted_and_fit_the_name() {
    for tls in ["implicit", "starttls"] {
        let Some(postbox) = Postbox::start(Setup { tls, ..Setup::default() }) else { return };
        let Some(other) = Postbox::start(Setup { tls, ..Setup::default() }) else { return };
        let ca = |postbox: &Postbox| format!("ca_file = '{}'\n", postbox.ca_file().display());
        for (more, said) in [
            (String::new(), "cannot trust the certificate"),
            (ca(&other), "cannot trust the certificate"),
            (format!("{}host = 'localhost'\n", ca(&postbox)), "not valid for name"),
        ] {
            let more = format!("tls = '{tls}'\n{more}");
            let failure = fails(&*channel(postbox.port, &more), later(), SOON);
            assert!(failure.message.contains(said), "{more}: {failure:?}");
            assert!(failure.hint.is_some() && !failure.permanent, "{failure:?}");
        }
        let channel = channel(postbox.port, &format!("tls = '{tls}'\n{}", ca(&postbox)));
        channel.deliver(&notice(1, Kind::Down), later()).expect("the right authority");
        assert_eq!(postbox.mails().len(), 1);
    }
}

#[test]
fn without_starttls_nothing_is_sent() {
    let Some(postbox) = Postbox::start(Setup::default()) else { return };
    let more = format!("tls = 'starttls'\nuser = '{}'", LOGIN.0);
    let failure = fails(&*channel(postbox.port, &more), later(), SOON);
    assert!(
        failure.permanent && failure.message.contains("does not offer STARTTLS"),
        "{failure:?}"
    );
    assert!(postbox.mails().is_empty());
}

#[test]
fn nothing_secret_is_sent_before_the_encryption() {
    static SEEN: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());
    // Offers everything, login included, but no encryption.
    let peer = Peer::serve(|mut connection, _| {
        let mut buffer = [0; 4096];
        let mut answer = "220 mail.test\r\n";
        while connection.write_all(answer.as_bytes()).is_ok() {
            let Ok(count @ 1..) = connection.read(&mut buffer) else { return };
            SEEN.lock().expect("a lock").extend_from_slice(&buffer[..count]);
            answer = if buffer.starts_with(b"EHLO") {
                "250-mail.test\r\n250 AUTH PLAIN\r\n"
            } else {
                "250 ok\r\n"
            };
        }
    });
    let more = format!("tls = 'starttls'\nuser = '{}'", LOGIN.0);
    fails(&*channel(peer.port, &more), later(), SOON);
    let seen = String::from_utf8_lossy(&SEEN.lock().expect("a lock")).into_owned();
    assert!(seen.starts_with("EHLO host-1.example\r\n"), "{seen}");
    assert!(!seen.contains("AUTH") && !seen.contains("MAIL"), "{seen}");
}

#[test]
fn a_reply_slipped_in_before_the_encryption_is_noticed() {
    for login in [None, Some(LOGIN)] {
        let setup = Setup { tls: "starttls", login, ..Setup::default() };
        let Some(postbox) = Postbox::start(setup) else { return };
        let port = postbox.port;
        let peer = Peer::serve(move |client, _| slip_in(client, port));
        let user = login.map(|(user, _)| format!("user = '{user}'\n")).unwrap_or_default();
        let ca = postbox.ca_file();
        let more = format!("tls = 'starttls'\nca_file = '{}'\n{user}", ca.display());
        let failure = fails(&*channel(peer.port, &more), later(), SOON);
        assert!(failure.message.contains("more than one reply"), "{failure:?}");
    }
}

/// Sits between client and server and adds a reply to the one that opens the encryption.
fn slip_in(mut client: TcpStream, port: u16) {
    let mut server = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    let (mut up_from, mut up_to) =
        (client.try_clone().expect("a copy"), server.try_clone().expect("a copy"));
    thread::spawn(move || std::io::copy(&mut up_from, &mut up_to));
    let mut buffer = [0; 16 * 1024];
    let mut greetings = 0;
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        let mut bytes = buffer[..count].to_vec();
        if bytes.starts_with(b"220 ") {
            greetings += 1;
            if greetings == 2 {
                bytes.extend_from_slice(b"250-mail.test\r\n250 AUTH PLAIN LOGIN\r\n");
            }
        }
        if client.write_all(&bytes).is_err() {
            return;
        }
    }
}

#[test]
fn the_wrong_kind_of_port_is_recognised() {
    let Some(plain) = Postbox::start(Setup::default()) else { return };
    let failure = fails(&*channel(plain.port, "tls = 'implicit'"), later(), SOON);
    assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains("starttls")), "{failure:?}");
    let Some(encrypted) = Postbox::start(Setup { tls: "implicit", ..Setup::default() }) else {
        return;
    };
    let channel = channel(encrypted.port, "tls = 'starttls'\ntimeout = '500ms'");
    let failure = fails(&*channel, later(), SOON);
    assert!(failure.message.contains("greeting"), "{failure:?}");
}

#[test]
fn a_dripping_server_cannot_hold_the_call() {
    for (first, rest) in [
        ("220-welcome\r\n", "220-and more\r\n"),
        ("220 ok\r\n250-mail.test\r\n", "250-X-MORE\r\n"),
        ("220 ok\r\n250 mail.test\r\n250 ok\r\n250 ok\r\n354 go\r\n", "250-still thinking\r\n"),
    ] {
        let peer = Peer::dripping(first, rest);
        let by_timeout = channel(peer.port, "tls = 'none'\ntimeout = '600ms'");
        let failure = fails(&*by_timeout, later(), Duration::from_millis(1_200));
        assert!(!failure.permanent && failure.message.contains("took too long"), "{failure:?}");
        let by_deadline = channel(peer.port, "tls = 'none'");
        fails(&*by_deadline, within(Duration::from_millis(600)), Duration::from_millis(1_200));
    }
    let peer =
        Peer::dripping("220 ok\r\n250 mail.test\r\n250 ok\r\n250 ok\r\n354 go\r\n", "250-x\r\n");
    let failure = fails(&*channel(peer.port, "tls = 'none'\ntimeout = '600ms'"), later(), SOON);
    assert!(
        failure.hint.as_ref().is_some_and(|hint| hint.contains("may have arrived")),
        "{failure:?}"
    );
}

#[test]
fn silence_and_closed_doors_have_their_words() {
    let silent = Peer::silent();
    let patient = channel(silent.port, "tls = 'none'\ntimeout = '400ms'");
    let failure = fails(&*patient, later(), Duration::from_secs(1));
    assert!(failure.message.contains("waiting for its greeting"), "{failure:?}");

    let failure = fails(&*channel(closed_port(), "tls = 'none'"), later(), SOON);
    assert!(!failure.permanent && failure.message.contains("onnection refused"), "{failure:?}");

    let gone =
        Peer::reciting(&["220 mail.test\r\n", "250 mail.test\r\n", "421 4.3.2 going down\r\n"]);
    let failure = fails(&*channel(gone.port, "tls = 'none'"), later(), SOON);
    assert!(!failure.permanent && failure.message.contains("421 "), "{failure:?}");

    let gone = Peer::reciting(&["220 mail.test\r\n", "250 mail.test\r\n", "250 ok\r\n"]);
    let failure = fails(&*channel(gone.port, "tls = 'none'"), later(), SOON);
    assert!(!failure.permanent, "{failure:?}");

    let open = Peer::reciting(&["220 mail.test\r\n", "250 mail.test\r\n"]);
    let failure = fails(&*channel(open.port, "tls = 'none'\nuser = 'x'"), later(), SOON);
    assert!(failure.permanent && failure.message.contains("offers no login"), "{failure:?}");

    let busy = Peer::reciting(&["554 5.7.1 your address is on a list\r\n"]);
    let failure = fails(&*channel(busy.port, "tls = 'none'"), later(), SOON);
    assert!(failure.message.contains("on a list"), "{failure:?}");

    let nowhere = channel(25, "tls = 'starttls'\nhost = 'no-such-host.invalid'\ntimeout = '3s'");
    let failure = fails(&*nowhere, later(), SOON);
    assert!(!failure.permanent && failure.message.contains("no-such-host.invalid"), "{failure:?}");

    let begun_late = within(Duration::ZERO);
    let failure = fails(&*channel(silent.port, "tls = 'none'"), begun_late, SOON);
    assert!(failure.message.contains("used up"), "{failure:?}");
}

#[test]
fn a_hostile_reply_is_one_clean_line() {
    let peer = Peer::reciting(&["554 5.7.1 \x1b[2J\x07go away \u{202e}now\r\n"]);
    let failure = fails(&*channel(peer.port, "tls = 'none'"), later(), SOON);
    assert!(!failure.message.chars().any(char::is_control), "{:?}", failure.message);
    let endless =
        Peer::serve(|mut connection, _| while connection.write_all(&[b'5'; 4096]).is_ok() {});
    // Its greeting has no line feed: refused by its size, long before the time is up.
    let failure = fails(&*channel(endless.port, "tls = 'none'"), later(), SOON);
    assert!(failure.message.contains("too long") && words(&failure).len() < 2_000, "{failure:?}");
}

#[test]
fn mistakes_in_the_table_are_named_by_their_key() {
    let good = "type = 'smtp'\nhost = '127.0.0.1'\nfrom = 'a@example.org'\nto = 'b@example.org'\n";
    let problem = |table: &str, env: &[(&str, &str)]| {
        let problem = open(table, env).err().unwrap_or_else(|| panic!("opens: {table}"));
        assert!(
            !problem.hint.is_empty() && !format!("{problem:?}").contains("hunter2"),
            "{problem:?}"
        );
        problem.key
    };
    assert!(open(good, &[]).is_ok());
    for (more, key) in [
        ("tls = 'ssl'", "tls"),
        ("port = 0", "port"),
        ("timeout = '2h'", "timeout"),
        ("name = 'a b'", "name"),
        ("user = 'x'", "password_file"),
        ("user = ''", "user"),
        ("password_file = '/dev/null'", "user"),
        ("user = 'x'\npassword_file = '/nonexistent/hunter2'", "password_file"),
        ("user = 'x'\npassword_credential = 'hunter2'", "password_credential"),
        ("user = 'x'\npassword = 'hunter2'", "password"),
        ("ca_file = '/nonexistent/hunter2'", "ca_file"),
        ("ca_file = '/dev/null'", "ca_file"),
        ("hello = 'a b'", "hello"),
    ] {
        assert_eq!(problem(&format!("{good}{more}"), &[]), key, "{more}");
    }
    for (from, to, key) in [
        ("127.0.0.1'\n", "mail.example.org'\ntls = 'none'\n", "tls"),
        ("'127.0.0.1'", "'https://mail.example.org'", "host"),
        ("'a@example.org'", "'hunter2'", "from"),
        ("'b@example.org'", "['b@example.org', 'hunter2']", "to"),
        ("'b@example.org'", "[]", "to"),
        ("'b@example.org'", "'ü@example.org'", "to"),
    ] {
        assert_eq!(problem(&good.replace(from, to), &[]), key, "{to}");
    }
    let allowed =
        good.replace("'127.0.0.1'", "'mail.example.org'") + "tls = 'none'\nallow_plaintext = true";
    assert!(open(&allowed, &[]).is_ok());
}
