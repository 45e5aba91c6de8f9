"""More than one bot, and other ways to run it."""

import re
import time

from load import asking, socket_held
from stage import BOT, CONFIG, OTHER_BOT, TESTING_BOT


def instances_do_not_touch_each_other(stage):
    machine = stage.machine
    machine.put("/etc/credstore/katana-bot@staging.telegram-token", OTHER_BOT + "\n", 0o600)
    text = f'[telegram]\napi_url = "{stage.sim("staging")}"\n[web]\nlisten = "127.0.0.1:8090"\n'
    machine.put("/etc/katana-bot/staging.toml", text)
    machine.say("systemctl enable --now katana-bot@staging katana-bot-check@staging.timer", 60)
    assert stage.state("katana-bot@staging") == "active"
    beat = machine.say("cat /run/katana-bot@staging/heartbeat")
    assert "environment: staging" in beat, beat
    machine.say("systemctl start katana-bot-check@staging.service")
    assert "(staging)" in stage.journal("-u katana-bot-check@staging")
    pid = machine.show("katana-bot@staging", "MainPID")
    seen = machine.say(f"ls /proc/{pid}/root" "/var/lib").split()
    assert seen == ["katana-bot@staging"], seen
    # The first bot is not taken for one that does not exist.
    done = machine.run("katana-bot --instance nosuch status")
    assert done.returncode == 1 and "/etc/katana-bot/nosuch.toml" in done.stdout, done
    assert machine.run("katana-bot --instance staging status").returncode == 0
    # It fails alone, is reported at once by its own checker, and recovers alone.
    alerts = len(stage.alerts())
    machine.put("/etc/katana-bot/staging.toml", text + "[bot]\nacces = 5\n")
    machine.run("systemctl restart katana-bot@staging", timeout=60)
    machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=10)
    remedies = ["--instance staging check-config", "systemctl restart --no-block katana-bot@staging"]
    for words in ["katana-bot@staging/heartbeat", *remedies]:
        assert words in stage.alerts()[-1], stage.alerts()[-1]
    assert stage.state() == "active" and stage.state("katana-bot@staging") == "failed"
    machine.put("/etc/katana-bot/staging.toml", text)
    machine.say("systemctl restart katana-bot@staging", timeout=60)
    machine.say("systemctl start katana-bot-check@staging.service")
    assert len(stage.alerts()) == alerts + 2 and "RECOVERED" in stage.alerts()[-1]


def three_bots_live_side_by_side(stage):
    machine = stage.machine
    machine.put("/etc/credstore/katana-bot@testing.telegram-token", TESTING_BOT + "\n", 0o600)
    text = f'[telegram]\napi_url = "{stage.sim("testing")}"\n[web]\nlisten = "127.0.0.1:8091"\n'
    machine.put("/etc/katana-bot/testing.toml", text)
    machine.say("systemctl start katana-bot@staging katana-bot@testing", timeout=60)
    units = {"bot": "katana-bot", "staging": "katana-bot@staging", "testing": "katana-bot@testing"}
    # A word for each, that only its own bot and state may know.
    words = {name: f"{name}-{number}-word" for name, number in zip(units, "735")}
    for name, unit in units.items():
        if name != "bot":
            claim = re.findall(r"/claim [A-Z0-9-]+", stage.journal(f"-u {unit}"))
            stage.says(claim[-1], name)
        stage.says(f"What is {words[name]}?", name)
    for name, unit in units.items():
        knows = lambda: machine.run(f"grep -qaF {words[name]} /var/lib/{unit}/katana.db*").returncode == 0
        machine.until(f"{name} stores its message", knows)
    time.sleep(1)
    for name, unit in units.items():
        texts = machine.http(stage.sim(name, "/control/transcript"))[1]
        for other, word in words.items():
            found = machine.run(f"grep -qaF {word} /var/lib/{unit}/katana.db*").returncode == 0
            assert found == (other == name) == (word in texts), (name, other, found)
        pid = machine.show(unit, "MainPID")
        assert machine.say(f"ls /proc/{pid}/root" "/var/lib").split() == [unit]
    # One is killed, the others do not notice.
    pids = {unit: machine.show(unit, "MainPID") for unit in units.values()}
    machine.say("systemctl kill -s KILL katana-bot@testing")
    again = lambda: machine.show("katana-bot@testing", "MainPID") not in ("0", pids["katana-bot@testing"])
    machine.until("a restart", again)
    stage.is_active(unit="katana-bot@testing")
    for unit in ["katana-bot", "katana-bot@staging"]:
        assert machine.show(unit, "MainPID") == pids[unit], unit


def one_of_several_is_backed_up_and_restored(stage):
    machine = stage.machine
    which = "--instance testing"
    machine.say("systemctl start katana-bot-backup@testing")
    (backup,) = machine.say("ls /var/lib/katana-bot@testing/backups").split()
    assert re.fullmatch(r"katana-\d{8}T\d{9}Z\.db", backup), backup
    machine.say(f"katana-bot {which} backup /srv/testing.db")
    done = machine.run(f"katana-bot {which} restore /srv/testing.db")
    assert done.returncode == 75 and "systemctl stop katana-bot@testing" in done.stderr, done
    # Of another bot: nothing is taken.
    machine.say("systemctl stop katana-bot@testing")
    machine.say("katana-bot backup /srv/other.db")
    done = machine.run(f"katana-bot {which} restore /srv/other.db")
    assert done.returncode == 78 and "bot" in done.stderr, done
    said = machine.say(f"katana-bot {which} restore /srv/testing.db")
    assert "systemctl start katana-bot@testing" in said, said
    foreign = "find /var/lib/katana-bot@testing ! -user katana-bot -o ! -group katana-bot"
    assert machine.say(foreign) == ""
    machine.say("systemctl start katana-bot@testing", timeout=60)
    before = len(stage.heard("testing"))
    stage.says("/whoami", "testing")
    machine.until("an answer", lambda: len(stage.heard("testing")) > before)
    assert "Role: owner" in stage.heard("testing")[-1], stage.heard("testing")[-1]
    machine.say("rm /srv/testing.db /srv/other.db /var/lib/katana-bot@testing/*.before-restore-*")


def one_token_for_two_bots_is_explained(stage):
    machine = stage.machine
    machine.say("systemctl stop katana-bot@testing")
    token, settings = "/etc/credstore/katana-bot@testing.telegram-token", "/etc/katana-bot/testing.toml"
    machine.put(token, OTHER_BOT + "\n", 0o600)
    text = machine.say(f"cat {settings}")
    machine.put(settings, text.replace(stage.sim("testing"), stage.sim("staging")))
    since = stage.cursor()
    machine.say("systemctl start --no-block katana-bot@testing")
    both = "-u katana-bot@staging -u katana-bot@testing -p err"
    words = "another process polls with the same token"
    machine.until("the words", lambda: words in stage.journal(both, since), within=90)
    assert stage.state() == "active", "the first bot has another token"
    machine.say("systemctl stop katana-bot@testing")
    # What was shut out works again by itself.
    before = len(stage.heard("staging"))
    stage.says("/whoami", "staging")
    machine.until("an answer", lambda: len(stage.heard("staging")) > before, within=60)
    # What its checker has to say of that minute is said before the next check counts alerts.
    machine.say("systemctl restart katana-bot@staging && systemctl start katana-bot-check@staging.service", timeout=60)
    machine.say(f"systemctl reset-failed katana-bot@testing; rm -rf {settings} {token}")
    machine.say("rm -rf /var/lib/katana-bot@testing /run/katana-bot@testing")


def the_socket_refuses_no_one(stage):
    with socket_held(stage), asking(stage):
        for _ in range(2):
            stage.machine.say("systemctl restart katana-bot", timeout=60)


def alert_names_supervisor(machine):
    """An alert about a bot that hangs, from a checker of its own."""
    folder, pid = "/var/lib/alert-test", machine.say("supervisorctl pid katana-bot").strip()
    tee = f'[[channel]]\ntype = "command"\nprogram = "/usr/bin/tee"\nargs = ["{folder}/alert"]\n'
    machine.say(f"install -d -m 700 {folder}")
    machine.put(f"{folder}/check.toml", tee)
    machine.say(f"kill -STOP {pid} && sleep 3")
    checks = f"--config {folder}/check.toml --state-dir {folder} --file /var/lib/katana-run/heartbeat -c 1"
    said = machine.run(f"check-heartbeat {checks}")
    machine.say(f"kill -CONT {pid}")
    assert said.returncode == 1, said
    alert = machine.say(f"cat {folder}/alert")
    assert "DOWN: katana-bot on" in alert and "`supervisorctl restart katana-bot`" in alert, alert
    assert "systemctl" not in alert and "journalctl" not in alert, alert
    machine.say(f"rm -r {folder}")


def supervisor_runs_it_too(stage):
    machine = stage.machine
    machine.say("systemctl stop katana-bot katana-bot-check.timer")
    machine.say("install -d -m 755 -o katana-bot /var/lib/katana-run")
    machine.say("install -d -m 750 -g adm /var/log/katana-bot")
    machine.put("/etc/katana-bot/telegram-token", BOT + "\n", 0o400)
    machine.say("chown katana-bot /etc/katana-bot/telegram-token")
    example = "/usr/share/doc/katana-bot/examples/supervisor.conf"
    machine.say(f"cp {example} /etc/supervisor/conf.d/katana-bot.conf && supervisorctl update")
    status = lambda: machine.run("supervisorctl status katana-bot").stdout
    machine.until("it runs", lambda: "RUNNING" in status())
    before = len(stage.heard())
    stage.says("/whoami")
    machine.until("an answer", lambda: len(stage.heard()) > before)
    pid = machine.say("supervisorctl pid katana-bot").strip()
    machine.say(f"kill -9 {pid}")
    again = lambda: machine.say("supervisorctl pid katana-bot").strip() not in (pid, "0")
    machine.until("a restart", again)
    machine.until("it runs", lambda: "RUNNING" in status())
    machine.say("check-heartbeat --no-alert --file /var/lib/katana-run/heartbeat")
    log = "/var/log/katana-bot/katana-bot.log"
    assert machine.run(f"setpriv --reuid 65534 --clear-groups cat {log}").returncode != 0
    machine.say("supervisorctl signal HUP katana-bot")
    machine.until("a reload", lambda: "configuration read again" in machine.say(f"cat {log}"))
    # Commands of root find the token, and an owned bot is not claimed again.
    claimed = machine.run("katana-bot users claim")
    assert claimed.returncode == 64 and "the bot has an owner" in claimed.stderr, claimed
    alert_names_supervisor(machine)
    # It starts by itself once a mistake is fixed.
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    machine.put(CONFIG, good + "[bot]\nacces = 5\n")
    machine.run("supervisorctl restart katana-bot")
    assert "RUNNING" not in status(), status()
    assert "bot.acces" in machine.say(f"tail -20 {log}")
    machine.put(CONFIG, good)
    machine.until("it runs", lambda: "RUNNING" in status())
    machine.say("rm /etc/supervisor/conf.d/katana-bot.conf && supervisorctl update")
    # The page about removing names it, too.
    machine.say("rm -r /var/log/katana-bot")
    machine.say("systemctl start katana-bot katana-bot-check.timer", timeout=60)
