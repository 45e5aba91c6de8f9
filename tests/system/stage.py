"""The machine, the package, and the simulated bots that all checks share."""

import json
import time

from mail import MailServer

BOT = "7000000001:SYSTEM-test-token-of-the-bot-00001"
OTHER_BOT = "7000000002:SYSTEM-test-token-of-staging-002"
ALERTS = "7000000003:SYSTEM-test-token-for-alerts-0003"
TESTING_BOT = "7000000004:SYSTEM-test-token-of-testing-0004"
SETUP_BOT = "7000000005:SYSTEM-test-token-for-setup-00005"
WRONG = "7000000001:SYSTEM-test-token-that-was-revoked"

OWNER = 1001
ADMIN = 4711
TOKEN_FILE = "/etc/credstore/katana-bot.telegram-token"
CONFIG = "/etc/katana-bot/katana-bot.toml"
CHECKER = "/etc/katana-bot/check-heartbeat.toml"


class Stage:
    """The machine, its mail server, the package, and the simulated bots, each with a Telegram of its own."""

    PORTS = {"bot": 8481, "staging": 8482, "alerts": 8483, "testing": 8484, "setup": 8485}
    TOKENS = {"bot": BOT, "staging": OTHER_BOT, "alerts": ALERTS, "testing": TESTING_BOT, "setup": SETUP_BOT}

    def __init__(self, machine, package, simulator):
        self.machine = machine
        self.package = package
        self.mail = MailServer(machine)
        self.before = self.files()
        self.names = set(machine.say("cut -d: -f1 /etc/passwd /etc/group").split())
        machine.copy(simulator, "/srv/sim", 0o755)
        machine.copy(package, f"/srv/{package.name}")
        for name, token in self.TOKENS.items():
            port = self.PORTS[name]
            command = f"/srv/sim serve --control --limits off --listen 127.0.0.1:{port} --token {token}"
            machine.say(f"systemd-run -q --unit=sim-{name} {command}")
            machine.until("the simulator", lambda url=self.sim(name): machine.http(url)[0])

    def sim(self, name, path=""):
        return f"http://127.0.0.1:{self.PORTS[name]}{path}"

    def says(self, text, name="bot", user=OWNER):
        """A person writes to a bot."""
        body = {"user_id": user, "text": text}
        code, said = self.machine.http(self.sim(name, "/control/say"), body)
        assert code == 200, said

    def heard(self, name="bot", user=OWNER):
        """What the bot wrote to a person, in order."""
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
        after = f" --cursor='{since}'" if since else ""
        return self.machine.say(f"journalctl --no-pager -q {options}{after}")

    def cursor(self):
        """A place in the journal: that of an entry of its own. (With --after-cursor, and the last entry
        of another unit, journalctl passes over the first one that is looked for.)"""
        mark = "echo here | systemd-cat -t system-check && journalctl --sync"
        said = self.machine.say(f"{mark} && journalctl -q -t system-check -n 1 --show-cursor")
        return said.partition("-- cursor: ")[2].strip()

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


def forget_crashes(stage, unit="katana-bot"):
    """So that crashes of several checks do not add up to a loop, which is reported for ten minutes."""
    beat = f"/run/{unit}/heartbeat"
    if not stage.machine.run(f"grep -q '^age: unclean' {beat}").returncode:
        stage.machine.say(f"systemctl stop {unit} && rm -f {beat} && systemctl start {unit}", timeout=90)


def quiet(stage, instance="", within=40):
    """Waits until the checker of this bot has nothing to report: no incident is open."""
    unit, incidents = f"katana-bot{instance}", f"/var/lib/katana-check{instance}/incidents.json"
    stage.is_active(unit=unit)
    forget_crashes(stage, unit)
    stage.is_active(unit=unit)
    try:
        stage.machine.until("no incident", lambda: stage.machine.run(f"test -e {incidents}").returncode, within)
    except AssertionError as error:
        raise AssertionError(f"{error}: {stage.machine.say(f'cat {incidents}')}") from error


def recovered(stage, count, within=30):
    """Waits for the last of so many alerts, and that no other follows; mails told the same."""
    stage.machine.until("RECOVERED", lambda: len(stage.alerts()) >= count, within)
    time.sleep(11)
    assert len(stage.alerts()) == count, stage.alerts()[count - 2 :]
    assert "RECOVERED" in stage.alerts()[-1], stage.alerts()[-1]
    incident = stage.alerts()[-1].split("Incident: ")[1].split(",")[0]
    mails = [mail.get_content() for mail in stage.mail.all()]
    # The first lines: a notice that had to wait also reports the latest check.
    told = lambda texts: [text.splitlines()[0] for text in texts if incident in text]
    by_bot, by_mail = told(stage.alerts()), told(mails)
    assert len(by_bot) == 2 and by_mail == by_bot, (by_mail, by_bot)


def bot_messages(stage):
    return json.loads(stage.machine.http(stage.sim("bot", "/control/state"))[1])["bot_messages"]
