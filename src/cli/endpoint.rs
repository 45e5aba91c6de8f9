//! Finds the running daemon from outside its unit, and queries its HTTP endpoint.
//!
//! Invariant: an answer takes at most [`WHOLE`] and [`MOST_BYTES`], whatever listens there. The
//! connection is plain TCP to this machine; the admin token goes nowhere else.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::{Loaded, Sources};

/// Longest time for one question.
const WHOLE: Duration = Duration::from_secs(3);

/// Largest answer that is read.
const MOST_BYTES: usize = 256 * 1024;

/// The default address.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where the packaged units' configurations are: `katana-bot.toml`, and `NAME.toml` of
/// `katana-bot@NAME`.
pub(super) const CONFIG_FOLDER: &str = "/etc/katana-bot";

/// Where units of the package, and of an administrator, are.
const UNIT_FOLDERS: [&str; 2] = ["/etc/systemd/system", "/usr/lib/systemd/system"];

/// What the endpoint answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) code: u16,
    /// The body, when it is JSON.
    pub(super) json: Option<serde_json::Value>,
}

/// The settings as the packaged daemon sees them. Outside of its unit, the variables that systemd
/// sets are missing; its folders show what they would be, or, before its first start, the unit.
pub(super) fn sources(file: Option<PathBuf>) -> Sources {
    let mut sources = Sources::from_process(file);
    let unit = unit(sources.file());
    let file = format!("{}.service", template(&unit).as_deref().unwrap_or(&unit));
    let is_installed = UNIT_FOLDERS.iter().any(|folder| Path::new(folder).join(&file).exists());
    for (name, top) in [("STATE_DIRECTORY", "/var/lib"), ("RUNTIME_DIRECTORY", "/run")] {
        let folder = format!("{top}/{unit}");
        if !sources.env.contains_key(name) && (is_installed || Path::new(&folder).is_dir()) {
            sources.env.insert(name.to_owned(), folder);
        }
    }
    sources
}

/// The packaged unit that reads this configuration; its folders and secrets have its name.
pub(super) fn unit(config: Option<&Path>) -> String {
    match config
        .filter(|file| is_packaged(file))
        .and_then(Path::file_stem)
        .and_then(std::ffi::OsStr::to_str)
    {
        Some(name) if name != "katana-bot" => format!("katana-bot@{name}"),
        _ => "katana-bot".to_owned(),
    }
}

/// Whether one of the packaged units reads this configuration.
pub(super) fn is_packaged(config: &Path) -> bool {
    let packaged = Path::new(CONFIG_FOLDER);
    let file = std::path::absolute(config).unwrap_or_default();
    let Some(folder) = file.parent() else { return false };
    // By another way, too, such as a link or `..`.
    let is_same = || Some(folder.canonicalize().ok()? == packaged.canonicalize().ok()?);
    folder == packaged || is_same() == Some(true)
}

/// The configuration of `katana-bot@NAME`.
pub(super) fn config_of(instance: &str) -> PathBuf {
    Path::new(CONFIG_FOLDER).join(format!("{instance}.toml"))
}

/// Reads what may follow the @ of a unit: it becomes part of file names.
pub(super) fn instance(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if ["katana-bot", "check-heartbeat"].contains(&text) {
        return Err(format!("{CONFIG_FOLDER}/{text}.toml is another configuration"));
    }
    match !text.is_empty() && text.len() <= 40 && text.chars().all(good) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits, _ and -, at most 40".to_owned()),
    }
}

/// The template of the unit, if it is one of several bots.
pub(super) fn template(unit: &str) -> Option<String> {
    unit.split_once('@').map(|(kind, _)| format!("{kind}@"))
}

/// Where the daemon listens by this configuration; `None` if the endpoint is off.
pub(super) fn address(loaded: &Loaded) -> Option<SocketAddr> {
    match loaded.text("web.listen") {
        Some(text) => text.parse().ok(),
        None => Some(DEFAULT),
    }
}

/// The address to ask when the daemon listens on `listen`: all addresses include the loopback.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// `GET path`, with the admin token when there is one. The error says why there is no answer.
pub(super) fn get(
    listen: SocketAddr,
    path: &str,
    token: Option<&str>,
) -> Result<Answer, std::io::Error> {
    let end = Instant::now() + WHOLE;
    let address = reachable(listen);
    let mut stream = TcpStream::connect_timeout(&address, WHOLE)?;
    // HTTP/1.0: the answer comes in one piece, and the connection ends with it.
    let mut request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n");
    request.push_str("Accept: application/json, application/health+json\r\n");
    if let Some(token) = token {
        request.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    request.push_str("\r\n");
    stream.set_write_timeout(Some(WHOLE))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || bytes.len() > MOST_BYTES {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => break,
            n => bytes.extend_from_slice(&piece[..n]),
        }
    }
    answer(&bytes).ok_or_else(|| std::io::Error::other("the program there does not speak HTTP"))
}

fn answer(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut words = head.lines().next()?.split_whitespace();
    let code = words.next().filter(|version| version.starts_with("HTTP/")).and(words.next())?;
    Some(Answer { code: code.parse().ok()?, json: serde_json::from_str(body).ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_belongs_to_the_unit_of_its_name() {
        for (file, wanted) in [
            (None, "katana-bot"),
            (Some("/etc/katana-bot/katana-bot.toml"), "katana-bot"),
            (Some("/etc/katana-bot/staging.toml"), "katana-bot@staging"),
            (Some("staging.toml"), "katana-bot"),
            (Some("/etc/staging.toml"), "katana-bot"),
        ] {
            assert_eq!(unit(file.map(Path::new)), wanted, "{file:?}");
        }
    }

    #[test]
    fn all_addresses_are_asked_over_the_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }

    #[test]
    fn answers_are_read_and_nonsense_is_none() {
        let good = answer(b"HTTP/1.0 503 No\r\nA: b\r\n\r\n{\"status\":\"unhealthy\"}").unwrap();
        assert_eq!((good.code, good.json.unwrap()["status"].as_str()), (503, Some("unhealthy")));
        assert!(answer(b"HTTP/1.1 200 OK\r\n\r\n<html>").unwrap().json.is_none());
        for nonsense in [&b""[..], b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1\r\n\r\n"] {
            assert!(answer(nonsense).is_none());
        }
    }
}
