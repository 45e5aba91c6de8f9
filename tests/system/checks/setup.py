"""`katana-bot setup`: by a script, by a person at a terminal, with encrypted secrets."""

import contextlib
import os
import pathlib
import pty
import re
import select
import subprocess
import threading
import time

from stage import ADMIN, ALERTS, SETUP_BOT, quiet

UNIT = "katana-bot@setup"
SETTINGS = "/etc/katana-bot/setup.toml"
OWN = "/etc/katana-bot/setup.d/50-setup.toml"
STATE = "/var/lib/katana-bot@setup"
KEY = "sk-SYSTEM-a-key-that-no-one-may-see-01"
REVOKED = "7000000005:SYSTEM-test-token-from-before-05"
TOKEN_FILE = f"/etc/credstore/{UNIT}.telegram-token"
SECRETS = [text.rpartition(":")[2] for text in (SETUP_BOT, ALERTS, KEY, REVOKED)]


def a_script_sets_a_bot_up(stage):
    machine = stage.machine
    address = f'[telegram]\napi_url = "{stage.sim("setup")}"\n[web]\nlisten = "127.0.0.1:8095"\n'
    machine.put(SETTINGS, address)
    machine.put("/srv/answers", f"{SETUP_BOT}\n{KEY}\n", 0o600)
    command = (
        "katana-bot setup --instance setup --non-interactive --token-file -"
        f" --provider openai --key-file - --base-url {stage.sim('setup', '/v1')} --model m </srv/answers 2>&1"
    )
    with nothing_is_seen(stage) as seen:
        said = machine.say(command)
        seen.append(said)
    assert f"{UNIT} runs." in said and "https://t.me/katana_sim_bot" in said, said
    assert "The model answers." in said and machine.say(f"cat {SETTINGS}") == address, said
    is_set_up(stage, said)
    key_file = f"/etc/credstore/{UNIT}.openai-api-key"
    assert machine.say(f"stat -c %a:%U:%G {TOKEN_FILE} {key_file}").split() == ["600:root:root"] * 2
    stage.says("Is anyone there?", "setup")
    machine.until("an answer of the model", lambda: len(stage.heard("setup")) >= 2)
    # Again: nothing is written, and nothing restarted.
    files = f"stat -c '%n %i %y %a:%U' {SETTINGS} {OWN} {TOKEN_FILE} {key_file}"
    before = machine.show(UNIT, "MainPID"), machine.say(files)
    said = machine.say(command)
    assert "It has an owner." in said and "Written" not in said, said
    assert (machine.show(UNIT, "MainPID"), machine.say(files)) == before
    # Another answer: what changes is shown, and it takes a yes.
    other = "katana-bot setup --instance setup --non-interactive --provider offline"
    done = machine.run(other)
    assert done.returncode == 64 and "--yes is missing" in done.stderr, done
    for line in ['- answer.provider = "openai"', '+ answer.provider = "offline"']:
        assert line in done.stderr, done.stderr
    machine.say(f"{other} --yes")
    shown = machine.say(f"katana-bot print-config --config {SETTINGS}")
    assert re.search(rf'provider = "offline" *# {OWN}:[0-9]+', shown), shown
    # Documents have to be readable for the service's user.
    machine.say("mkdir -p /srv/closed/docs && chmod 700 /srv/closed && echo '# A' >/srv/closed/docs/a.md")
    command = "katana-bot setup --instance setup --non-interactive --no-start --yes --documents /srv/closed/docs"
    done = machine.run(command)
    assert done.returncode == 78 and "user katana-bot cannot enter /srv/closed" in done.stderr, done
    order = re.search(r"`(chmod [^`]*)`", done.stderr).group(1)
    machine.say(f"{order} && {command} && rm -r /srv/closed")
    # Without the answers, their names; and nothing is changed.
    gone(stage)
    done = machine.run("katana-bot setup --instance setup --non-interactive </dev/null")
    assert done.returncode == 64 and "--token-file is missing" in done.stderr, done
    assert machine.run(f"ls -d {TOKEN_FILE} {STATE}").stdout == ""
    machine.say("rm /srv/answers")


def a_failed_start_is_reported_at_once(stage):
    machine = stage.machine
    # The port that is asked for is the first bot's.
    machine.put(SETTINGS, f'[telegram]\napi_url = "{stage.sim("setup")}"\n[web]\nlisten = "127.0.0.1:8080"\n')
    machine.put("/srv/answers", f"{SETUP_BOT}\n", 0o600)
    command = "katana-bot setup --instance setup --non-interactive --token-file - </srv/answers"
    begun = time.monotonic()
    done = machine.run(command)
    assert done.returncode == 69 and f"journalctl -u {UNIT}" in done.stderr, done
    assert "web.listen" in done.stderr and "8080" in done.stderr, done.stderr
    assert time.monotonic() - begun < 30, "it waits for what cannot come"
    machine.say("rm /srv/answers")
    gone(stage)


def what_setup_prints_starts_the_bot_later(stage):
    """After --no-start: the printed command enables and starts the bot and its checker."""
    machine = stage.machine
    machine.put(SETTINGS, f'[telegram]\napi_url = "{stage.sim("setup")}"\n[web]\nlisten = "127.0.0.1:8095"\n')
    machine.put("/srv/answers", f"{SETUP_BOT}\n", 0o600)
    said = machine.say("katana-bot setup --instance setup --no-start --token-file - </srv/answers; rm /srv/answers")
    assert stage.state(UNIT) == "inactive" and "To start it now and at each boot:" in said, said
    order = re.search(r"^  (systemctl enable .*)$", said, re.MULTILINE)
    machine.say(f"{order.group(1)} 2>&1", timeout=60)
    units = f"{UNIT} katana-bot-check@setup.timer"
    assert machine.say(f"systemctl is-enabled {units}").split() == ["enabled"] * 2
    assert machine.say(f"systemctl is-active {units}").split() == ["active"] * 2
    gone(stage)


def a_person_sets_a_bot_up(stage):
    machine = stage.machine
    quiet(stage)
    address = f'[telegram]\napi_url = "{stage.sim("setup")}"\n[web]\nlisten = "127.0.0.1:8095"\n'
    machine.put(SETTINGS, address)
    alerts, checker = len(stage.alerts()), machine.say("cat /etc/katana-bot/check-heartbeat.toml")
    with nothing_is_seen(stage) as seen:
        terminal = Terminal(machine, f"TELEGRAM_ALERT_API_URL={stage.sim('alerts')} katana-bot setup --instance setup")
        terminal.answers("Bot token from @BotFather (hidden):", REVOKED)
        terminal.answers("Telegram refuses this token", "")
        terminal.answers("Bot token from @BotFather (hidden):", SETUP_BOT)
        terminal.answers("1 to 4, or Enter to leave it as it is (offline):", "4")
        terminal.answers("Folder with your documents, .md or .txt (Enter for the built-in pages):", "/home")
        terminal.answers("the service cannot see /home", "")
        terminal.answers("Folder with your documents, .md or .txt (Enter for the built-in pages):", "")
        terminal.answers("1 or 2, or Enter to leave it as it is:", "1")
        terminal.answers("Token of the second bot (hidden; Enter keeps it):", "")
        stage.says("/start", "alerts", ADMIN)
        terminal.answers("Then press Enter, or type the chat's id:", "")
        terminal.answers(f"({ADMIN})", "")
        terminal.answers("Which one? Enter for 1, 0 to look again:", "")
        code, screen = terminal.ends()
        seen.append(screen)
    assert code == 0, screen
    assert "The test alert was accepted" in screen, screen
    assert len(stage.alerts()) == alerts + 1 and "test" in stage.alerts()[-1], stage.alerts()[alerts:]
    assert 'provider = "offline"' in machine.say(f"cat {OWN}")
    assert machine.say("cat /etc/katana-bot/check-heartbeat.toml") == checker
    assert f"{UNIT} runs." in screen and "https://t.me/katana_sim_bot" in screen, screen
    is_set_up(stage, screen)
    assert machine.say(f"stat -c %a:%U:%G {TOKEN_FILE}").strip() == "600:root:root"
    gone(stage)


def secrets_can_be_encrypted(stage):
    """Plain before, encrypted, and plain again."""
    machine = stage.machine
    quiet(stage)
    machine.put(SETTINGS, f'[telegram]\napi_url = "{stage.sim("setup")}"\n[web]\nlisten = "127.0.0.1:8095"\n')
    machine.put("/srv/answers", f"{SETUP_BOT}\n", 0o600)
    is_set_up(stage, machine.say("katana-bot setup --instance setup --non-interactive --token-file - </srv/answers 2>&1"))
    machine.say("rm /srv/answers")
    alerts, mails = len(stage.alerts()), len(stage.mail.all())
    machine.say("cp -a /etc/credstore /srv/credstore")
    sums = machine.say("cd /etc/credstore && sha256sum *")
    with nothing_is_seen(stage) as seen:
        seen.append(machine.say("katana-bot setup --instance setup --non-interactive --encrypt 2>&1"))
    plain = machine.say("ls /etc/credstore").split()
    assert f"{UNIT}.telegram-token" not in plain and "katana-bot.telegram-alert-token" not in plain, plain
    sealed = machine.say("cd /etc/credstore.encrypted && stat -c %a:%U:%n *").split()
    names = ("katana-bot.smtp-alert-password", "katana-bot.telegram-alert-token", f"{UNIT}.telegram-token")
    assert sealed == [f"600:root:{name}" for name in names], sealed
    left = machine.run(f"grep -rlF -e {SECRETS[0]} -e {SECRETS[1]} /etc {STATE} /run/{UNIT}").stdout
    assert left == "", left
    # The bot has its token, and the checker its own for both channels.
    assert stage.state(UNIT) == "active"
    before = len(stage.heard("setup"))
    stage.says("/whoami", "setup")
    machine.until("an answer", lambda: len(stage.heard("setup")) > before)
    machine.say(f"systemctl stop katana-bot-check@setup.timer {UNIT} && rm /run/{UNIT}/heartbeat")
    # Without the daemon, only systemd can read the token: what doctor prints does so.
    said = machine.run("katana-bot doctor --instance setup").stdout
    order = re.search(r"`(systemd-run [^`]*)`", said)
    assert "LoadCredentialEncrypted=telegram-token:" in order.group(1), said
    said = machine.run(order.group(1)).stdout
    assert re.search(r"configuration +valid \(", said) and "@katana_sim_bot" in said, said
    machine.say("systemctl start katana-bot-check@setup.service")
    assert len(stage.alerts()) == alerts + 1 and "DOWN" in stage.alerts()[-1], stage.alerts()[alerts:]
    machine.say(f"systemctl start {UNIT} && systemctl start katana-bot-check@setup.service", timeout=60)
    assert len(stage.alerts()) == alerts + 2 and "RECOVERED" in stage.alerts()[-1]
    machine.until("the mails", lambda: len(stage.mail.all()) == mails + 2)
    # While both forms are there, the drop-in wins; what setup cannot account for is left and told.
    machine.put(TOKEN_FILE, f"{REVOKED}\n", 0o600)
    machine.say(f"systemctl restart {UNIT}", timeout=60)
    before = len(stage.heard("setup"))
    stage.says("/whoami", "setup")
    machine.until("an answer", lambda: len(stage.heard("setup")) > before)
    said = machine.say("katana-bot setup --instance setup --non-interactive 2>&1")
    assert f"{TOKEN_FILE} is not used" in said and "https://t.me/katana_sim_bot" in said, said
    machine.say(f"rm {TOKEN_FILE}")
    # A secret that is given again stays encrypted.
    machine.put("/srv/answers", f"{SETUP_BOT}\n", 0o600)
    machine.say("katana-bot setup --instance setup --non-interactive --token-file - </srv/answers; rm /srv/answers")
    assert machine.say(f"ls /etc/credstore.encrypted/{UNIT}.telegram-token /etc/credstore").split() == [
        f"/etc/credstore.encrypted/{UNIT}.telegram-token", "/etc/credstore:", *plain
    ]
    # Plain again, as it was.
    machine.say("katana-bot setup --instance setup --non-interactive --plain")
    machine.say("rm -r /srv/credstore")
    assert machine.say("ls -A /etc/credstore.encrypted") == ""
    assert machine.say("cd /etc/credstore && sha256sum *") == sums
    assert machine.run("find /etc/systemd -name '*encrypted-credentials*'").stdout == ""
    assert stage.state(UNIT) == "active"
    machine.say("systemctl start katana-bot-check.service")
    gone(stage)


def several_providers_have_their_keys_from_systemd(stage):
    machine = stage.machine
    machine.put(SETTINGS, f"""
[telegram]
api_url = "{stage.sim("setup")}"
[web]
listen = "127.0.0.1:8095"
[answer]
provider = ["own", "groq", "offline"]
[providers.own]
kind = "openai"
base_url = "{stage.sim("setup", "/v1")}"
model = "m"
""")
    given = {"telegram-token": SETUP_BOT, "provider-groq-api-key": KEY, "provider-own-api-key": KEY}
    for name, secret in given.items():
        machine.put(f"/etc/credstore/{UNIT}.{name}", secret + "\n", 0o600)
    # The unit passes those of the known servers; a name of one's own takes the line that docs/providers.md shows.
    drop_in = f"/etc/systemd/system/{UNIT}.service.d/override.conf"
    machine.say(f"mkdir -p {pathlib.Path(drop_in).parent}")
    machine.put(drop_in, f"[Service]\nLoadCredential=provider-own-api-key:{UNIT}.provider-own-api-key\n")
    with nothing_is_seen(stage) as seen:
        machine.say(f"systemctl daemon-reload && systemctl start {UNIT}", 60)
        passed = machine.say(f"ls /run/credentials/{UNIT}.service").split()
        assert set(given) <= set(passed), passed
        # Earlier checks asked the same.
        before = len(stage.heard("setup"))
        stage.says(re.findall(r"/claim [A-Z0-9-]+", stage.journal(f"-u {UNIT}"))[-1], "setup")
        stage.says("Is anyone there?", "setup")
        machine.until("both answers", lambda: len(stage.heard("setup")) >= before + 2)
        assert "Is anyone there?" in stage.heard("setup")[-1], stage.heard("setup")
        # The check before a reload has no secrets.
        machine.say(f"sed -i 's/model = \"m\"/model = \"another\"/' {SETTINGS}")
        machine.say(f"systemctl reload {UNIT}")
        machine.until("the new model", lambda: "providers.own.model; the new value" in stage.journal(f"-u {UNIT}"))
        said = machine.run("katana-bot --instance setup doctor").stdout
        seen.append(said)
    for words in ["own, another, with a key: reachable", "groq, openai/gpt-oss-120b, with a key", "offline: it quotes"]:
        assert words in said, said
    machine.say(f"rm -r {pathlib.Path(drop_in).parent} && systemctl daemon-reload")
    gone(stage)


def is_set_up(stage, said):
    """The service runs, will run after a boot, is watched, and has an owner by the printed code."""
    machine = stage.machine
    enabled = machine.say(f"systemctl is-enabled {UNIT} katana-bot-check@setup.timer").split()
    assert enabled == ["enabled", "enabled"], enabled
    assert stage.state(UNIT) == "active"
    assert stage.state("katana-bot-check@setup.timer") == "active"
    foreign = machine.say(f"find {STATE} ! -user katana-bot -o -perm /077 ! -type d")
    assert foreign == "", foreign
    claim = re.search(r"/claim [A-Z0-9-]+", said)
    assert claim, said
    before = len(stage.heard("setup"))
    stage.says(claim.group(0), "setup")
    machine.until("an answer to the claim", lambda: len(stage.heard("setup")) > before)
    assert "owner" in stage.heard("setup")[-1].lower(), stage.heard("setup")


def gone(stage):
    """Takes the bot away again."""
    machine = stage.machine
    machine.say(f"systemctl disable --now {UNIT} katana-bot-check@setup.timer 2>&1")
    machine.say(f"rm -rf {SETTINGS} /etc/katana-bot/setup.d /etc/credstore/{UNIT}.* {STATE} /var/lib/katana-check@setup /run/{UNIT}")
    machine.run(f"systemctl reset-failed {UNIT}")


@contextlib.contextmanager
def nothing_is_seen(stage):
    """No secret in arguments, in the journal, or in what is added to the list that this gives."""
    here, found, end = stage.cursor(), set(), threading.Event()

    def watch():
        # All processes of the machine are ours too, and so are the simulator and these checks' own
        # search for secrets, which another release's may run just then.
        while not end.is_set():
            for folder in pathlib.Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    words = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                    if not words.startswith("/srv/sim") and "grep -rlF" not in words:
                        found.update(words for secret in SECRETS if secret in words)

    thread, seen = threading.Thread(target=watch), []
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()
    assert seen and not found, found
    for text in [stage.journal("", since=here), *seen]:
        for secret in SECRETS:
            assert secret not in text, text


class Terminal:
    """A person at a terminal of the machine."""

    def __init__(self, machine, command):
        self.keys, inside = pty.openpty()
        enter = ["nsenter", "-t", str(machine.pid), "-a", "--", "env", "-i", "TERM=dumb"]
        words = [*enter, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "/bin/sh", "-c", command]
        self.process = subprocess.Popen(
            words, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
        )
        os.close(inside)
        self.screen, self.read = "", 0

    def shows(self, within):
        """Reads what comes; false when nothing does, or it has ended."""
        try:
            if not select.select([self.keys], [], [], within)[0]:
                return False
            text = os.read(self.keys, 4096)
        except OSError:
            return False
        self.screen += text.decode(errors="replace")
        return bool(text)

    def answers(self, question, line):
        """Waits for the question, and types a line; none when it is empty and no question."""
        while question not in self.screen[self.read :]:
            assert self.shows(30), f"{question!r} expected in: {self.screen}"
        self.read = self.screen.index(question, self.read) + len(question)
        if line or question.endswith((":", "]")):
            os.write(self.keys, f"{line}\r".encode())

    def ends(self):
        """The exit code, and everything that was shown."""
        while self.shows(100):
            pass
        os.close(self.keys)
        return self.process.wait(10), self.screen
