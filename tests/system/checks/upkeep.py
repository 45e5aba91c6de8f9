"""Update, removal."""

import re
import threading
import time

from stage import CHECKER, CONFIG, OWNER, TOKEN_FILE, bot_messages


def an_update_loses_nothing(stage):
    machine = stage.machine
    # The same programs with a higher version: what is new is the package.
    machine.say(
        f"cd /srv && rm -rf new && dpkg-deb -R {stage.package.name} new"
        " && sed -i 's/^Version: .*/Version: 99.0-1/' new/DEBIAN/control"
        " && dpkg-deb -b new new.deb"
    )
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    # Strangers may write, and a flood is no finding.
    flood = '[bot]\naccess = "open"\n[delivery]\npace = false\n[watch]\nresponse_s = 600.0\n'
    machine.put(CONFIG, good + flood)
    machine.say("systemctl restart katana-bot", timeout=60)
    pid, said = machine.show("katana-bot", "MainPID"), []
    body = {"updates": 60, "chats": 20, "text": "/whoami"}

    def write():
        # Until the new one runs, and a little longer.
        while len(said) < 8 or said[-1][1] == pid:
            code, _ = machine.http(stage.sim("bot", "/control/flood"), body)
            said.append((code, machine.show("katana-bot", "MainPID")))
            time.sleep(0.5)

    before = bot_messages(stage)
    writing = threading.Thread(target=write)
    writing.start()
    machine.say("apt-get install -y /srv/new.deb 2>&1")
    writing.join()
    stage.is_active()
    assert {code for code, _ in said} == {200}
    wanted = 60 * len(said)
    count = lambda: bot_messages(stage) - before
    machine.until(f"{wanted} answers", lambda: count() >= wanted, within=90)
    time.sleep(2)
    assert count() == wanted, f"{count()} answers to {wanted} messages"
    version = machine.say("dpkg-query -W -f '${Version}' katana-bot")
    assert version == "99.0-1", version
    machine.put(CONFIG, good)
    machine.say("systemctl restart katana-bot", timeout=60)


def removing_keeps_what_is_yours(stage):
    machine = stage.machine
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
    stage.says("/users")
    machine.until("the owner is known", lambda: len(stage.heard()) > before)
    assert "Owner" in stage.heard()[-1] or str(OWNER) in stage.heard()[-1], stage.heard()[-1]


def purging_leaves_nothing(stage):
    machine = stage.machine
    machine.say("apt-get purge -y katana-bot 2>&1")
    machine.say("rm -rf /etc/systemd/system/katana-bot-check.timer.d && systemctl daemon-reload")
    allowed = re.compile(r"^/etc/(passwd|group|g?shadow|subuid|subgid)-?$|^/etc/\.pwd\.lock$|^/etc/credstore$")
    left = {path for path in stage.files() - stage.before if not allowed.match(path)}
    left = {path for path in left if "katana" in path or path.startswith(("/etc", "/usr"))}
    assert not left, sorted(left)
    assert machine.say("systemctl is-system-running").strip() == "running"
