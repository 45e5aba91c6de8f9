//! HTTPS as it is in the field: the system's store decides whom to trust.
//!
//! The store can only be replaced for a whole process (`SSL_CERT_FILE`), so the part that trusts runs
//! in a process of its own.

use std::io::Write;
use std::process::Command;
use std::sync::Arc;

use check_heartbeat::channel::ping;
use check_heartbeat::notification::Kind;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::peers::{Peer, request};
use crate::postbox::authority;
use crate::telegram::channel;
use crate::webhook::webhook;
use crate::{later, notice, passes};

/// The variable by which the other process finds the server.
const PORT: &str = "KATANA_TEST_TLS_PORT";

/// A server on HTTPS that accepts everything, in Telegram's words.
fn server(dir: &std::path::Path) -> Peer {
    let (ca, chain) = (dir.join("ca.pem"), dir.join("chain.pem"));
    authority(&ca, &chain);
    let certificate = CertificateDer::from_pem_file(&chain).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(&chain).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a pair");
    let config = Arc::new(config);
    Peer::serve(move |connection, _| {
        let tls = ServerConnection::new(Arc::clone(&config)).expect("a connection");
        let mut stream = StreamOwned::new(tls, connection);
        if !request(&mut stream).is_empty() {
            let body = r#"{"ok":true,"result":{}}"#;
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    })
}

#[test]
fn the_systems_store_decides() {
    let dir = tempfile::tempdir().expect("a directory");
    let peer = server(dir.path());
    let url = format!("https://127.0.0.1:{}", peer.port);
    for failure in [
        ping(&url, later()).expect_err("not trusted"),
        channel(&url, "").deliver(&notice(1, Kind::Down), later()).expect_err("not trusted"),
        webhook(&url).deliver(&notice(1, Kind::Down), later()).expect_err("not trusted"),
    ] {
        assert!(failure.message.contains("certificate"), "{failure:?}");
        assert!(failure.hint.is_some(), "{failure:?}");
    }
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "tls::in_a_process_that_trusts", "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", dir.path().join("ca.pem"))
        .env(PORT, peer.port.to_string());
    passes(command);
}

#[test]
#[ignore = "run by the_systems_store_decides, in a process of its own"]
fn in_a_process_that_trusts() {
    let port = std::env::var(PORT).expect("run by the_systems_store_decides");
    let url = format!("https://127.0.0.1:{port}");
    assert_eq!(ping(&format!("{url}/id"), later()), Ok(()));
    channel(&url, "").deliver(&notice(1, Kind::Down), later()).expect("accepted");
    webhook(&url).deliver(&notice(1, Kind::Down), later()).expect("accepted");
    let failure = ping(&format!("https://localhost:{port}/id"), later()).expect_err("another name");
    assert!(failure.message.contains("certificate"), "{failure:?}");
}
