//! `katana-bot setup` while secrets change between plain and encrypted: wherever it is stopped, the
//! units find their secrets, and the next setup goes on.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::backup::at;
use crate::harness::Stage;
use crate::setup::{KEY, bare, program, scripted, secret};
use crate::setup_systemd::{booted, can_boot};

const TOKEN_FILE: &str = "katana-bot.telegram-token";
const KEY_FILE: &str = "katana-bot.openai-api-key";
const DROP_IN: &str = "units/katana-bot.service.d/10-encrypted-credentials.conf";

/// Each flag, the folder that secrets leave, and the one that they come to.
const WAYS: [(&str, &str, &str); 2] = [
    ("--encrypt", "credstore", "credstore.encrypted"),
    ("--plain", "credstore.encrypted", "credstore"),
];

/// Encrypts by writing backwards; not what `broken` names.
const CREDS: &str = r#"
for word in "$@"; do case "$word" in --name=*) name=${word#--name=} ;; esac; done
if grep -qx "$name" "$DIR/broken" 2>/dev/null; then echo no key >&2; exit 1; fi
case "$1" in encrypt) rev ;; decrypt) rev <"$3" ;; esac
"#;

/// A stage with a token and a key, both plain, and a systemd-creds.
async fn stage() -> Stage {
    let mut stage = bare().await;
    let dir = stage.dir.path().display().to_string();
    stage.set("DIR", &dir);
    program(&stage, "systemd-creds", CREDS);
    write(&stage, &format!("credstore/{TOKEN_FILE}"), &format!("{}\n", stage.sim.token()));
    write(&stage, &format!("credstore/{KEY_FILE}"), &format!("{KEY}\n"));
    let out = scripted(&stage, "", &["--no-start"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    stage
}

fn write(stage: &Stage, name: &str, text: &str) {
    let path = at(stage, name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

fn remove(stage: &Stage, name: &str) {
    std::fs::remove_file(at(stage, name)).expect("removed");
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

/// Token and key in one of the folders, as they are or opened.
fn kept(stage: &Stage, folder: &str) -> [Option<String>; 2] {
    [TOKEN_FILE, KEY_FILE].map(|name| {
        let text = std::fs::read_to_string(at(stage, folder).join(name)).ok()?;
        let is_plain = folder == "credstore";
        Some(if is_plain { text.trim().to_owned() } else { backwards(text.trim()) })
    })
}

fn both(stage: &Stage) -> [Option<String>; 2] {
    [Some(stage.sim.token().to_owned()), Some(KEY.to_owned())]
}

const NONE: [Option<String>; 2] = [None, None];

/// What the unit would be given, by systemd.exec(5): a file that a drop-in names must be there.
fn given(stage: &Stage) -> [Option<String>; 2] {
    let drop_in = std::fs::read_to_string(at(stage, DROP_IN)).unwrap_or_default();
    let [plain, sealed] = ["credstore", "credstore.encrypted"].map(|folder| kept(stage, folder));
    let named = |id: &str| {
        let line = drop_in.lines().find_map(|l| l.strip_prefix(&format!("{id}:")));
        line.inspect(|path| assert!(Path::new(path).exists(), "{path}")).is_some()
    };
    let ids =
        ["telegram-token", "openai-api-key"].map(|id| format!("LoadCredentialEncrypted={id}"));
    let mut forms = plain.into_iter().zip(sealed);
    ids.map(|id| {
        let (plain, sealed) = forms.next().expect("two");
        if named(&id) { sealed } else { plain }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_encrypted_or_decrypted_stops_it_with_nothing_taken_away() {
    let stage = stage().await;
    for (flag, folder, other) in WAYS {
        write(&stage, "broken", "openai-api-key\n");
        let out = scripted(&stage, "", &[flag, "--no-start"]);
        assert!(out.code == Some(69) && out.stderr.contains("systemd-creds"), "{out:?}");
        assert_eq!(kept(&stage, folder), both(&stage), "{flag}");
        assert_eq!(kept(&stage, other), NONE, "{flag}");
        assert_eq!(given(&stage), both(&stage), "{flag}");
        remove(&stage, "broken");
        let out = scripted(&stage, "", &[flag, "--no-start"]);
        assert_eq!(out.code, Some(0), "{out:?}");
        assert_eq!(kept(&stage, folder), NONE, "{flag}");
        assert_eq!(given(&stage), both(&stage), "{flag}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_is_stopped_between_the_forms_goes_on_from_what_the_unit_is_given() {
    let stage = stage().await;
    for (flag, folder, other) in WAYS {
        let stopped = || {
            // A configuration that cannot be written, when the new forms are there already.
            symlink(at(&stage, "nowhere/x"), at(&stage, "katana-bot.d")).expect("a link");
            let more = [flag, "--provider", "offline", "--yes", "--no-start"];
            let out = scripted(&stage, "", &more);
            assert!(out.code == Some(69) && out.stderr.contains("katana-bot.d"), "{out:?}");
            remove(&stage, "katana-bot.d");
            assert_eq!((kept(&stage, folder), kept(&stage, other)), (both(&stage), both(&stage)));
            assert_eq!(given(&stage), both(&stage), "{flag}");
        };
        stopped();
        // It is no longer wanted: all is as it was.
        let out = scripted(&stage, "", &["--no-start"]);
        assert_eq!(out.code, Some(0), "{out:?}");
        assert_eq!((kept(&stage, other), given(&stage)), (NONE, both(&stage)), "{flag}");
        // It is asked for again.
        stopped();
        let out = scripted(&stage, "", &[flag, "--no-start"]);
        assert_eq!(out.code, Some(0), "{out:?}");
        assert_eq!((kept(&stage, folder), given(&stage)), (NONE, both(&stage)), "{flag}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_forms_the_one_that_the_unit_is_given_counts() {
    let stage = stage().await;
    // Written by hand since an encryption was stopped.
    write(
        &stage,
        &format!("credstore.encrypted/{KEY_FILE}"),
        &backwards("sk-an-old-one-0123456789"),
    );
    let out = scripted(&stage, "", &["--no-start"]);
    assert!(out.code == Some(0) && out.stderr.contains("is not used"), "{out:?}");
    let out = scripted(&stage, "", &["--encrypt", "--no-start"]);
    assert_eq!((out.code, given(&stage)), (Some(0), both(&stage)), "{out:?}");
    assert_eq!(kept(&stage, "credstore"), NONE);
    // A plain one that the user put beside is reported, and left to them.
    write(&stage, &format!("credstore/{KEY_FILE}"), "sk-another-one-0123456789\n");
    let out = scripted(&stage, "", &["--encrypt", "--no-start"]);
    assert!(out.code == Some(0) && out.stderr.contains("is not used"), "{out:?}");
    assert_eq!(secret(&stage, KEY_FILE).as_deref(), Some("sk-another-one-0123456789"));
    assert_eq!(given(&stage), both(&stage));
    // Another drop-in would hide the plain ones.
    let theirs = "units/katana-bot.service.d/encrypted-credentials.conf";
    write(&stage, theirs, "[Service]\nLoadCredentialEncrypted=telegram-token:katana-bot.x\n");
    let out = scripted(&stage, "", &["--plain", "--no-start"]);
    assert!(out.code == Some(78) && out.stderr.contains(theirs), "{out:?}");
    assert_eq!(given(&stage), both(&stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_forms_go_when_systemd_has_read_the_units_again_however_long_that_takes() {
    if !can_boot() {
        return;
    }
    let stage = stage().await;
    program(&stage, "systemctl", "exit 1");
    let out = booted(&stage, "", &["--encrypt", "--no-start"]);
    let words = "systemd cannot reload its units";
    assert!(out.code == Some(69) && out.stderr.contains(words), "{out:?}");
    assert_eq!((kept(&stage, "credstore"), given(&stage)), (both(&stage), both(&stage)));
    // Longer than a question may take.
    let slow = "[ $1 != daemon-reload ] || { ls $DIR/credstore > $DIR/then; sleep 6; }";
    program(&stage, "systemctl", slow);
    let out = booted(&stage, "", &["--encrypt", "--no-start"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    let then = std::fs::read_to_string(at(&stage, "then")).expect("it was read");
    assert!(then.contains(TOKEN_FILE) && then.contains(KEY_FILE), "{then}");
    assert_eq!((kept(&stage, "credstore"), given(&stage)), (NONE, both(&stage)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_token_that_is_kept_is_known_like_a_plain_one() {
    let stage = stage().await;
    let out = scripted(&stage, "", &["--encrypt", "--no-start"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    let out = scripted(&stage, "", &["--no-start"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.stdout.contains("The bot: https://t.me/katana_sim_bot\n"), "{out:?}");
    assert_eq!((kept(&stage, "credstore"), given(&stage)), (NONE, both(&stage)));
    // The watched bot cannot tell of itself, whether it is given for that or there already.
    let flags = ["--alert", "telegram", "--alert-chat-id", "5", "--yes", "--no-start"];
    let input = format!("{}\n", stage.sim.token());
    let out = scripted(&stage, &input, &[&flags[..], &["--alert-token-file", "-"]].concat());
    assert!(out.code == Some(78) && out.stderr.contains("same bot"), "{out:?}");
    let alert = "credstore.encrypted/katana-bot.telegram-alert-token";
    write(&stage, alert, &backwards(stage.sim.token()));
    let out = scripted(&stage, "", &flags);
    assert!(out.code == Some(78) && out.stderr.contains("same bot"), "{out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_secret_of_the_alerts_is_encrypted_with_the_others() {
    let stage = stage().await;
    let names = ["telegram-alert-token", "smtp-alert-password", "webhook-alert-token"];
    for name in names {
        write(&stage, &format!("credstore/katana-bot.{name}"), "abc\n");
    }
    let out = scripted(&stage, "", &["--encrypt", "--no-start"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    let drop_in = at(&stage, "units/katana-bot-check.service.d/10-encrypted-credentials.conf");
    let drop_in = std::fs::read_to_string(drop_in).expect("a drop-in");
    for name in names {
        assert!(!at(&stage, &format!("credstore/katana-bot.{name}")).exists(), "{name}");
        let sealed = at(&stage, &format!("credstore.encrypted/katana-bot.{name}"));
        assert_eq!(std::fs::read_to_string(sealed).expect("encrypted").trim(), "cba");
        assert!(drop_in.contains(&format!("LoadCredentialEncrypted={name}:")), "{drop_in}");
    }
}
