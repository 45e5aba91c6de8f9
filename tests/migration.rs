//! What the package's scripts do to the configuration of version 0.2, there and back.

#![allow(clippy::disallowed_methods, reason = "tests may start and write what they want")]

#[allow(dead_code, reason = "tests/tidy.rs needs the rest")]
mod source;

use std::process::Command;

use source::{read, top};

/// A system whose configuration files are as given, on a version 0.2 that brought those packaged here.
struct Machine(tempfile::TempDir);

/// The configuration files, then setup's own.
const FILES: [&str; 4] = [
    "katana-bot.toml",
    "check-heartbeat.toml",
    "katana-bot.d/50-setup.toml",
    "check-heartbeat.d/50-setup.toml",
];

impl Machine {
    fn new(bot: &str, checker: &str) -> Self {
        let machine = Self(tempfile::tempdir().expect("a folder"));
        let mut answer = "#!/bin/sh\n".to_owned();
        for (name, text) in FILES.into_iter().zip([bot, checker]) {
            machine.write(name, text);
            let packaged = top().join("packaging").join(name);
            answer += &format!(
                "echo \" /etc/katana-bot/{name} $(md5sum <{} | cut -c-32)\"\n",
                packaged.display()
            );
        }
        machine.write("bin/dpkg-query", &answer);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(machine.path("bin/dpkg-query"), mode).expect("changed");
        machine
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("etc/katana-bot").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn files(&self) -> [String; 4] {
        FILES.map(|name| self.read(name))
    }

    /// Runs a script of the package, and returns what it says.
    fn run(&self, script: &str, args: &[&str]) -> String {
        let bin = self.path("bin");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command.arg(top().join("packaging/debian").join(script)).args(args).env("PATH", &path);
        let done = command.env("DPKG_ROOT", self.0.path()).output().expect("sh runs");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "{said}");
        said
    }
}

/// The files of [`FILES`] after an update from 0.2 over these two.
fn migrated(bot: &str, checker: &str) -> [String; 4] {
    let machine = Machine::new(bot, checker);
    // Twice: what is done stays done.
    for _ in 0..2 {
        machine.run("preinst", &["upgrade", "0.2.0-1"]);
    }
    machine.files()
}

/// The packaged file after setup of 0.2 had written this model into it.
fn with_model(model: &str) -> String {
    read("packaging/katana-bot.toml")
        .replace("# model = \"gpt-4.1-mini\"", &format!("model = \"{model}\""))
}

#[test]
fn after_a_rollback_the_settings_of_0_2_count_again_and_at_the_next_update() {
    let (old, checker) = (with_model("old"), read("packaging/check-heartbeat.toml"));
    let own = FILES[2];
    for (script, args) in
        [("postrm", &["upgrade", "0.2.0-1"]), ("postrm", &["abort-upgrade", "0.2.0-1"])]
    {
        let machine = Machine::new(&old, &checker);
        machine.run("preinst", &["upgrade", "0.2.0-1"]);
        assert!(machine.read(own).contains("model = \"old\""));
        // To a later version: nothing.
        machine.run(script, &[args[0], "0.3.1-1"]);
        assert!(machine.read(FILES[0]) != old && machine.read(own).contains("model = \"old\""));
        machine.run(script, args);
        assert_eq!(machine.files()[..3], [old.clone(), checker.clone(), String::new()]);
        assert!(machine.read(&format!("{own}.old")).contains("model = \"old\""));
        // Edited since: an update that fails leaves it so.
        let edited = format!("{old}# mine\n");
        machine.write(FILES[0], &edited);
        machine.run("preinst", &["upgrade", "0.2.0-1"]);
        machine.run("postrm", &["abort-upgrade", "0.2.0-1"]);
        assert_eq!(machine.read(FILES[0]), edited);
    }
    // Without the script of this version: an older file of setup's gives way, and people's own stays.
    let new = with_model("new");
    let machine = Machine::new(&new, &checker);
    machine.write(&format!("{}.before-0.3", FILES[0]), &old);
    machine.write(own, "# Written by `katana-bot setup`, which …\n[openai]\nmodel = \"old\"\n");
    let said = machine.run("preinst", &["upgrade", "0.2.0-1"]);
    assert!(machine.read(own).contains("model = \"new\""), "{said}");
    assert!(machine.read(&format!("{own}.old")).contains("model = \"old\""), "{said}");
    assert!(said.contains("kept as 50-setup.toml.old"), "{said}");
    assert_eq!(machine.read(&format!("{}.before-0.3", FILES[0])), new);
    for bot in [new.clone(), format!("{new}# mine\n")] {
        let machine = Machine::new(&bot, &checker);
        machine.write(own, "[openai]\nmodel = \"mine\"\n");
        let said = machine.run("preinst", &["upgrade", "0.2.0-1"]);
        assert!(machine.read(FILES[0]) == bot && machine.read(own).contains("mine"), "{said}");
        assert!(said.contains(&format!("/etc/katana-bot/{own} was there before")), "{said}");
    }
}

#[test]
fn what_setup_of_0_2_wrote_moves_into_its_own_file() {
    let (bot, checker) =
        (read("packaging/katana-bot.toml"), read("packaging/check-heartbeat.toml"));
    let edited = bot
        .replace("# provider = \"auto\"", "provider = \"openai\"")
        .replace(
            "# base_url = \"https://api.openai.com/v1\"",
            "base_url = \"http://127.0.0.1:9/v1\"",
        )
        .replace("# model = \"gpt-4.1-mini\"", "model = \"m\"");
    let channel = "[[channel]]\ntype = \"telegram\"\nchat_id = 5\n";
    let extended = format!("{checker}\n{channel}");
    let [new_bot, new_checker, own_bot, own_checker] = migrated(&edited, &extended);
    assert_eq!((new_bot, new_checker), (bot.clone(), checker.clone()));
    let setting = "[answer]\nprovider = \"openai\"\n\n[openai]\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n";
    assert!(
        own_bot.starts_with("# Written by `katana-bot setup`") && own_bot.ends_with(setting),
        "{own_bot}"
    );
    assert!(own_checker.ends_with(&format!("\n{channel}")), "{own_checker}");
    // A person's own change: nothing is touched.
    let (mine, theirs) = (format!("{edited}# mine\n"), format!("# mine\n{extended}"));
    assert_eq!(migrated(&mine, &theirs), [mine, theirs, String::new(), String::new()]);
    // Two channels, one after the other; and a file as it was packaged.
    let both = format!(
        "{extended}\n[[channel]]\ntype = \"smtp\"\nhost = \"mx\"\ntls = \"none\"\nfrom = \"a@b\"\nto = \"c@d\"\n"
    );
    let [new_bot, new_checker, own_bot, own_checker] = migrated(&bot, &both);
    assert_eq!((new_bot, new_checker, own_bot.as_str()), (bot.clone(), checker.clone(), ""));
    assert!(own_checker.contains("chat_id = 5") && own_checker.ends_with("to = \"c@d\"\n"));
    // The same with every key that setup knew, and what an administrator wrote behind it: that is not setup's,
    // which would replace it.
    let mail = "[[channel]]\ntype = \"smtp\"\nhost = \"mx\"\ntls = \"implicit\"\nfrom = \"a \\\"b\\\" <a@b>\"\n\
                to = \"c@d\"\nport = 465\nuser = \"u\"\n";
    let all = format!("{checker}\n{channel}api_url = \"http://h\"\n\n{mail}");
    assert!(migrated(&bot, &all)[3].ends_with(&format!("api_url = \"http://h\"\n\n{mail}")));
    for theirs in [
        "\n[[channel]]\ntype = \"command\"\nprogram = \"/p\"\n",
        "name = \"night\"\n",
        "# the night shift\n",
        "\n[[watch]]\nname = \"w\"\n",
        "\n# [[channel]]\n",
    ] {
        for text in [format!("{all}{theirs}"), format!("{checker}\n{channel}{theirs}\n{mail}")] {
            let [_, new_checker, _, own_checker] = migrated(&bot, &text);
            assert_eq!((new_checker, own_checker.as_str()), (text, ""));
        }
    }
    for (from, to) in
        [("chat_id = 5", "chat_id = 5 # ops"), ("[[channel]]\n", "[[channel]] # mine\n")]
    {
        let text = extended.replace(&format!("\n{from}"), &format!("\n{to}"));
        assert!(text != extended && migrated(&bot, &text)[1] == text, "{to}");
    }
    let text = edited.replace("model = \"m\"", "model = \"m\" # cheap");
    assert_eq!(migrated(&text, &checker)[0], text);
}
