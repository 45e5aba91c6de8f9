"""What goes wrong, and the state and the words that it ends in."""

import time

from stage import BOT, CONFIG, OWNER, TOKEN_FILE, WRONG, quiet, recovered


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
