//! The first configuration of one of several bots, with its own port.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::plan::Target;

/// Ports that are tried, after that of the first bot.
const PORTS: std::ops::Range<u16> = 8081..8181;

/// A configuration for a bot that has none.
pub(super) fn config(target: &Target) -> String {
    let listen = match target.config.parent().and_then(free_port) {
        Some(port) => format!("127.0.0.1:{port}"),
        None => "off".to_owned(),
    };
    format!(
        "# {}. All keys, each with a comment: katana-bot.toml(5).\n\n\
         [web]\n# Each bot on a machine needs its own port.\nlisten = \"{listen}\"\n",
        target.unit
    )
}

/// A port that no program listens on and no other configuration in the folder, or drop-in, names.
fn free_port(folder: &Path) -> Option<u16> {
    let entries = std::fs::read_dir(folder).ok().into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).flat_map(|path| match path.is_dir() {
        true => hygiene::drop_ins::list(&path).unwrap_or_default().files,
        false => vec![path],
    });
    let texts: Vec<_> = files.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    PORTS.into_iter().find(|port| {
        let named = ['"', '\''].map(|quote| format!(":{port}{quote}"));
        !texts.iter().any(|text| named.iter().any(|named| text.contains(named)))
            && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_bots_get_one_port() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = free_port(folder.path()).expect("a port");
        let text = format!("[web]\nlisten = \"127.0.0.1:{first}\"\n");
        std::fs::write(folder.path().join("staging.toml"), text).expect("written");
        let second = free_port(folder.path()).expect("a port");
        assert!(first != second && PORTS.contains(&first) && PORTS.contains(&second));
        let drop_ins = folder.path().join("testing.d");
        std::fs::create_dir(&drop_ins).expect("made");
        let text = format!("[web]\nlisten = '127.0.0.1:{second}'\n");
        std::fs::write(drop_ins.join("60-own.toml"), text).expect("written");
        let third = free_port(folder.path()).expect("a port");
        assert!(third != first && third != second);
        let held: Vec<_> =
            PORTS.filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()).collect();
        assert!(!held.is_empty() && free_port(folder.path()).is_none());
    }
}
