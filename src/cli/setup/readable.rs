//! Whether the service can read a folder of documents: as its user, on every part of the way, and through what
//! its unit hides.
//!
//! The kernel is asked, by programs that run as that user: modes alone do not say what access lists and groups
//! allow.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hygiene::ownership::own_uid;

use super::answers::UNITS;
use super::asked::Asked;
use crate::cli::exit;
use crate::cli::stop::Stop;
use crate::cli::tool::{tool, within};
use crate::knowledge::{MAIN_SOURCE, Source, found_in};

/// Folders that the packaged unit cannot see.
const HIDDEN: [&str; 6] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp", "/var/lib"];

/// The user of the packaged units.
const USER: &str = "katana-bot";

/// Longest time for a look at all documents.
const LOOK: Duration = Duration::from_secs(30);

/// Where anyone may put documents.
const USUAL: &str = "use /etc/katana-bot/knowledge or a folder in /srv";

/// Checks it as far as that can be seen here, and says what is in it.
pub(super) fn check(asked: &Asked<'_>, dir: &str) -> Result<(), Stop> {
    let path = Path::new(dir);
    let stop = |text: String, hint: &str| Err(Stop::new(exit::CONFIG, text, hint));
    let real = path.canonicalize().ok().filter(|real| path.is_absolute() && real.is_dir());
    let Some(real) = real else {
        return stop(format!("{dir} is not a folder"), "write its path from / on");
    };
    let unit = asked.runtime.block_on(Unit::ask(&asked.target.unit));
    let is_packaged = asked.args.units_dir == Path::new(UNITS);
    if is_packaged && [path, &real].iter().any(|path| is_hidden(path)) && !unit.shows(path) {
        return stop(format!("the service cannot see {dir}"), USUAL);
    }
    if let Some(obstacle) = asked.runtime.block_on(unit.obstacle(path, &real)) {
        let user = &unit.user;
        return match obstacle {
            Obstacle::Way(folder) => {
                let folder = folder.display();
                let text = format!("the service's user {user} cannot enter {folder}");
                stop(text, &format!("`chmod o+x {folder}` lets it through; or {USUAL}"))
            }
            Obstacle::Document(file) => {
                let text = format!("the service's user {user} cannot read {}", file.display());
                stop(text, &format!("`chmod -R o+rX {dir}` lets it; or {USUAL}"))
            }
        };
    }
    match found_in(&Source::new(MAIN_SOURCE, path)) {
        Ok((0, _)) => {
            eprintln!("There is no document in it yet.");
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(why) => stop(why, "choose another folder, or let everyone read it"),
    }
}

fn is_hidden(path: &Path) -> bool {
    HIDDEN.iter().any(|hidden| path.starts_with(hidden))
}

/// What the service's user cannot do.
enum Obstacle {
    /// Go through this folder.
    Way(PathBuf),
    /// Read this document, or list this folder.
    Document(PathBuf),
}

/// Prints the first of these folders that cannot be entered.
const ENTER: &str = r#"for d; do [ -x "$d" ] || { printf %s "$d"; exit 0; }; done"#;

/// Prints the first document, or folder of documents, that cannot be read.
const READ: &str = r#"cd "$1" && exec find . -name '.?*' -prune -o \
    -type d ! -executable -printf %p -quit -o \
    \( -type d -o -name '*.md' -o -name '*.txt' \) ! -readable -printf %p -quit"#;

/// What systemd says of the unit, as far as files go.
struct Unit {
    user: String,
    groups: Vec<String>,
    /// Paths that are made visible.
    bound: Vec<PathBuf>,
}

impl Unit {
    async fn ask(name: &str) -> Self {
        let wanted = "--property=User,SupplementaryGroups,BindPaths,BindReadOnlyPaths";
        let said = tool("systemctl", &["show", name, wanted]).await.unwrap_or_default();
        let words = |key: &str| -> Vec<String> {
            let values = said.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            values.flat_map(str::split_whitespace).map(str::to_owned).collect()
        };
        let bound = ["BindPaths", "BindReadOnlyPaths"].map(words).concat();
        Self {
            user: words("User").into_iter().next().unwrap_or_else(|| USER.to_owned()),
            groups: words("SupplementaryGroups"),
            // Source, target and options, with colons between them.
            bound: bound
                .iter()
                .filter_map(|one| one.split(':').nth(1))
                .map(PathBuf::from)
                .collect(),
        }
    }

    fn shows(&self, path: &Path) -> bool {
        self.bound.iter().any(|bound| path.starts_with(bound))
    }

    /// What its user cannot do on the way to this folder, or in it. `None` also where only that user, or root,
    /// could find out, or where there is no such user.
    async fn obstacle(&self, path: &Path, real: &Path) -> Option<Obstacle> {
        if own_uid() != 0 {
            return None;
        }
        let of_user = async |what| Some(tool("id", &[what, &self.user]).await?.trim().to_owned());
        let (uid, gid, own) = (of_user("-u").await?, of_user("-g").await?, of_user("-G").await?);
        let groups = own.split(' ').chain(self.groups.iter().map(String::as_str));
        let groups = groups.collect::<Vec<_>>().join(",");
        let become_it =
            [format!("--reuid={uid}"), format!("--regid={gid}"), format!("--groups={groups}")];
        let run = async |words: &[&str]| {
            let words: Vec<_> =
                become_it.iter().map(String::as_str).chain(words.iter().copied()).collect();
            let said = within(LOOK, "setpriv", &words).await?;
            (!said.is_empty()).then(|| PathBuf::from(said))
        };
        // First where the links lead, so that what stands in the way is named, not the link to it.
        let ancestors = |path: &Path| -> Option<Vec<String>> {
            let mut all: Vec<_> = path.ancestors().map(|p| Some(p.to_str()?.to_owned())).collect();
            all.reverse();
            all.into_iter().collect()
        };
        let way = [ancestors(real)?, ancestors(path)?].concat();
        let enter = ["sh", "-c", ENTER, "sh"];
        let words: Vec<_> = enter.into_iter().chain(way.iter().map(String::as_str)).collect();
        if let Some(folder) = run(&words).await {
            return Some(Obstacle::Way(folder));
        }
        let unread = run(&["sh", "-c", READ, "sh", path.to_str()?]).await?;
        Some(Obstacle::Document(path.join(unread.strip_prefix(".").unwrap_or(&unread))))
    }
}
