"""What the package promises, in the order in which an administrator meets it.

Each check is a function of a Stage; its name is what it shows. Later checks stand on earlier ones.
"""

import json
import re
import threading
import time

BOT = "7000000001:SYSTEM-test-token-of-the-bot-00001"
OTHER_BOT = "7000000002:SYSTEM-test-token-of-staging-002"
ALERTS = "7000000003:SYSTEM-test-token-for-alerts-0003"
WRONG = "7000000001:SYSTEM-test-token-that-was-revoked"

OWNER = 1001
ADMIN = 4711
TOKEN_FILE = "/etc/credstore/katana-bot.telegram-token"
CONFIG = "/etc/katana-bot/katana-bot.toml"
CHECKER = "/etc/katana-bot/check-heartbeat.toml"


class Stage:
    """The machine, the package, and three simulated bots: production, staging, alerts."""

    PORTS = {"bot": 8481, "staging": 8482, "alerts": 8483}

    def __init__(self, machine, package, simulator):
        self.machine = machine
        self.package = package
        self.before = self.files()
        machine.copy(simulator, "/srv/sim", 0o755)
        machine.copy(package, f"/srv/{package.name}")
        for name, token in [("bot", BOT), ("staging", OTHER_BOT), ("alerts", ALERTS)]:
            port = self.PORTS[name]
            command = f"/srv/sim serve --control --limits off --listen 127.0.0.1:{port} --token {token}"
            machine.say(f"systemd-run -q --unit=sim-{name} {command}")
            machine.until("the simulator", lambda url=self.sim(name): machine.http(url)[0])

    def sim(self, name, path=""):
        return f"http://127.0.0.1:{self.PORTS[name]}{path}"

    def says(self, text, name="bot", user=OWNER):
        """Somebody writes to a bot."""
        body = {"user_id": user, "text": text}
        code, said = self.machine.http(self.sim(name, "/control/say"), body)
        assert code == 200, said

    def heard(self, name="bot", user=OWNER):
        """What the bot wrote to somebody, in order."""
        code, said = self.machine.http(self.sim(name, f"/control/transcript?chat_id={user}"))
        assert code == 200, said
        chat = json.loads(said).get(str(user), [])
        return [message["text"] for message in chat if message["from_bot"]]

    def hears(self, words, name="bot", user=OWNER, within=30):
        """Waits for a message with these words, and gives it."""
        find = lambda: next((m for m in self.heard(name, user) if words in m), None)
        return self.machine.until(f"a message with {words!r}", find, within)

    def alerts(self):
        return self.heard("alerts", ADMIN)

    def journal(self, options="-u katana-bot", since=None):
        after = f" --after-cursor='{since}'" if since else ""
        return self.machine.say(f"journalctl --no-pager -q {options}{after}")

    def cursor(self):
        """A place in the journal."""
        said = self.machine.say("journalctl -q -n 0 --show-cursor")
        return said.strip().removeprefix("-- cursor: ")

    def state(self, unit="katana-bot"):
        return self.machine.show(unit, "ActiveState")

    def is_active(self, within=30, unit="katana-bot"):
        self.machine.until(f"{unit} is active", lambda: self.state(unit) == "active", within)

    def files(self):
        """Every file that could be left behind."""
        find = (
            "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /root -o -path /srv"
            " -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg"
            " -o -path /var/tmp \\) -prune -o -print; find /run -name '*katana*'"
        )
        return set(self.machine.run(find).stdout.split("\n"))


def installing_pulls_nothing_else(stage):
    said = stage.machine.say(f"apt-get install -y /srv/{stage.package.name} 2>&1")
    new = said.split("NEW packages will be installed:")[1].split("0 upgraded")[0].split()
    assert new == ["katana-bot"], new
    assert "README.Debian says how to give it one" in said, said


def without_a_token_it_waits_and_nothing_fails(stage):
    assert stage.machine.say("systemctl is-enabled katana-bot").strip() == "enabled"
    assert stage.state() == "inactive"
    status = stage.machine.run("systemctl status katana-bot").stdout
    assert TOKEN_FILE in status and "was not met" in status, status
    assert stage.machine.say("systemctl is-system-running").strip() == "running"
    assert stage.machine.show("katana-bot-check.timer", "ActiveState") == "active"
    assert stage.machine.say("stat -c %a:%U /etc/credstore").strip() == "700:root"


def units_are_clean_here(stage):
    units = "katana-bot.service katana-bot@x.service katana-bot-check.service katana-bot.socket"
    units += " katana-bot-check.timer katana-bot-failed.service katana-bot-failed@x.service"
    done = stage.machine.run(f"systemd-analyze verify --man=no {units}")
    said = (done.stdout + done.stderr).strip()
    assert done.returncode == 0 and not said, said
    for unit in ["katana-bot.service", "katana-bot-check.service"]:
        stage.machine.say(f"systemd-analyze security --threshold=11 {unit}")


def with_a_token_it_starts_and_says_how_it_is(stage):
    machine = stage.machine
    machine.put(TOKEN_FILE, BOT + "\n", 0o600)
    machine.put(CONFIG, f'[telegram]\napi_url = "{stage.sim("bot")}"\n')
    machine.say("systemctl start katana-bot", timeout=60)
    assert stage.state() == "active"
    status = machine.say("systemctl status katana-bot")
    assert re.search(r'Status: ".*[a-z]{2,}.*"', status), status
    assert machine.show("katana-bot", "Type") == "notify"
    owner = machine.say("ps -o user= -p $(systemctl show --value -p MainPID katana-bot)").strip()
    assert owner.startswith("katana"), owner


def a_conversation_works(stage):
    claim = stage.machine.until(
        "the claim code", lambda: re.search(r"/claim [A-Z0-9-]+", stage.journal())
    )
    stage.says(claim.group(0))
    stage.machine.until("an answer to the claim", stage.heard)
    stage.says("What does the heartbeat mean?")
    assert "heartbeat" in stage.hears("heartbeat.md")


def the_journal_is_useful(stage):
    by_unit, by_name = stage.journal("-u katana-bot"), stage.journal("-t katana-bot")
    for words in ["ready: Telegram answered the first poll", "message received"]:
        assert words in by_unit and words in by_name, words
    warnings = stage.journal("-u katana-bot -p warning")
    assert "nobody owns this bot yet" in warnings and "message received" not in warnings
    chat = stage.journal(f"-u katana-bot CHAT_ID={OWNER} -o json").splitlines()
    entries = [json.loads(line) for line in chat]
    received = [e for e in entries if e["MESSAGE"].startswith("message received")]
    assert received and all(e["PRIORITY"] == "6" and e["UPDATE_ID"] for e in received), chat


def secrets_are_not_to_be_seen(stage):
    machine = stage.machine
    secret = BOT.split(":")[1]
    pid = machine.show("katana-bot", "MainPID")
    for place in [f"cat /proc/{pid}/cmdline /proc/{pid}/environ", "journalctl -q --no-pager -u 'katana-bot*'",
                  "cat /run/katana-bot/heartbeat", "systemctl show katana-bot"]:
        assert secret not in machine.say(place).replace("\0", " "), place
    assert machine.say("stat -c %a:%U /var/lib/katana-bot").strip() == "700:katana-bot"
    for path in ["/var/lib/katana-bot/katana.db", TOKEN_FILE]:
        for user in ["nobody", "katana-check"]:
            done = machine.run(f"runuser -u {user} -- cat {path}")
            assert done.returncode != 0 and "Permission denied" in done.stderr, (user, path)


def anybody_may_check_the_heartbeat(stage):
    # With a private /proc as the bot has: nspawn shows others a boot id of its own.
    alike = "systemd-run --pipe --wait --quiet --uid=nobody -p ProtectProc=invisible"
    said = stage.machine.say(f"{alike} check-heartbeat --no-alert")
    assert said.startswith("OK: katana-bot (production)"), said
    stage.machine.say("systemctl start katana-bot-check.service")
    assert "OK: katana-bot (production)" in stage.journal("-u katana-bot-check")


def alerts_reach_a_second_bot(stage):
    machine = stage.machine
    machine.put("/etc/credstore/katana-bot.telegram-alert-token", ALERTS + "\n", 0o600)
    machine.put(
        CHECKER,
        # Findings are other tests' matter: each kill leaves one, for ten minutes.
        f'alert_on = ["failing"]\n[[watch]]\nname = "katana-bot"\nfile = "/run/katana-bot/heartbeat"\nthreshold = "15s"\n'
        f'[[channel]]\ntype = "telegram"\nchat_id = {ADMIN}\napi_url = "{stage.sim("alerts")}"\n',
    )
    # People write to a bot before it can write to them.
    stage.says("/start", "alerts", ADMIN)
    credential = "telegram-alert-token:katana-bot.telegram-alert-token"
    machine.say(
        "systemd-run --pipe --wait --quiet --uid=katana-check"
        f" --property=LoadCredential={credential} /usr/bin/check-heartbeat --test-alert"
    )
    assert len(stage.alerts()) == 1, stage.alerts()
    # The real timer, but with less patience than once a minute.
    machine.put(
        "/etc/systemd/system/katana-bot-check.timer.d/often.conf",
        "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/5\nAccuracySec=1s\n",
    )
    machine.say("systemctl daemon-reload && systemctl restart katana-bot-check.timer")


def a_kill_loses_nothing(stage):
    machine = stage.machine
    restarts = int(machine.show("katana-bot", "NRestarts"))
    machine.say("systemctl kill -s KILL katana-bot")
    stage.says("/whoami after the kill")
    machine.until("a restart", lambda: int(machine.show("katana-bot", "NRestarts")) == restarts + 1)
    stage.is_active()
    machine.until("the answer", lambda: any(str(OWNER) in m for m in stage.heard()))
    time.sleep(1)
    assert sum(str(OWNER) in m for m in stage.heard()) == 1, stage.heard()


def a_process_that_hangs_is_restarted(stage):
    machine = stage.machine
    since, restarts = stage.cursor(), int(machine.show("katana-bot", "NRestarts"))
    before = len(stage.heard())
    machine.say("systemctl kill -s STOP --kill-who=main katana-bot")
    stage.says("/whoami")
    more = lambda: int(machine.show("katana-bot", "NRestarts")) == restarts + 1
    machine.until("a restart by the watchdog", more, within=60)
    stage.is_active()
    assert "Watchdog timeout" in stage.journal(since=since)
    machine.until("the answer", lambda: len(stage.heard()) > before)
    time.sleep(1)
    assert len(stage.heard()) == before + 1, stage.heard()[before:]


def a_reload_changes_what_it_says(stage):
    machine = stage.machine
    pid, since = machine.show("katana-bot", "MainPID"), stage.cursor()
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    machine.put(CONFIG, good + '[log]\nlevel = "debug"\n')
    machine.say("systemctl reload katana-bot")
    machine.until("a reload", lambda: "configuration read again" in stage.journal(since=since))
    since = stage.cursor()
    machine.put(CONFIG, good + "[log]\nlevel = 5\n")
    machine.run("systemctl reload katana-bot")
    refused = "the new configuration is not taken"
    machine.until("a refused reload", lambda: refused in stage.journal(since=since))
    machine.put(CONFIG, good)
    machine.say("systemctl reload katana-bot")
    stage.is_active()
    assert machine.show("katana-bot", "MainPID") == pid


def a_bad_configuration_is_said_once_and_at_once(stage):
    machine = stage.machine
    quiet(stage)
    alerts, since = len(stage.alerts()), stage.cursor()
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    machine.put(CONFIG, good + "[bot]\nacces = 5\n")
    machine.run("systemctl restart katana-bot", timeout=60)
    machine.until("the end", lambda: stage.state() == "failed")
    assert machine.show("katana-bot", "ExecMainStatus") == "78"
    said = stage.journal(since=since)
    assert "bot.acces" in said and "did you mean" in said, said
    # The heartbeat was good a moment ago; without OnFailure= nobody would know for 15 s.
    machine.until("an alert", lambda: len(stage.alerts()) > alerts, within=8)
    time.sleep(11)
    assert len(stage.alerts()) == alerts + 1, stage.alerts()[alerts:]
    assert "DOWN" in stage.alerts()[alerts]
    assert stage.state() == "failed", "it is not started again"
    machine.put(CONFIG, good)
    machine.say("systemctl restart katana-bot", timeout=60)
    recovered(stage, alerts + 2)


def quiet(stage):
    """Waits until the checker has nothing to say: no incident is open."""
    open_ = "test -e /var/lib/katana-check/incidents.json"
    stage.is_active()
    stage.machine.until("no incident", lambda: stage.machine.run(open_).returncode, within=40)


def recovered(stage, count):
    stage.machine.until("RECOVERED", lambda: len(stage.alerts()) >= count, within=30)
    time.sleep(11)
    assert len(stage.alerts()) == count, stage.alerts()[count - 2 :]
    assert "RECOVERED" in stage.alerts()[-1], stage.alerts()[-1]


def an_outage_is_told_once_and_its_end_once(stage):
    machine = stage.machine
    quiet(stage)
    alerts = len(stage.alerts())
    machine.say("systemctl kill -s STOP --kill-who=main katana-bot")
    machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=40)
    assert "DOWN" in stage.alerts()[-1]
    machine.until("the watchdog", lambda: stage.state() != "active", within=60)
    stage.is_active(60)
    recovered(stage, alerts + 2)


def exits_in_a_loop_are_told_once(stage):
    machine = stage.machine
    quiet(stage)
    alerts, database = len(stage.alerts()), "/var/lib/katana-bot/katana.db"
    restarts = lambda: int(machine.show("katana-bot", "NRestarts"))
    machine.say(f"systemctl stop katana-bot && chown root {database}* && chmod 600 {database}*")
    try:
        machine.say("systemctl start --no-block katana-bot")
        is_69 = lambda: machine.show("katana-bot", "ExecMainStatus") == "69"
        machine.until("exit 69", is_69)
        machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=40)
        before = restarts()
        machine.until("that it goes on", lambda: restarts() >= before + 2, within=40)
        assert len(stage.alerts()) == alerts + 1, stage.alerts()[alerts:]
    finally:
        machine.say(f"chown katana-bot {database}*")
    stage.is_active()
    recovered(stage, alerts + 2)


def a_missing_token_is_waited_for(stage):
    machine = stage.machine
    machine.say(f"mv {TOKEN_FILE} /srv/token")
    machine.say("systemctl restart katana-bot", timeout=60)
    assert stage.state() == "inactive"
    assert TOKEN_FILE in machine.run("systemctl status katana-bot").stdout
    machine.say(f"mv /srv/token {TOKEN_FILE} && systemctl start katana-bot", timeout=60)
    stage.is_active()


def a_wrong_token_is_named(stage):
    machine = stage.machine
    machine.put(TOKEN_FILE, WRONG + "\n", 0o600)
    machine.say("systemctl restart --no-block katana-bot")
    named = lambda: "token" in machine.show("katana-bot", "StatusText")
    machine.until("STATUS names the token", named, within=30)
    assert stage.state() == "activating"
    assert "Telegram refuses the token" in stage.journal("-u katana-bot -p err")
    assert WRONG.split(":")[1] not in stage.journal()
    machine.put(TOKEN_FILE, BOT + "\n", 0o600)
    machine.say("systemctl restart katana-bot", timeout=60)
    stage.is_active()


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
    seen = machine.say(f"nsenter -t {pid} -m ls /var/lib").split()
    assert seen == ["katana-bot@staging"], seen
    # It fails alone, is reported at once by its own checker, and recovers alone.
    alerts = len(stage.alerts())
    machine.put("/etc/katana-bot/staging.toml", text + "[bot]\nacces = 5\n")
    machine.run("systemctl restart katana-bot@staging", timeout=60)
    machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=10)
    assert "katana-bot@staging/heartbeat" in stage.alerts()[-1], stage.alerts()[-1]
    assert stage.state() == "active" and stage.state("katana-bot@staging") == "failed"
    machine.put("/etc/katana-bot/staging.toml", text)
    machine.say("systemctl restart katana-bot@staging", timeout=60)
    machine.say("systemctl start katana-bot-check@staging.service")
    assert len(stage.alerts()) == alerts + 2 and "RECOVERED" in stage.alerts()[-1]


def the_socket_refuses_nobody(stage):
    machine = stage.machine
    machine.say("systemctl stop katana-bot && systemctl enable --now katana-bot.socket")
    machine.say("systemctl start katana-bot", timeout=60)
    asked, refused, end = [], [], threading.Event()

    def ask():
        while not end.is_set():
            code, _ = machine.http("http://127.0.0.1:8080/health")
            asked.append(code)
            if not code:
                refused.append(code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(2):
            machine.say("systemctl restart katana-bot", timeout=60)
    finally:
        end.set()
        asking.join()
    assert asked.count(200) >= 3 and not refused, (len(asked), len(refused))
    assert machine.show("katana-bot.socket", "ActiveState") == "active"


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


def bot_messages(stage):
    return json.loads(stage.machine.http(stage.sim("bot", "/control/state"))[1])["bot_messages"]


def cron_and_timer_tell_nothing_twice(stage):
    machine = stage.machine
    quiet(stage)
    examples = "/usr/share/doc/katana-bot/examples"
    for unit in ["katana-bot", "katana-bot-check"]:
        folder = f"/etc/systemd/system/{unit}.service.d"
        machine.say(f"install -D -m 644 -t {folder} {examples}/systemd/container.conf")
    machine.say("systemctl daemon-reload && systemctl restart katana-bot", timeout=60)
    quiet(stage)
    text = machine.say(f"cat {examples}/katana-bot-check.cron")
    machine.put("/etc/katana-bot/alert-token", ALERTS + "\n", 0o400)
    machine.say("chown katana-check /etc/katana-bot/alert-token")
    config = (machine.root / CHECKER.lstrip("/")).read_text()
    machine.put(CHECKER, config + 'token_file = "/etc/katana-bot/alert-token"\n')
    machine.put("/etc/cron.d/katana-bot-check", text)
    alerts = len(stage.alerts())
    machine.say("systemctl stop katana-bot.socket katana-bot katana-bot-check.timer")
    machine.until("DOWN by cron", lambda: len(stage.alerts()) > alerts, within=130)
    machine.say("systemctl start katana-bot-check.timer")
    time.sleep(15)
    assert len(stage.alerts()) == alerts + 1, stage.alerts()[alerts:]
    assert "DOWN" in stage.alerts()[-1]
    machine.say("systemctl start katana-bot", timeout=60)
    recovered(stage, alerts + 2)
    machine.say("rm -r /etc/cron.d/katana-bot-check /etc/systemd/system/katana-bot*.service.d")
    machine.say("systemctl daemon-reload && systemctl restart katana-bot", timeout=60)


def supervisor_runs_it_too(stage):
    machine = stage.machine
    machine.say("systemctl stop katana-bot katana-bot-check.timer")
    machine.say("install -d -m 755 -o katana-bot /var/lib/katana-run")
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
    # It starts by itself once a mistake is mended.
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    machine.put(CONFIG, good + "[bot]\nacces = 5\n")
    machine.run("supervisorctl restart katana-bot")
    assert "RUNNING" not in status(), status()
    assert "bot.acces" in machine.say("tail -20 /var/log/supervisor/katana-bot.log")
    machine.put(CONFIG, good)
    machine.until("it runs", lambda: "RUNNING" in status())
    machine.say("rm /etc/supervisor/conf.d/katana-bot.conf && supervisorctl update")
    machine.say("systemctl start katana-bot katana-bot-check.timer", timeout=60)


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


ALL = [
    installing_pulls_nothing_else,
    without_a_token_it_waits_and_nothing_fails,
    units_are_clean_here,
    with_a_token_it_starts_and_says_how_it_is,
    a_conversation_works,
    the_journal_is_useful,
    secrets_are_not_to_be_seen,
    anybody_may_check_the_heartbeat,
    alerts_reach_a_second_bot,
    a_kill_loses_nothing,
    a_process_that_hangs_is_restarted,
    a_reload_changes_what_it_says,
    a_bad_configuration_is_said_once_and_at_once,
    an_outage_is_told_once_and_its_end_once,
    exits_in_a_loop_are_told_once,
    a_missing_token_is_waited_for,
    a_wrong_token_is_named,
    instances_do_not_touch_each_other,
    the_socket_refuses_nobody,
    an_update_loses_nothing,
    cron_and_timer_tell_nothing_twice,
    supervisor_runs_it_too,
    removing_keeps_what_is_yours,
    purging_leaves_nothing,
]
