//! Opening a connection to the Bot API: names, addresses, proxies, TLS.
//!
//! Invariant: whom to trust is decided by the machine's certificates alone.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::http::{HeaderMap, HeaderValue, Uri, header};
use hyper::rt::{Read, Write};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use tower_service::Service;

/// So often a silent connection is asked whether it lives, at most [`KEEPALIVE_TRIES`] times in vain.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_TRIES: u32 = 3;

/// How long what was sent may stay unacknowledged before the connection counts as broken.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// A connection as bytes.
pub(super) type Stream = Box<dyn ReadWrite>;

/// What a connection can do.
pub(super) trait ReadWrite: Read + Write + Unpin + Send {}
impl<T: Read + Write + Unpin + Send> ReadWrite for T {}

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Opening = Pin<Box<dyn Future<Output = Result<Stream, Failure>> + Send>>;

/// Opens connections to one server.
pub(super) type Open = Arc<dyn Fn() -> Opening + Send + Sync>;

/// Where calls go, and how. No `Debug`: the headers may hold passwords.
pub(in crate::telegram) struct Target {
    pub(super) open: Open,
    /// The `Host` header, and credentials for a server or a proxy that wants some.
    pub(super) headers: HeaderMap,
    /// What goes before a path: the server's own prefix, and the server where a proxy has to know it.
    pub(super) prefix: String,
}

impl Target {
    /// `url`: the server's, with a path if it has one. Proxies are those of the environment.
    ///
    /// # Errors
    /// When the address makes no sense, or the machine has no certificates to trust. Names no part of
    /// the address.
    pub(in crate::telegram) fn new(url: &str) -> Result<Self, String> {
        let server: Uri = url.parse().map_err(|_| "the address of the Bot API is not a URL")?;
        let host = server.authority().ok_or("the address of the Bot API has no host")?.as_str();
        let host = host.rsplit('@').next().unwrap_or(host);
        let path = server.path_and_query().map_or("", PathAndQuery::as_str).trim_end_matches('/');
        let (mut prefix, mut headers) = (path.to_owned(), HeaderMap::new());
        let header = HeaderValue::from_str(host).map_err(|_| "the host of the Bot API is odd")?;
        headers.insert(header::HOST, header);
        // The same form as a proxy's address, so its reader finds the credential in it.
        let itself = Matcher::builder().all(url).build().intercept(&server);
        if let Some(credential) = itself.as_ref().and_then(|itself| itself.basic_auth()) {
            headers.insert(header::AUTHORIZATION, credential.clone());
        }
        let (proxy, tcp) = (Matcher::from_env().intercept(&server), tcp());
        let scheme = proxy.as_ref().and_then(|proxy| proxy.uri().scheme_str());
        if scheme.is_some_and(|scheme| scheme != "http" && scheme != "https") {
            return Err(
                "the proxy of the environment must begin with http:// or https://".to_owned()
            );
        }
        let open = match (server.scheme() == Some(&Scheme::HTTPS), proxy) {
            (true, None) => opener(HttpsConnector::from((tcp, trusting()?)), server),
            (true, Some(proxy)) => {
                let config = trusting()?;
                let to_proxy = HttpsConnector::from((tcp, Arc::clone(&config)));
                let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
                if let Some(credential) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(credential.clone());
                }
                opener(HttpsConnector::from((tunnel, config)), server)
            }
            (false, None) => opener(tcp, server),
            // Such a proxy reads each request and forwards it.
            (false, Some(proxy)) => {
                prefix.insert_str(0, &format!("http://{host}"));
                if let Some(credential) = proxy.basic_auth() {
                    headers.insert(header::PROXY_AUTHORIZATION, credential.clone());
                }
                let proxy = proxy.uri().clone();
                if proxy.scheme() == Some(&Scheme::HTTPS) {
                    opener(HttpsConnector::from((tcp, trusting()?)), proxy)
                } else {
                    opener(tcp, proxy)
                }
            }
        };
        Ok(Self { open, headers, prefix })
    }
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE));
    tcp.set_keepalive_retries(Some(KEEPALIVE_TRIES));
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    tcp
}

/// Reads the machine's certificates.
fn trusting() -> Result<Arc<ClientConfig>, String> {
    let config = ClientConfig::with_platform_verifier();
    config.map(Arc::new).map_err(|e| format!("no certificates to trust: {e}"))
}

fn opener<C>(connector: C, to: Uri) -> Open
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: ReadWrite + 'static,
    C::Error: Into<Failure>,
    C::Future: Send,
{
    Arc::new(move || {
        let (mut connector, to) = (connector.clone(), to.clone());
        Box::pin(async move {
            poll_fn(|cx| connector.poll_ready(cx)).await.map_err(Into::into)?;
            let stream = connector.call(to).await.map_err(Into::into)?;
            Ok(Box::new(stream) as Stream)
        })
    })
}
