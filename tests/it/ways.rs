//! Ways to the Bot API: TLS by the machine's certificates, proxies of the environment, names with
//! addresses that do not answer. The real binary, because only a process has an environment.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::harness::{OWNER, SOON, Stage};
use crate::process::{self, Daemon};

/// The simulator behind TLS.
struct Secure {
    port: u16,
    _serving: JoinSet<()>,
}

/// A proxy, and the heads of the requests that began each of its connections.
struct Proxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

/// Where the simulator listens.
fn place(stage: &Stage) -> String {
    let url = stage.sim.api_url();
    url.trim_start_matches("http://").split('/').next().expect("a host").to_owned()
}

impl Secure {
    /// Its certificate is for `localhost`; the authority that signed it is written to `ca`.
    async fn before(stage: &Stage, ca: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        let issuer = issuer.expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
        let leaf = params.signed_by(&key, &issuer).expect("a certificate");
        std::fs::write(ca, issuer.pem()).expect("written");
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(leaf)], key)
            .expect("a pair");
        let (acceptor, server) = (TlsAcceptor::from(Arc::new(config)), place(stage));
        // Only this address: `localhost` may have another one, too, which refuses.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let (acceptor, server) = (acceptor.clone(), server.clone());
                connections.spawn(async move {
                    let Ok(mut here) = acceptor.accept(connection).await else { return };
                    let mut there = TcpStream::connect(server).await.expect("the simulator");
                    let _ = copy_bidirectional(&mut here, &mut there).await;
                });
            }
        });
        Self { port, _serving: serving }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

impl Proxy {
    /// `refusal`: what it answers to everything; it forwards without one.
    async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut serving) = (Arc::clone(&heads), JoinSet::new());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.spawn(forward(connection, Arc::clone(&seen), refusal));
            }
        });
        Self { port, heads, _serving: serving }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("a lock").clone()
    }
}

async fn forward(
    mut here: TcpStream,
    heads: Arc<Mutex<Vec<String>>>,
    refusal: Option<&'static str>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match here.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let words = String::from_utf8(head.clone()).expect("UTF-8");
    heads.lock().expect("a lock").push(words.clone());
    if let Some(refusal) = refusal {
        let _ = here.write_all(refusal.as_bytes()).await;
        return;
    }
    let target = words.split(' ').nth(1).expect("a target");
    let tunnels = words.starts_with("CONNECT ");
    let place = target.trim_start_matches("http://").split('/').next().expect("a host");
    let mut there = TcpStream::connect(place).await.expect("the server");
    if tunnels {
        here.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.expect("it listens");
    } else {
        there.write_all(&head).await.expect("it listens");
    }
    let _ = copy_bidirectional(&mut here, &mut there).await;
}

/// Starts the bot, asks it something, and waits for the answer.
async fn answers(stage: &Stage, words: &str) -> Daemon {
    let bot = Daemon::start(stage);
    let before = stage.sim.bot_messages(OWNER).len();
    stage.sim.say(OWNER, words);
    let heard = |sim: &botapi_sim::Sim| sim.bot_messages(OWNER).len() > before;
    assert!(stage.sim.wait_until(SOON, heard).await, "{}", bot.log());
    assert_eq!(stage.sim.bot_messages(OWNER)[before].text, format!("echo: {words}"));
    bot
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_certificates_decide_whom_to_trust() {
    let mut stage = Stage::new().await;
    let ca = stage.dir.path().join("ca.pem");
    let secure = Secure::before(&stage, &ca).await;
    stage.set("KATANA_TELEGRAM_API_URL", &secure.url());
    let bot = Daemon::start(&stage);
    bot.says("certificate").await;
    drop(bot);
    stage.set("SSL_CERT_FILE", &ca.display().to_string());
    drop(answers(&stage, "is anybody there?").await);
    // Signed by the same authority, but for another name.
    stage.set("KATANA_TELEGRAM_API_URL", &format!("https://127.0.0.1:{}", secure.port));
    Daemon::start(&stage).says("certificate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_forwards_bytes_to_https_and_single_requests_to_http() {
    let mut stage = Stage::new().await;
    let ca = stage.dir.path().join("ca.pem");
    let (secure, plain) = (Secure::before(&stage, &ca).await, stage.sim.api_url());
    stage.set("SSL_CERT_FILE", &ca.display().to_string());
    for (variable, url) in [("HTTPS_PROXY", secure.url()), ("HTTP_PROXY", plain)] {
        let proxy = Proxy::start(None).await;
        let address = format!("http://ann:hunter2@127.0.0.1:{}", proxy.port);
        stage.set("KATANA_TELEGRAM_API_URL", &url).set(variable, &address);
        let bot = answers(&stage, variable).await;
        assert!(!bot.log().contains("hunter2"), "{}", bot.log());
        drop(bot);
        let heads = proxy.heads();
        // ann:hunter2
        assert!(heads[0].contains("Basic YW5uOmh1bnRlcjI="), "{heads:?}");
        let place = format!("CONNECT localhost:{} ", secure.port);
        match variable {
            "HTTPS_PROXY" => assert!(heads.iter().all(|head| head.starts_with(&place))),
            _ => assert!(heads[0].starts_with(&format!("POST {url}/bot")), "{heads:?}"),
        }
        // Not for this host.
        stage.set("NO_PROXY", "example.org,localhost,127.0.0.1");
        let before = proxy.heads().len();
        drop(answers(&stage, "directly").await);
        assert_eq!(proxy.heads().len(), before);
        stage.set("NO_PROXY", "").set(variable, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_named_and_nothing_is_sent_past_it() {
    let mut stage = Stage::new().await;
    let ca = stage.dir.path().join("ca.pem");
    let secure = Secure::before(&stage, &ca).await;
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let proxy = Proxy::start(Some(refusal)).await;
    stage
        .set("SSL_CERT_FILE", &ca.display().to_string())
        .set("KATANA_TELEGRAM_API_URL", &secure.url())
        .set("https_proxy", &format!("http://127.0.0.1:{}", proxy.port));
    let bot = Daemon::start(&stage);
    bot.says("proxy authorization required").await;
    assert_eq!(stage.sim.calls("getMe"), 0, "{}", bot.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_refuses_does_not_hide_one_that_answers() {
    let mut stage = Stage::new().await;
    let port = place(&stage).rsplit(':').next().expect("a port").to_owned();
    // The name may have an address of IPv6 first, where nothing listens.
    stage.set("KATANA_TELEGRAM_API_URL", &format!("http://localhost:{port}"));
    drop(answers(&stage, "is anybody there?").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_ca_certificates_it_says_what_to_install() {
    let mut stage = Stage::new().await;
    let nothing = stage.dir.path().join("none.pem");
    std::fs::write(&nothing, "").expect("written");
    stage.set("SSL_CERT_FILE", &nothing.display().to_string());
    stage.set("SSL_CERT_DIR", &stage.dir.path().join("none").display().to_string());
    stage.set("KATANA_TELEGRAM_API_URL", "https://localhost:1");
    let out = process::run(&stage, &["run"]).await;
    assert_eq!(out.code, Some(69), "{}", out.stderr);
    assert!(out.stderr.contains("apt install ca-certificates"), "{}", out.stderr);
}
