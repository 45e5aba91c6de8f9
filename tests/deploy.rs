//! The deployment files fit the program: settings, variables, versions, grace periods, health checks.
//!
//! Whether platforms accept them is shown by `tests/deploy/files.py`, with the platforms' own schemas.

#![allow(clippy::disallowed_methods, reason = "tests may start and write what they want")]

#[allow(dead_code, reason = "tests/tidy.rs needs the rest")]
mod source;

use std::collections::BTreeMap;
use std::process::{Command, Output};

use source::{File, files, read, top};

const DEPLOY: &str = "packaging/deploy";
const ENVIRONMENTS: [&str; 3] = ["testing", "staging", "production"];

/// The image that all files name.
const IMAGE: &str = "registry.example.org/katana-bot:";

/// `katana-bot check-config` with nothing else in its environment.
fn check_config(config: Option<&str>, variables: &[(String, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_katana-bot"));
    command.env_clear().env("HOME", "/nonexistent");
    command.env("KATANA_OPENAI_API_KEY", "example-of-a-key-0123456789");
    command.env("KATANA_WEB_ADMIN_TOKEN", "example-of-a-token-0123456789");
    command.envs(variables.iter().map(|(key, value)| (key, value)));
    if let Some(path) = config {
        command.arg("--config").arg(top().join(path));
    }
    command.args(["check-config", "--without-secrets"]).output().expect("the binary runs")
}

fn accepted(what: &str, done: &Output) {
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.is_empty(), "{what}: {said}");
}

fn deploy_files() -> Vec<File> {
    let files = files(&[DEPLOY]);
    assert!(files.len() >= 20, "{}", files.len());
    files
}

#[test]
fn settings_of_all_environments_are_good() {
    accepted("the image", &check_config(Some("packaging/image/katana-bot.toml"), &[]));
    accepted(
        "compose",
        &check_config(Some("packaging/deploy/compose/katana-bot.d/60-own.toml"), &[]),
    );
    for name in ENVIRONMENTS {
        let path = format!("{DEPLOY}/environments/{name}.toml");
        accepted(&path, &check_config(Some(&path), &[]));
        assert!(read(&path).contains(&format!("environment = \"{name}\"")), "{path}");
        let overlay = format!("{DEPLOY}/kubernetes/overlays/{name}/40-environment.toml");
        assert_eq!(read(&overlay), read(&path), "copy {path} to {overlay}");
    }
    assert!(read(&format!("{DEPLOY}/environments/production.toml")).contains("error_ratio = 0.01"));
}

/// Each variable of ours, or of a platform, that a file sets for the bot, with its value or a stand-in.
fn variables(text: &str) -> Vec<(String, String)> {
    let mut found = BTreeMap::new();
    let mut last_key = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let plain = line.replace("\":", ": ").replace(['"', '{', '}', ','], " ");
        let words: Vec<&str> = plain.split_whitespace().collect();
        let after =
            |name: &str| words.iter().position(|w| *w == name).and_then(|at| words.get(at + 1));
        // A list of names and values (Kubernetes, ECS), on one line or on two (Render).
        let name = after("name:").or(after("key:"));
        let value = after("value:");
        match (name, value) {
            (Some(name), Some(value)) => {
                found.insert((*name).to_owned(), (*value).to_owned());
            }
            (Some(name), None) => last_key = Some((*name).to_owned()),
            (None, Some(value)) => {
                if let Some(name) = last_key.take() {
                    found.insert(name, (*value).to_owned());
                }
            }
            (None, None) => {
                let split =
                    line.split_once(" = ").or(line.split_once(": ")).or(line.split_once('='));
                if let Some((name, value)) = split {
                    found.insert(name.to_owned(), value.trim_matches(['"', ' ']).to_owned());
                }
            }
        }
    }
    let is_ours = |name: &str| {
        name.starts_with("KATANA_")
            || ["ENVIRONMENT", "AI_PROVIDER", "AI_MODEL_NAME", "LOG_LEVEL", "PORT"].contains(&name)
    };
    found
        .into_iter()
        .filter(|(name, _)| is_ours(name) && !name.ends_with("_IMAGE"))
        .filter(|(_, value)| !value.starts_with('$') && !value.is_empty())
        .collect()
}

#[test]
fn the_program_knows_every_variable() {
    let secret = |text: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        file
    };
    let token = secret("123456789:example-of-a-token-that-is-long-enough");
    let key = secret("example-of-a-key-0123456789");
    for (path, at_least) in [
        ("compose/compose.yaml", 5),
        ("fly/fly.toml", 4),
        ("railway/variables.env", 4),
        ("render/render.yaml", 4),
        ("ecs/task-definition.json", 5),
        ("ecs/task-definition-documents.json", 8),
        ("kubernetes/components/documents/bot.yaml", 3),
        ("kubernetes/base/statefulset.yaml", 5),
    ] {
        let mut found = variables(&read(&format!("{DEPLOY}/{path}")));
        assert!(found.len() >= at_least, "{path}: {found:?}");
        // Its files of secrets are not here.
        for (name, value) in found.iter_mut().filter(|(name, _)| name.ends_with("_FILE")) {
            let file = if name.contains("TELEGRAM") { &token } else { &key };
            *value = file.path().display().to_string();
        }
        let done = check_config(None, &found);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{path}: {said}\n{found:?}");
    }
}

#[test]
fn all_files_name_the_image_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let mut named = 0;
    for file in deploy_files() {
        for (at, _) in file.text.match_indices(IMAGE) {
            let tag = &file.text[at + IMAGE.len()..];
            assert!(tag.starts_with(version), "{}: the image is not {version}", file.path);
            named += 1;
        }
    }
    assert!(named >= 6, "{named}");
    let kustomization = read(&format!("{DEPLOY}/kubernetes/base/kustomization.yaml"));
    assert!(kustomization.contains(&format!("newTag: {version}\n")), "{kustomization}");
}

/// The number after `key` in a file; both forms of writing it are known.
fn number(path: &str, key: &str) -> u64 {
    let text = read(&format!("{DEPLOY}/{path}"));
    let (_, after) = text.split_once(key).unwrap_or_else(|| panic!("{path} sets no {key}"));
    let digits = after.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

#[test]
fn each_platform_waits_longer_than_the_bot_drains() {
    for (path, platform, bot) in [
        ("compose/compose.yaml", "stop_grace_period:", "KATANA_LIFECYCLE_GRACE_S"),
        ("fly/fly.toml", "kill_timeout = ", "KATANA_LIFECYCLE_GRACE_S"),
        (
            "render/render.yaml",
            "maxShutdownDelaySeconds:",
            "KATANA_LIFECYCLE_GRACE_S\n        value",
        ),
        ("ecs/task-definition.json", "stopTimeout", "KATANA_LIFECYCLE_GRACE_S"),
        (
            "kubernetes/base/statefulset.yaml",
            "terminationGracePeriodSeconds",
            "KATANA_LIFECYCLE_GRACE_S",
        ),
    ] {
        let (platform, bot) = (number(path, platform), number(path, bot));
        // What is on its way is sent after the grace period of the answers.
        assert!(platform >= bot + 15, "{path}: {platform} s for {bot} s");
    }
    let railway = number("railway/railway.json", "drainingSeconds");
    assert!(railway >= number("railway/variables.env", "KATANA_LIFECYCLE_GRACE_S") + 15);
}

#[test]
fn each_platform_waits_for_a_large_state_to_be_migrated() {
    // Nothing answers while the state is opened, which may take five minutes after two of waiting for it.
    for (path, key, times, wanted) in [
        ("compose/compose.yaml", "start_period:", 1, 420),
        ("fly/fly.toml", "grace_period = ", 1, 420),
        ("railway/railway.json", "healthcheckTimeout", 1, 420),
        ("kubernetes/base/statefulset.yaml", "failureThreshold:", 5, 420),
        // The longest that ECS takes; three failed checks follow, 30 s apart.
        ("ecs/task-definition.json", "startPeriod", 1, 300),
        ("../Containerfile", "--start-period=", 1, 420),
    ] {
        assert!(number(path, key) * times >= wanted, "{path}: {key}");
    }
}

#[test]
fn each_platform_has_what_the_design_asks_for() {
    for (path, wanted) in [
        ("compose/compose.yaml", ["healthcheck, --alive", "unless-stopped", "memory:", "secrets:"]),
        ("fly/fly.toml", ["/health", "policy = \"always\"", "memory", "kill_signal"]),
        ("railway/railway.json", ["/health", "ALWAYS", "requiredMountPath", "numReplicas"]),
        ("render/render.yaml", ["/live", "disk:", "plan:", "sync: false"]),
        (
            "ecs/task-definition.json",
            ["\"healthcheck\", \"--alive\"", "restartPolicy", "memory", "valueFrom"],
        ),
        (
            "kubernetes/base/statefulset.yaml",
            ["healthcheck, --alive", "/ready", "limits:", "secretName"],
        ),
    ] {
        let text = read(&format!("{DEPLOY}/{path}"));
        for words in wanted {
            // Compose does not restart what is unhealthy, so there it may be red in an outage.
            let words = if path.starts_with("compose") {
                words.trim_end_matches(", --alive")
            } else {
                words
            };
            assert!(text.contains(words), "{path} has no {words:?}");
        }
    }
}

#[test]
fn no_file_holds_a_secret() {
    for file in deploy_files() {
        for (n, line) in file.text.lines().enumerate() {
            let looks_like_a_token = line
                .split(|c: char| !c.is_alphanumeric() && c != ':' && c != '_' && c != '-')
                .any(|word| {
                    word.split_once(':').is_some_and(|(id, key)| {
                        id.len() >= 6 && id.chars().all(|c| c.is_ascii_digit()) && key.len() >= 20
                    })
                });
            assert!(!looks_like_a_token && !line.contains("sk-"), "{}:{}", file.path, n + 1);
        }
    }
}

#[test]
fn every_platform_has_a_page_with_emergency_procedures() {
    for platform in ["compose", "kubernetes", "fly", "railway", "render", "ecs"] {
        let page = read(&format!("docs/deploy/{platform}.md"));
        let (_, emergency) = page.split_once("## Emergency\n").expect(platform);
        for procedure in
            ["logs", "state", "set or rotate a secret", "roll back", "scale to zero", "restart"]
        {
            assert!(emergency.contains(&format!("| {procedure} |")), "{platform}: {procedure}");
        }
        assert!(read("docs/deploy/README.md").contains(&format!("({platform}.md)")), "{platform}");
    }
}
