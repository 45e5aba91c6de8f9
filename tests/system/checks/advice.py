"""Every remedy is carried out as `status`, `doctor`, an alert or the runbook prints it, and helps."""

import contextlib
import re
import time

from remedies import advised, done, of_alert, of_runbook
from stage import ALERTS, BOT, OWNER, TOKEN_FILE, WRONG, forget_crashes, quiet, recovered

from .setup import Terminal
from .upkeep import DATABASE

DROP_IN = "/etc/katana-bot/katana-bot.d/70-check.toml"

# Programs that show something and change nothing; what they look at may be missing on this machine.
LOOKS = "journalctl systemctl df du findmnt free ps pgrep getent timedatectl ls stat cat katana-bot".split()
# Commands of these that change something, or wait for a person.
CHANGES = re.compile(r"systemctl (?!status|show|cat|list-)|katana-bot (setup|restore|backup|knowledge reindex)|enable|top\b")


# A model's server that takes no key.
REFUSES = """
import http.server
class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b'{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}'
        self.send_response(401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST
http.server.ThreadingHTTPServer(("127.0.0.1", 8078), Server).serve_forever()
"""


def the_runbook_names_only_commands_that_work(stage):
    machine = stage.machine
    text = (machine.root / "usr/share/doc/katana-bot/runbook.md").read_text()
    text = re.sub(r"\s+", " ", text.replace("```", "`"))
    block = "katana-bot status systemctl status"
    commands = {command for command in re.findall(r"`([^`]+)`", text) if command.split(" ")[0].strip() in LOOKS}
    commands = {command for command in commands if not CHANGES.search(command) and block not in command}
    commands = {command for command in commands if not re.search(r"FILE|NAME|…|^\S+$", command)}
    assert len(commands) > 25, commands
    for command in sorted(commands):
        ran = machine.run(command)
        # The only output of a command that is right is about what it looks at.
        said = ran.stdout + ran.stderr
        odd = re.search(r"not found|nvalid option|unrecognized|Unknown|Failed to parse|usage:", said)
        assert ran.returncode not in (64, 126, 127) and not (ran.returncode and odd), (command, ran)


def each_end_of_the_bot_is_repaired_by_what_status_says(stage):
    """A bad key, a port that is taken, a state that is locked, a wrong owner: the commands run as printed."""
    machine = stage.machine
    for make, undo, words in [
        (lambda: machine.put(DROP_IN, "bot.acces = 5\n"), f"rm {DROP_IN}", "exit status 78: bot.acces"),
        (taken_port(machine), f"systemctl stop holder; rm {DROP_IN}", "exit status 69: cannot listen"),
        (locked_state(machine), "systemctl stop holder", "exit status 75: the state file"),
        (lambda: machine.say(f"chown root {DATABASE}*"), f"chown katana-bot {DATABASE}*", "exit status 69: cannot open"),
    ]:
        quiet(stage)
        machine.say("systemctl stop katana-bot")
        make()
        try:
            machine.run("systemctl start --no-block katana-bot")
            commands = ended(machine, words)
            # Before the cause is gone, it is named.
            if "78" in words:
                refused = machine.run(commands[0])
                assert refused.returncode == 78 and f"{DROP_IN}:1" in refused.stdout + refused.stderr, refused
        finally:
            machine.say(undo)
        done(machine, commands)
        stage.is_active()
        machine.until("good words", lambda: machine.run("katana-bot status").returncode == 0)
        forget_crashes(stage)


def ended(machine, words):
    """What `status` advises once it says that the bot ended like this."""
    for _ in range(60):
        page = machine.run("katana-bot status")
        if "not running" in page.stdout and words in page.stdout:
            break
        time.sleep(0.3)
    assert page.returncode == 1 and "not running" in page.stdout and words in page.stdout, page
    commands = advised(page.stdout)
    assert commands and commands[-1] == "systemctl restart katana-bot", page.stdout
    return commands


def taken_port(machine):
    """Another program has the port that the configuration names."""

    def make():
        machine.say("systemd-run -q --unit=holder python3 -m http.server --bind 127.0.0.1 8077")
        machine.until("the other program", lambda: machine.http("http://127.0.0.1:8077/")[0])
        machine.put(DROP_IN, 'web.listen = "127.0.0.1:8077"\n')

    return make


def locked_state(machine):
    """Another process holds the lock of the state file."""
    held = lambda: machine.run(f"flock -n {DATABASE}.lock true").returncode == 1

    def make():
        machine.say(f"systemd-run -q --unit=holder flock {DATABASE}.lock sleep 300")
        machine.until("the lock", held)

    return make


def an_alert_is_enough_to_bring_the_bot_back(stage):
    machine = stage.machine
    quiet(stage)
    alerts = len(stage.alerts())
    machine.put(DROP_IN, "bot.acces = 5\n")
    machine.run("systemctl restart katana-bot", timeout=60)
    machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=15)
    machine.say(f"rm {DROP_IN}")
    done(machine, of_alert(stage.alerts()[alerts]))
    stage.is_active()
    recovered(stage, alerts + 2)
    # A bot that was stopped and forgotten.
    quiet(stage)
    alerts = len(stage.alerts())
    machine.say("systemctl stop katana-bot")
    machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=40)
    done(machine, of_alert(stage.alerts()[alerts]))
    stage.is_active()
    recovered(stage, alerts + 2)


def a_token_is_brought_by_what_status_and_doctor_say(stage):
    """First there is none, then one that Telegram refuses."""
    machine = stage.machine
    quiet(stage)
    # As the printed commands have it.
    machine.put("/usr/bin/sudo", '#!/bin/sh\nexec "$@"\n', 0o755)
    for token in None, WRONG:
        if token:
            machine.put(TOKEN_FILE, token + "\n", 0o600)
            machine.say("systemctl restart --no-block katana-bot")
        else:
            machine.say(f"rm {TOKEN_FILE} && systemctl restart katana-bot")
        status = lambda: machine.run("katana-bot status").stdout
        names = lambda: "sudo katana-bot setup" in (page := status()) and page
        page = machine.until("setup", names, within=20)
        finding = "token_refused" if token else None
        (command,) = [c for c in advised(page, finding) if "setup" in c]
        doctor = advised(machine.run("katana-bot doctor").stdout)
        assert command in doctor, doctor
        terminal = Terminal(machine, command)
        terminal.answers("Bot token (hidden; Enter keeps" if token else "Bot token from @BotFather (hidden", BOT)
        # All other answers stay as they are.
        terminal.answers("or Enter to leave it as it is (offline):", "")
        terminal.answers("or Enter to leave it as it is:", "")
        code, screen = terminal.ends()
        assert code == 0, screen
        stage.is_active()
        machine.until("good words", lambda: machine.run("katana-bot status").returncode == 0)
    machine.say("rm /usr/bin/sudo")


def a_model_that_fails_is_found_by_the_runbook(stage):
    """A server that is away, then a wrong key, then one that works."""
    machine = stage.machine
    quiet(stage)
    model = '[answer]\nprovider = "openai"\ntimeout_s = 5\nfirst_token_timeout_s = 5\n[openai]\nmodel = "m"\nbase_url = "{}"\n'
    key = "/etc/credstore/katana-bot.openai-api-key"
    machine.put(key, "sk-wrong-0123456789\n", 0o600)
    status = lambda: machine.run("katana-bot status").stdout
    machine.put("/srv/refuses.py", REFUSES)
    machine.say("systemd-run -q --unit=refuses python3 /srv/refuses.py")
    for url, cause in [("http://127.0.0.1:9/v1", "unreachable"), ("http://127.0.0.1:8078/v1", "auth")]:
        machine.put(DROP_IN, model.format(url))
        machine.say("systemctl restart katana-bot", timeout=60)
        for n in range(4):
            stage.says(f"question {n} without an answer", user=OWNER)
        found = lambda: f"({cause})" in (page := status()) and "provider_failing" in page and page
        machine.until(cause, found, within=30)
        looks = of_runbook(machine, "provider_failing", "Check")
        assert looks[0] == "katana-bot doctor --ask-provider", looks
        doctor = machine.run(looks[0])
        assert doctor.returncode and re.search(r"provider|model", doctor.stdout), doctor.stdout
        assert cause in machine.say(looks[1]), looks
    # "For a long outage, configure another provider and reload."
    machine.put(DROP_IN, '[answer]\nprovider = "echo"\n')
    machine.say("systemctl reload katana-bot")
    stage.says("again", user=OWNER)
    machine.until("the end", lambda: "provider_failing" not in status(), within=60)
    machine.say(f"rm {DROP_IN} {key} /srv/refuses.py && systemctl stop refuses && systemctl restart katana-bot", timeout=60)


def a_pause_is_shown_with_the_way_out(stage):
    machine = stage.machine
    quiet(stage)
    status = lambda: machine.run("katana-bot status").stdout
    stage.says("/pause")
    page = machine.until("the pause", lambda: "paused" in (page := status()) and page, within=15)
    (command,) = re.findall(r"`(/\w+)`", page)
    stage.says(command)
    machine.until("its end", lambda: "paused" not in status(), within=15)


def permissions_are_repaired_by_what_doctor_says(stage):
    machine = stage.machine
    quiet(stage)
    doctor = lambda: machine.run("katana-bot doctor").stdout
    machine.say(f"chmod 644 {DATABASE}")
    (command,) = [c for c in advised(doctor()) if c.startswith("chmod")]
    machine.say(command)
    assert "everyone on this machine can read" not in doctor()
    # Nothing checks the bot.
    machine.say("systemctl disable --now katana-bot-check.timer 2>&1")
    page = doctor()
    assert "no one is alerted when the bot fails" in page, page
    (command,) = [c for c in advised(page) if "katana-bot-check" in c]
    machine.say(f"{command} 2>&1")
    assert stage.state("katana-bot-check.timer") == "active" and "no one is alerted" not in doctor()


def a_silence_and_an_acknowledgement_hold_back_what_they_say(stage):
    machine = stage.machine
    quiet(stage)
    alerts = len(stage.alerts())
    check = "systemctl start katana-bot-check.service"
    said = machine.say('check-heartbeat silence 15s --reason "new disk"')
    assert "new disk" in said, said
    assert re.search(r"alerts +silenced until .* new disk", machine.say("katana-bot status"))
    assert "new disk" in machine.say("check-heartbeat status")
    machine.put(DROP_IN, "bot.acces = 5\n")
    machine.run("systemctl restart katana-bot", timeout=60)
    machine.say(check)
    assert len(stage.alerts()) == alerts, stage.alerts()[alerts:]
    # Once it has expired, what goes on is sent.
    machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=40)
    assert machine.run("runuser -u games -- check-heartbeat ack").returncode == 77
    said = machine.say('check-heartbeat ack --reason "on it"')
    assert "on it" in machine.say("check-heartbeat status || true"), said
    machine.say(f"rm {DROP_IN} && systemctl restart katana-bot", timeout=60)
    machine.until("RECOVERED", lambda: len(stage.alerts()) == alerts + 2)
    assert "RECOVERED" in stage.alerts()[-1] and "on it" in stage.alerts()[-1], stage.alerts()[-1]
    machine.say("check-heartbeat silence 1h && check-heartbeat silence --end")
    assert "silenced" not in machine.say("katana-bot status")


def the_checker_serves_nagios_loops_and_other_machines(stage):
    machine = stage.machine
    quiet(stage)
    plugin = lambda more="": machine.run(f"check-heartbeat --nagios --no-alert {more}")
    good, old = "--file /srv/beat", "--file /srv/beat --mtime"
    machine.say("date +%s > /srv/beat && sleep 2")
    for more, code, word in [
        (good, 0, "OK"),
        (f"{old} --warning 1s --critical 1h", 1, "WARNING"),
        (f"{old} --critical 1s", 2, "CRITICAL"),
        ("--file /srv/none", 2, "CRITICAL"),
        (f"--config /srv/none.toml {good}", 3, "UNKNOWN"),
        ("--nonsense", 3, "UNKNOWN"),
    ]:
        ran = plugin(more)
        assert ran.returncode == code and ran.stdout.startswith(f"HEARTBEAT {word}"), (more, ran)
    machine.say("rm /srv/beat")
    # A loop ends at SIGTERM, with one line for each check.
    ran = machine.run("timeout 4 check-heartbeat --every 1s --no-alert")
    assert 3 <= (ran.stdout + ran.stderr).count(": katana-bot (production)") <= 6, ran
    # From another machine.
    url = "--url http://127.0.0.1:8080/health"
    assert machine.say(f"check-heartbeat --no-alert {url}").startswith("OK: "), url
    with stopped(machine):
        ran = plugin(url)
        assert ran.returncode == 2 and "Connection refused" in ran.stdout, ran
    # By root, with the secrets of the unit; others may not.
    alerts = len(stage.alerts())
    machine.say("check-heartbeat --test-alert")
    assert len(stage.alerts()) == alerts + 1 and "TEST" in stage.alerts()[-1], stage.alerts()[alerts:]
    assert ALERTS not in machine.say("cat /proc/[0-9]*/environ | tr '\\0' '\\n'")
    ran = machine.run("runuser -u games -- check-heartbeat --test-alert")
    assert ran.returncode and len(stage.alerts()) == alerts + 1, ran


@contextlib.contextmanager
def stopped(machine):
    """While the bot is stopped."""
    machine.say("systemctl stop katana-bot")
    try:
        yield
    finally:
        machine.say("systemctl start katana-bot", timeout=60)
