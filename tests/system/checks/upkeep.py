"""Backup, update and return, libraries that change, removal."""

import re
import shutil
import sqlite3
import subprocess
import time

import previous
from load import asking, socket_held, writing
from machine import Unable
from remedies import remedied
from stage import ADMIN, ALERTS, BOT, CHECKER, CONFIG, OWNER, SETUP_BOT, TOKEN_FILE, WRONG, quiet

STATE = "/var/lib/katana-bot"
DATABASE = f"{STATE}/katana.db"
BACKUP = "/srv/katana-bot.db"

# As docs/install.md says: edited files stay, and dpkg does not ask.
KEEP = "-o Dpkg::Options::=--force-confold"


def a_backup_brings_the_state_back(stage):
    machine = stage.machine
    quiet(stage)
    known = knows_me(stage)
    with writing(stage):
        time.sleep(1)
        machine.say(f"katana-bot backup {BACKUP}")
        time.sleep(1)
    assert machine.say(f"stat -c %a:%U {BACKUP}").strip() == "600:root"
    done = machine.run(f"katana-bot backup {BACKUP}")
    assert done.returncode == 64 and "--force" in done.stderr, done
    done = machine.run(f"katana-bot restore {BACKUP}")
    assert done.returncode == 75 and "systemctl stop katana-bot" in done.stderr, done
    assert stage.state() == "active"
    # What comes after the backup is in the old state only.
    before = len(stage.heard())
    stage.says("What does the watchdog do?")
    machine.until("an answer", lambda: len(stage.heard()) > before)
    assert knows_me(stage) != known
    machine.say("systemctl stop katana-bot")
    # A bad sector in the middle, and a copy that was cut short.
    whole = (machine.root / BACKUP.lstrip("/")).read_bytes()
    middle = len(whole) // 2 // 4096 * 4096
    for name, damaged in {
        "sector": whole[:middle] + bytes(range(256)) * 16 + whole[middle + 4096 :],
        "cut": whole[: middle + 100],
    }.items():
        (machine.root / "srv/damaged.db").write_bytes(damaged)
        before = machine.say(f"cd {STATE} && sha256sum *")
        done = machine.run("katana-bot restore /srv/damaged.db")
        assert done.returncode == 69 and "damaged" in done.stderr, (name, done)
        assert machine.say(f"cd {STATE} && sha256sum *") == before, name
    said = machine.say(f"katana-bot restore {BACKUP}")
    kept = re.search(rf"kept as ({DATABASE}\.before-restore-\S+)", said)
    assert kept and "systemctl start katana-bot" in said, said
    is_private(stage)
    machine.say("systemctl start katana-bot", timeout=60)
    assert knows_me(stage) == known
    # The way back: what had come after the backup.
    machine.say("systemctl stop katana-bot")
    machine.say(f"katana-bot restore {kept.group(1)} && systemctl start katana-bot", timeout=60)
    assert knows_me(stage) != known
    machine.say(f"rm {DATABASE}.before-restore-* {BACKUP} /srv/damaged.db")
    quiet(stage)


def a_nightly_backup_rotates_and_a_missing_one_is_reported(stage):
    machine, folder = stage.machine, f"{STATE}/backups"
    quiet(stage)
    assert "disabled" in machine.run("systemctl is-enabled katana-bot-backup.timer").stdout
    machine.say("systemctl enable --now katana-bot-backup.timer 2>&1")
    assert "katana-bot-backup.service" in machine.say("systemctl list-timers --no-pager")
    machine.put("/etc/katana-bot/katana-bot.d/70-backup.toml", "backup.keep = 2\n")
    for _ in range(3):
        machine.say("systemctl start katana-bot-backup.service")
    kept = machine.say(f"cd {folder} && stat -c '%n %a %U' *").splitlines()
    assert len(kept) == 2 and all(line.endswith("Z.db 600 katana-bot") for line in kept), kept
    status = lambda: machine.run("katana-bot status").stdout
    machine.until("the count", lambda: re.search(r"backups +2, the newest is \d+ s old", status()), within=20)
    # Too old, as if the timer had been stopped for long.
    machine.say(f"cd {folder} && mv {kept[1].split()[0]} katana-20260101T030000000Z.db && rm {kept[0].split()[0]}")
    remedied(stage, "backup_missing", "the newest backup is")
    # On a full disk the unit fails, and says why.
    machine.say(f"mount -t tmpfs -o size=16k,uid=$(id -u katana-bot),mode=700 none {folder}")
    since = stage.cursor()
    assert machine.run("systemctl start katana-bot-backup").returncode == 1
    assert stage.state("katana-bot-backup") == "failed"
    said = stage.journal("-u katana-bot-backup -p err", since)
    assert "cannot write" in said and "hint: free some space on that disk" in said, said
    machine.say(f"umount {folder}")
    remedied(stage, "backup_missing", "the last attempt failed")
    # Back from the newest.
    known = knows_me(stage)
    newest = machine.say(f"ls {folder} | tail -1").strip()
    machine.say(f"systemctl stop katana-bot && katana-bot restore {folder}/{newest}")
    machine.say("systemctl start katana-bot", timeout=60)
    assert knows_me(stage) == known
    machine.say(f"rm {DATABASE}.before-restore-* /etc/katana-bot/katana-bot.d/70-backup.toml")
    quiet(stage)


def an_update_loses_nothing(stage):
    """From the previous version, with a state that it wrote, while people write."""
    machine = stage.machine
    on_the_previous_version(stage)
    known = knows_me(stage)
    with socket_held(stage), writing(stage), asking(stage):
        # Edited after the installation, as by an administrator, and another default in the new package.
        mine = machine.say(f"tee -a {CONFIG} {CHECKER} <<'END' >/dev/null && sha256sum {CONFIG} {CHECKER}\n# mine\nEND")
        machine.say(f"apt-get install -y {KEEP} /srv/{stage.package.name} 2>&1")
        runs_as_installed(stage)
        assert machine.say(f"sha256sum {CONFIG} {CHECKER}") == mine
    assert version(stage) == given(stage) != previous.VERSION, version(stage)
    # The new defaults lie beside both, which the new version has changed.
    beside = machine.say("find /etc/katana-bot -name '*.dpkg-*'").split()
    assert sorted(beside) == [f"{CHECKER}.dpkg-dist", f"{CONFIG}.dpkg-dist"], beside
    machine.say("rm /etc/katana-bot/*.dpkg-dist")
    assert knows_me(stage) == known
    is_private(stage)


def going_back_after_the_update_works_as_the_page_says(stage):
    """The older version refuses the newer state; the copy made before the migration brings it back."""
    machine = stage.machine
    old, known = machine.say(f"ls {DATABASE}.before-v*").split(), knows_me(stage)
    assert len(old) == 1, old
    stage.says("What does the watchdog do?")
    machine.until("what only the new state holds", lambda: knows_me(stage) != known)
    machine.say("systemctl stop katana-bot")
    machine.say(f"apt-get install -y {KEEP} --allow-downgrades /srv/previous.deb 2>&1")
    assert version(stage) == previous.VERSION, version(stage)
    since = stage.cursor()
    machine.run("systemctl restart katana-bot", timeout=60)
    machine.until("the end", lambda: stage.state() == "failed")
    assert "cannot bring the state file" in stage.journal(since=since), stage.journal(since=since)
    machine.say(f"katana-bot restore {old[0]} && systemctl start katana-bot", timeout=60)
    assert knows_me(stage) == known
    machine.say(f"rm -f /etc/katana-bot/*.dpkg-dist {DATABASE}.before-*")
    # And forward again, for what follows.
    machine.say(f"apt-get install -y {KEEP} /srv/{stage.package.name} 2>&1")
    runs_as_installed(stage)
    assert knows_me(stage) == known
    machine.say("rm -f /etc/katana-bot/*.dpkg-dist /srv/previous.deb")
    quiet(stage)
    # The instance could not start with the older version; its own timer looks once a minute.
    quiet(stage, "@staging", within=90)


def on_the_previous_version(stage):
    """Installs the previous version and lets it begin a state of its own, with an owner who has asked."""
    machine = stage.machine
    quiet(stage)
    machine.copy(previous.package(), "/srv/previous.deb")
    machine.say("systemctl stop katana-bot")
    machine.say(f"apt-get install -y {KEEP} --allow-downgrades /srv/previous.deb 2>&1")
    since = stage.cursor()
    machine.say(f"systemctl stop katana-bot && rm -rf {STATE}/* && systemctl reset-failed katana-bot")
    machine.say("systemctl start katana-bot", timeout=60)
    assert version(stage) == previous.VERSION, version(stage)
    claim = machine.until(
        "the claim code", lambda: re.search(r"/claim [A-Z0-9-]+", stage.journal(since=since))
    )
    for said in [claim.group(0), "What does the heartbeat mean?"]:
        before = len(stage.heard())
        stage.says(said)
        machine.until("an answer", lambda: len(stage.heard()) > before)
    machine.say("rm -f /etc/katana-bot/*.dpkg-dist")
    quiet(stage)


def a_machine_where_it_never_ran_takes_the_state(stage):
    """A move to another machine: the unit's folder is not there yet."""
    machine, copy = stage.machine, "/srv/moved.db"
    quiet(stage)
    known = knows_me(stage)
    machine.say(f"katana-bot backup {copy} && systemctl stop katana-bot && rm -rf {STATE}")
    said = machine.say(f"katana-bot restore {copy} 2>&1")
    assert DATABASE in said, said
    machine.say("systemctl start katana-bot", timeout=60)
    assert knows_me(stage) == known
    is_private(stage)
    machine.say(f"rm {copy}")
    quiet(stage)


def the_state_of_a_newer_version_is_refused(stage):
    machine = stage.machine
    quiet(stage)
    known, copy = knows_me(stage), f"{DATABASE}.before-v99"
    machine.say("systemctl stop katana-bot")
    # What a newer version does: keep a copy, bring the file to its schema, note that.
    machine.say(f"katana-bot backup {copy} && chown katana-bot: {copy}")
    file = sqlite3.connect(machine.root / DATABASE.lstrip("/"))
    row = (99, "of_tomorrow", "2031-01-01T00:00:00Z", "1")
    with file:
        file.execute("INSERT INTO refinery_schema_history VALUES (?, ?, ?, ?)", row)
    file.close()
    machine.say(f"chown katana-bot: {DATABASE}*")
    since = stage.cursor()
    machine.run("systemctl start katana-bot", timeout=60)
    machine.until("the end", lambda: stage.state() == "failed")
    assert machine.show("katana-bot", "ExecMainStatus") == "78"
    said = stage.journal(since=since)
    for words in ["was written by a newer version", "install the version that wrote the file", "restore a backup"]:
        assert words in said, said
    assert machine.show("katana-bot", "NRestarts") == "0", "it is not tried again and again"
    machine.say(f"katana-bot restore {copy} && systemctl start katana-bot", timeout=60)
    stage.is_active()
    assert knows_me(stage) == known
    is_private(stage)
    machine.say(f"rm {copy} {DATABASE}.before-restore-*")
    quiet(stage)


def an_unattended_update_asks_nothing(stage):
    """After setup, over changed default files, without a terminal: from the previous version, and later."""
    machine, key = stage.machine, "/etc/credstore/katana-bot.openai-api-key"
    quiet(stage)
    machine.copy(previous.package(), "/srv/previous.deb")
    # Nothing runs meanwhile: the state stays as it is.
    machine.put("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    machine.say(f"systemctl stop katana-bot katana-bot-check.timer && cp -a {CONFIG} {CHECKER} /srv/")
    fresh = "-o Dpkg::Options::=--force-confnew --allow-downgrades"
    machine.say(f"apt-get install -y {fresh} /srv/previous.deb 2>&1 && rm -f /etc/katana-bot/*.dpkg-old")
    machine.put("/srv/answers", f"{BOT}\nsk-of-0.2-0123456789\n{ALERTS}\n", 0o600)
    machine.say(
        f"KATANA_TELEGRAM_API_URL={stage.sim('bot')} TELEGRAM_ALERT_API_URL={stage.sim('alerts')}"
        " katana-bot setup --non-interactive --no-start --write-config --token-file - --provider openai"
        " --key-file - --base-url http://127.0.0.1:9/v1 --model m --alert telegram --alert-token-file -"
        f" --alert-chat-id {ADMIN} </srv/answers 2>&1"
    )
    assert 'provider = "openai"' in machine.say(f"cat {CONFIG}")
    said = machine.say(f"apt-get install -y /srv/{stage.package.name} </dev/null 2>&1")
    assert version(stage) == given(stage) and f"what setup wrote into {CONFIG} is in" in said, said
    for name in ["katana-bot.toml", "check-heartbeat.toml"]:
        packaged = f"dpkg-deb --fsys-tarfile /srv/{stage.package.name} | tar -xO ./etc/katana-bot/{name}"
        assert machine.say(packaged) == machine.say(f"cat /etc/katana-bot/{name}"), name
    shown = machine.say("katana-bot print-config")
    for line in [r'provider = "openai"', r'base_url = "http://127.0.0.1:9/v1"', 'model = "m"']:
        assert re.search(rf"{line} *# /etc/katana-bot/katana-bot.d/50-setup.toml:[0-9]+", shown), shown
    assert f"chat_id = {ADMIN}" in machine.say("cat /etc/katana-bot/check-heartbeat.d/50-setup.toml")
    # The next version, with another comment in both files.
    machine.say(
        f"rm -rf /srv/next && dpkg-deb -R /srv/{stage.package.name} /srv/next && cd /srv/next"
        " && sed -i '1s/^# /# Also: /' etc/katana-bot/*.toml && sed -i 's/^Version: .*/&+next/' DEBIAN/control"
        " && dpkg-deb -b /srv/next /srv/next.deb"
    )
    machine.say("apt-get install -y /srv/next.deb </dev/null 2>&1")
    assert version(stage).endswith("+next") and machine.say(f"head -c 8 {CONFIG}") == "# Also: "
    assert machine.say("find /etc/katana-bot -name '*.dpkg-*'") == ""
    assert 'provider = "openai"' in machine.say("katana-bot print-config")
    # As it was.
    machine.say(f"apt-get install -y --allow-downgrades /srv/{stage.package.name} </dev/null 2>&1")
    machine.say(
        f"cp -a /srv/katana-bot.toml /srv/check-heartbeat.toml /etc/katana-bot/ && rm -r {key} /srv/next*"
        " /etc/katana-bot/*.d/50-setup.toml /etc/katana-bot/*.before-0.3 /usr/sbin/policy-rc.d /srv/previous.deb"
        " /srv/answers"
    )
    machine.say("systemctl start katana-bot katana-bot-check.timer", timeout=60)
    quiet(stage)


def a_library_that_changes_restarts_it(stage):
    machine = stage.machine
    if machine.run("command -v needrestart").returncode:
        raise Unable("needrestart is not in the image")
    # The simulated Telegram forgets everything when it is restarted; it is not part of this.
    machine.put("/etc/needrestart/conf.d/simulator.conf", "$nrconf{override_rc}{qr(^sim-)} = 0;\n")
    maps = f"/proc/{machine.show('katana-bot', 'MainPID')}/maps"
    library = machine.say(f"grep -om1 '/.*/libc\\.so\\.6' {maps}").strip()
    with writing(stage):
        pid = machine.show("katana-bot", "MainPID")
        # As dpkg does it: another file, moved over the old one.
        machine.say(f"cp -p {library} {library}.dpkg-new && mv {library}.dpkg-new {library}")
        said = machine.say("needrestart -r a 2>&1", timeout=120)
        stage.is_active()
        assert "katana-bot.service" in said, said
        new = machine.show("katana-bot", "MainPID")
        assert new != pid, said
        assert "(deleted)" not in machine.say(f"cat /proc/{new}/maps")
    machine.say("rm /etc/needrestart/conf.d/simulator.conf")


def piuparts_finds_nothing_left(stage):
    """Debian's own tool, on this machine, with a system that was never booted."""
    if not shutil.which("piuparts"):
        raise Unable("piuparts is not there (apt install piuparts)")
    folder = stage.machine.folder / "piuparts"
    folder.mkdir(exist_ok=True)
    # Nothing is fetched: the package needs nothing that is not there.
    script = folder / "post_chroot_unpack_offline"
    script.write_text("#!/bin/sh\nrm -f /etc/apt/sources.list.d/*\n: >/etc/apt/sources.list\n")
    script.chmod(0o755)
    command = ["piuparts", "--existing-chroot", str(stage.machine.kept), "--keep-sources-list"]
    command += ["--scriptsdir", str(folder), "--no-eatmydata", "-d", stage.machine.release]
    # debconf's own, for whatever is installed.
    command += ["--ignore-regex", r"/var/cache/debconf/tmp\.ci(/.*)?"]
    done = subprocess.run(
        command + [str(stage.package)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    found = [line for line in done.stdout.splitlines() if "FAIL" in line or "not owned" in line]
    assert done.returncode == 0 and "PASS: All tests" in done.stdout, found or done.stdout[-900:]


def knows_me(stage):
    """What the bot shows its owner about them: the role, and how much it remembers."""
    # A copy of the state holds what was on its way when it was made: others may be answered, too, and
    # the owner hears of them.
    answers = lambda: [said for said in stage.heard() if "Role: " in said]
    before = len(answers())
    stage.says("/whoami")
    stage.machine.until("an answer", lambda: len(answers()) > before)
    said = answers()[before]
    assert "Role: owner" in said, said
    # The number alone: the words around it differ between versions.
    return re.search(r"I have stored (\w+)", said).group(1)


def is_private(stage):
    wrong = f"find {STATE} ! -user katana-bot -o ! -group katana-bot -o -perm /077"
    assert stage.machine.say(wrong) == ""
    assert stage.machine.say(f"stat -c %a {STATE} {DATABASE}").split() == ["700", "600"]


def runs_as_installed(stage):
    """When dpkg is done, the program that runs is the one that it installed."""
    stage.is_active()
    pid = stage.machine.show("katana-bot", "MainPID")
    program = stage.machine.say(f"readlink /proc/{pid}/exe").strip()
    assert program == "/usr/bin/katana-bot", program


def version(stage):
    return stage.machine.say("dpkg-query -W -f '${Version}' katana-bot")


def given(stage):
    return stage.machine.say(f"dpkg-deb -f /srv/{stage.package.name} Version").strip()


def an_update_waits_for_no_bot_that_cannot_start(stage):
    """One of several, whose token was revoked. And a machine that lets no service be started."""
    machine, token = stage.machine, "/etc/credstore/katana-bot@staging.telegram-token"
    good = machine.say(f"cat {token}")
    machine.put(token, WRONG + "\n", 0o600)
    # The mode of a folder is its administrator's.
    mode = "/etc/katana-bot/katana-bot.d"
    machine.say(f"chmod 775 {mode}")
    begun = time.monotonic()
    said = machine.say(f"apt-get install -y --reinstall /srv/{stage.package.name} 2>&1", timeout=150)
    assert time.monotonic() - begun < 100 and "Unknown option" not in said, said
    assert machine.say(f"stat -c %a {mode}").strip() == "775"
    machine.say(f"chmod 755 {mode}")
    assert stage.state("katana-bot@staging") == "activating"
    stage.is_active()
    machine.put(token, good, 0o600)
    machine.say("systemctl restart katana-bot@staging", timeout=60)
    machine.put("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    pids = machine.say("systemctl show -P MainPID katana-bot katana-bot@staging")
    machine.say(f"apt-get install -y --reinstall /srv/{stage.package.name} 2>&1")
    assert machine.say("systemctl show -P MainPID katana-bot katana-bot@staging") == pids
    machine.say("rm /usr/sbin/policy-rc.d && systemctl restart katana-bot katana-bot@staging", timeout=60)


def removing_keeps_what_is_yours(stage):
    machine = stage.machine
    machine.say("systemctl stop katana-bot && systemctl enable --now katana-bot.socket 2>&1")
    machine.say("systemctl start katana-bot", timeout=60)
    machine.say("apt-get remove -y katana-bot 2>&1")
    for path in [CONFIG, CHECKER, TOKEN_FILE, "/var/lib/katana-bot/katana.db",
                 "/etc/katana-bot/staging.toml", "/var/lib/katana-bot@staging/katana.db"]:
        machine.say(f"test -s {path}")
    assert machine.run("pgrep -x katana-bot").returncode == 1, "a process is left"
    left = machine.say("systemctl list-units --all --no-legend --plain 'katana-bot*'").splitlines()
    # Enabled links stay, so that the next installation finds them: units that are not there.
    assert all("not-found inactive" in line for line in left), left
    before = len(stage.heard())
    machine.say(f"apt-get install -y /srv/{stage.package.name} 2>&1")
    stage.is_active()
    stage.is_active(unit="katana-bot@staging")
    assert machine.show("katana-bot.socket", "ActiveState") == "active"
    assert machine.show("katana-bot-check@staging.timer", "ActiveState") == "active"
    stage.says("/users")
    machine.until("the owner is known", lambda: len(stage.heard()) > before)
    assert "Owner" in stage.heard()[-1] or str(OWNER) in stage.heard()[-1], stage.heard()[-1]


def purging_leaves_nothing(stage):
    machine = stage.machine
    # All that an administrator can have switched on.
    machine.put("/etc/katana-bot/purged.toml", f'[telegram]\napi_url = "{stage.sim("setup")}"\n')
    machine.put("/srv/answers", f"{SETUP_BOT}\n", 0o600)
    machine.say(
        "katana-bot setup --instance purged --non-interactive --no-start --encrypt --token-file - </srv/answers"
        " && systemctl enable katana-bot@purged katana-bot-check@purged.timer katana-bot.socket 2>&1"
    )
    machine.say("rm -rf /srv/answers /etc/systemd/system/katana-bot-check.timer.d && systemctl daemon-reload")
    machine.say("test -e /etc/systemd/system/katana-bot@purged.service.d/10-encrypted-credentials.conf")
    # Into another root, as debootstrap and the like do, nothing of this one is touched.
    other = "/srv/other"
    machine.say(f"mkdir -p {other}/etc/katana-bot {other}/etc/credstore {other}/var/lib/katana-bot@x")
    machine.say(f"touch {other}/etc/credstore/katana-bot.telegram-token")
    machine.say(f"DPKG_ROOT={other} /var/lib/dpkg/info/katana-bot.postrm purge")
    assert machine.say(f"find {other} -name 'katana*'") == ""
    machine.say(f"rm -r {other}; test -s {TOKEN_FILE}")
    # A state folder on a disk of its own is emptied, and stays.
    machine.say("systemctl stop katana-bot.socket katana-bot")
    state = "/var/lib/katana-bot"
    machine.say(f"mount -t tmpfs none {state} && touch {state}/katana.db")
    machine.put("/etc/katana-bot/telegram-token", BOT + "\n", 0o400)
    machine.say("mkdir -p /etc/katana-bot/empty /etc/katana-bot/knowledge && echo '# A' >/etc/katana-bot/knowledge/a.md")
    said = machine.say("apt-get purge -y katana-bot 2>&1")
    assert "deleting the configuration in /etc/katana-bot" in said, said
    assert "/etc/katana-bot/knowledge stays, because it is not configuration" in said, said
    left = machine.say("cd /etc/katana-bot && find . -mindepth 1").split()
    assert left == ["./knowledge", "./knowledge/a.md"], left
    machine.say("rm -r /etc/katana-bot")
    machine.say(f"test -z \"$(ls -A {state})\" && umount {state} && rm -r {state}")
    allowed = re.compile(r"^/etc/(passwd|group|g?shadow|subuid|subgid)-?$|^/etc/\.pwd\.lock$")
    left = {path for path in stage.files() - stage.before if not allowed.match(path)}
    left = {path for path in left if "katana" in path or path.startswith(("/etc", "/usr"))}
    assert not left, sorted(left)
    for command in [
        "systemctl list-unit-files --no-legend 'katana*'",
        "systemctl list-units --all --no-legend --plain 'katana*'",
        "systemctl list-timers --all --no-legend 'katana*'",
        "ps -o pid,args -u katana-bot -u katana-check --no-headers",
        "journalctl --list-catalog --no-pager | grep -i katana",
        "grep -rl katana /etc/cron* /var/spool/cron /var/lib/systemd /etc/apt /etc/needrestart",
        "find /var/log /var/cache /var/lib/systemd /tmp /var/tmp -name '*katana*' ! -path '/var/log/supervisor/*'",
        "dpkg -l katana-bot | grep '^.[^n]'| grep katana",
    ]:
        assert machine.run(command).stdout == "", (command, machine.run(command).stdout)
    # As the documentation says: the two users stay, and can do nothing.
    users = machine.say("getent passwd katana-bot katana-check").splitlines()
    assert len(users) == 2 and all(user.endswith(":/usr/sbin/nologin") for user in users), users
    added = set(machine.say("cut -d: -f1 /etc/passwd /etc/group").split()) - stage.names
    assert added == {"katana-bot", "katana-check"}, added
    assert machine.say("systemctl is-system-running").strip() == "running"
