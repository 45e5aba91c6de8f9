"""The first hours: install, token, first conversation."""

import json
import re

from machine import Unable
from stage import BOT, CONFIG, OWNER, TOKEN_FILE

# Of the addresses for documentation (RFC 5737).
OUTSIDE = "192.0.2.1"


# What the package may depend on.
DEPENDS = {
    "libc6", "ca-certificates", "procps", "systemd",
    "systemd-standalone-sysusers", "systemd-standalone-tmpfiles",
}


def installing_pulls_nothing_else(stage):
    said = stage.machine.say(f"apt-get install -y /srv/{stage.package.name} 2>&1")
    new = said.split("NEW packages will be installed:")[1].split("0 upgraded")[0].split()
    assert new == ["katana-bot"], new
    # The image may hold what a superfluous dependency would pull.
    wanted = stage.machine.say(f"dpkg-deb -f /srv/{stage.package.name} Depends").replace(",", " ")
    names = {word for word in wanted.split() if word[0].isalpha()}
    assert names == DEPENDS, names
    assert "run 'katana-bot setup'" in said, said


def without_a_token_it_waits_and_nothing_fails(stage):
    assert stage.machine.say("systemctl is-enabled katana-bot").strip() == "enabled"
    assert stage.state() == "inactive"
    status = stage.machine.run("systemctl status katana-bot").stdout
    assert TOKEN_FILE in status and "was not met" in status, status
    assert stage.machine.say("systemctl is-system-running").strip() == "running"
    assert stage.machine.show("katana-bot-check.timer", "ActiveState") == "active"
    assert stage.machine.say("stat -c %a:%U /etc/credstore").strip() == "700:root"
    # Nor is it missed, also when it is only one of several that was ever started.
    stage.machine.say("mkdir /var/lib/katana-bot@x && systemctl start katana-bot-check; rmdir /var/lib/katana-bot@x")
    assert stage.machine.show("katana-bot-check", "ConditionResult") == "no"


def units_are_clean_here(stage):
    units = "katana-bot.service katana-bot@x.service katana-bot-check.service katana-bot.socket"
    units += " katana-bot-check.timer katana-bot-failed.service katana-bot-failed@x.service"
    units += " katana-bot-check@x.service katana-bot-check@x.timer katana-bot-backup.timer"
    units += " katana-bot-backup.service katana-bot-backup@x.service katana-bot-backup@x.timer"
    done = stage.machine.run(f"systemd-analyze verify --man=no {units}")
    said = (done.stdout + done.stderr).strip()
    assert done.returncode == 0 and not said, said
    for unit in ["katana-bot", "katana-bot@x", "katana-bot-check", "katana-bot-check@x", "katana-bot-backup"]:
        stage.machine.say(f"systemd-analyze security --threshold=11 {unit}.service")
    limits = {"": 1024, "-check": 256, "-failed": 64}
    for unit, most in [(f"katana-bot{kind}{at}", most) for kind, most in limits.items() for at in ["", "@x"]]:
        limit = (stage.machine.show(unit, "MemoryMax"), stage.machine.show(unit, "MemorySwapMax"))
        assert limit == (str(most << 20), "0"), (unit, limit)
    stage.machine.put("/etc/systemd/system/katana-bot.service.d/less.conf", "[Service]\nMemoryMax=300M\n")
    stage.machine.say("systemctl daemon-reload")
    for command in ["check-config", "doctor"]:
        said = stage.machine.run(f"katana-bot {command}")
        assert "at 300 MiB (MemoryMax= of its unit)" in said.stdout + said.stderr, said
    stage.machine.say("rm -r /etc/systemd/system/katana-bot.service.d && systemctl daemon-reload")
    said = stage.machine.run("katana-bot check-config")
    assert "MemoryMax" not in said.stdout + said.stderr, said
    version = int(stage.machine.say("systemctl --version").split()[1])
    for unit in ["katana-bot", "katana-bot@x"]:
        longest = stage.machine.show(unit, "RestartMaxDelayUSec")
        assert longest == ("1min" if version >= 254 else ""), (version, longest)


def with_a_token_it_starts_and_reports_its_state(stage):
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


def it_may_be_confined_to_telegram(stage):
    machine = stage.machine
    # An address that is not a loopback one, and a server there that the bot would ask.
    machine.network("ip", "address", "add", f"{OUTSIDE}/32", "dev", "lo")
    machine.say(f"systemd-run -q --unit=outside python3 -m http.server --bind {OUTSIDE} 8099")
    outside = f"http://{OUTSIDE}:8099/"
    machine.until("the server", lambda: machine.http(outside)[0] == 200)
    get = f"python3 -c \"import urllib.request; urllib.request.urlopen('{outside}', timeout=5)\""
    works = machine.run(f"systemd-run -q --wait --pipe -p IPAddressDeny=any {get}").returncode != 0
    asked = lambda: stage.journal("-u outside").count('"POST ')
    config = machine.say(f"cat {CONFIG}")
    machine.put(CONFIG, config + f'[answer]\nprovider = "openai"\n[openai]\nbase_url = "http://{OUTSIDE}:8099/v1"\nmodel = "m"\n')
    machine.say("systemctl restart katana-bot", timeout=60)
    stage.says("What is behind the wall?")
    machine.until("a question to the server", asked)
    folder = "/etc/systemd/system/katana-bot.service.d"
    machine.say(f"install -D -m 644 -t {folder} /usr/share/doc/katana-bot/examples/systemd/confine-egress.conf")
    machine.say("systemctl daemon-reload && systemctl restart katana-bot", timeout=60)
    assert "::/0" in machine.show("katana-bot", "IPAddressDeny")
    machine.say("systemd-analyze security --threshold=10 katana-bot.service")
    before, count = len(stage.heard()), asked()
    stage.says("What is behind the wall now?")
    machine.until("an apology", lambda: len(stage.heard()) > before, within=60)
    assert asked() == count or not works, "the server outside was reached"
    machine.put(CONFIG, config)
    machine.say(f"systemctl stop outside; rm -r {folder} && systemctl daemon-reload && systemctl restart katana-bot", timeout=60)
    if not works:
        raise Unable("IPAddressDeny= keeps nothing out of this container: only the settings were looked at")


def the_journal_is_useful(stage):
    by_unit, by_name = stage.journal("-u katana-bot"), stage.journal("-t katana-bot")
    for words in ["ready: Telegram answered the first poll", "message received"]:
        assert words in by_unit and words in by_name, words
    warnings = stage.journal("-u katana-bot -p warning")
    assert "this bot has no owner yet" in warnings and "message received" not in warnings
    chat = stage.journal(f"-u katana-bot CHAT_ID={OWNER} -o json").splitlines()
    entries = [json.loads(line) for line in chat]
    received = [e for e in entries if e["MESSAGE"].startswith("message received")]
    # The catalog that the package brought: -x explains, and an id finds.
    ready = "ready: Telegram answered the first poll"
    entries = map(json.loads, stage.journal("-u katana-bot -o json").splitlines())
    ready_id = next(e["MESSAGE_ID"] for e in entries if e["MESSAGE"] == ready)
    found = stage.journal(f"MESSAGE_ID={ready_id} -o cat").splitlines()
    assert found and set(found) == {ready}, found
    explained = stage.journal("-x -u katana-bot")
    for subject in ["Katana is ready", "The bot has no owner yet", "The owner of the bot changed"]:
        assert f"Subject: {subject}" in explained, explained
    version = stage.machine.say("katana-bot --version").split()[1]
    assert f"Version {version} of the Telegram bot starts" in explained, explained
    assert received and all(e["PRIORITY"] == "6" and e["UPDATE_ID"] for e in received), chat


def secrets_are_not_visible(stage):
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
    done = machine.run("runuser -u nobody -- katana-bot check-config")
    assert done.returncode == 78 and "run this as root" in done.stderr, done


def anyone_may_check_the_heartbeat(stage):
    # With a private /proc as the bot has: nspawn shows others a boot id of its own.
    alike = "systemd-run --pipe --wait --quiet --uid=nobody -p ProtectProc=invisible"
    said = stage.machine.say(f"{alike} check-heartbeat --no-alert")
    assert said.startswith("OK: katana-bot (production)"), said
    stage.machine.say("systemctl start katana-bot-check.service")
    assert "OK: katana-bot (production)" in stage.journal("-u katana-bot-check")
