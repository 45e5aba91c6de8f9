"""What goes wrong, and the state and the words that it ends in."""

import contextlib
import json
import os
import pathlib
import time

from load import socket_held
from machine import Unable
from stage import BOT, CONFIG, OWNER, TOKEN_FILE, WRONG, forget_crashes, quiet, recovered

from .alerts import channels

STATE = "/var/lib/katana-bot"


def a_kill_loses_nothing(stage):
    machine = stage.machine
    restarts = int(machine.show("katana-bot", "NRestarts"))
    before = len(stage.heard())
    machine.say("systemctl kill -s KILL katana-bot")
    stage.says("/whoami after the kill")
    machine.until("a restart", lambda: int(machine.show("katana-bot", "NRestarts")) == restarts + 1)
    stage.is_active()
    machine.until("the answer", lambda: len(stage.heard()) > before)
    time.sleep(1)
    answers = stage.heard()[before:]
    assert len(answers) == 1 and str(OWNER) in answers[0], answers


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
    told = "it hung, and systemd's watchdog killed it"
    machine.until("who ended it", lambda: told in machine.run("katana-bot status").stdout)
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
    assert machine.run("systemctl reload katana-bot").returncode, "a reload with a mistake fails"
    refused = "the configuration is refused: log.level: the value "
    machine.until("the reason", lambda: refused in stage.journal("-u katana-bot -p err", since))
    assert f"({CONFIG}:4)" in stage.journal(since=since), stage.journal(since=since)
    stage.is_active()
    machine.put(CONFIG, good)
    machine.say("systemctl reload katana-bot")
    stage.is_active()
    assert machine.show("katana-bot", "MainPID") == pid


def a_bad_configuration_is_reported_once_and_at_once(stage):
    machine = stage.machine
    quiet(stage)
    alerts, since = len(stage.alerts()), stage.cursor()
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    machine.put(CONFIG, good + "[bot]\nacces = 5\n")
    machine.run("systemctl restart katana-bot", timeout=60)
    machine.until("the end", lambda: stage.state() == "failed")
    assert machine.show("katana-bot", "ExecMainStatus") == "78"
    assert "status=78" in machine.run("systemctl status katana-bot").stdout
    said = stage.journal("-u katana-bot -n 20", since)
    assert "bot.acces" in said and "did you mean" in said, said
    # Without OnFailure= no one would know for up to a minute.
    machine.until("an alert", lambda: len(stage.alerts()) > alerts, within=8)
    time.sleep(11)
    assert len(stage.alerts()) == alerts + 1, stage.alerts()[alerts:]
    assert "DOWN" in stage.alerts()[alerts]
    down = stage.alerts()[alerts]
    why = f"exit status 78: bot.acces: there is no such key ({CONFIG}:4)"
    assert why in down and "/runbook.md#ended" in down, down
    assert "(production)" in down, down
    said = machine.run("katana-bot status").stdout
    assert why in said and "katana-bot check-config" in said, said
    assert stage.state() == "failed", "it is not started again"
    machine.put(CONFIG, good)
    machine.say("systemctl restart katana-bot", timeout=60)
    recovered(stage, alerts + 2)


def exits_in_a_loop_send_one_alert(stage):
    machine = stage.machine
    quiet(stage)
    alerts, database, since = len(stage.alerts()), f"{STATE}/katana.db", stage.cursor()
    restarts = lambda: int(machine.show("katana-bot", "NRestarts"))
    machine.say(f"systemctl stop katana-bot && chown root {database}* && chmod 600 {database}*")
    try:
        machine.say("systemctl start --no-block katana-bot")
        is_69 = lambda: machine.show("katana-bot", "ExecMainStatus") == "69"
        machine.until("exit 69", is_69)
        machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=40)
        down = stage.alerts()[-1]
        assert "exit status 69: cannot open the state file" in down and "/runbook.md#ended" in down, down
        before = restarts()
        machine.until("that it goes on", lambda: restarts() >= before + 2, within=60)
        assert len(stage.alerts()) == alerts + 1, stage.alerts()[alerts:]
        waits = lambda: machine.show("katana-bot", "SubState") == "auto-restart"
        machine.until("the pause between", waits)
        status = machine.run("systemctl status katana-bot").stdout
        assert "activating (auto-restart)" in status and "status=69" in status, status
        # The cause, and what to do about it.
        said = stage.journal("-u katana-bot -p err", since)
        assert "cannot open the state file" in said and database in said, said
        assert "belongs to the user katana-bot runs as" in said, said
    finally:
        machine.say(f"chown katana-bot {database}*")
    # Later restarts wait longer; a person who has fixed the cause need not.
    machine.say("systemctl restart katana-bot", timeout=60)
    stage.is_active()
    forget_crashes(stage)
    recovered(stage, alerts + 2)


def on_a_full_disk_nothing_is_lost(stage):
    machine = stage.machine
    quiet(stage)
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    quick = '[answer]\nprovider = "echo"\n[watch]\npatience = 0.2\n[delivery]\npace = false\n'
    machine.put(CONFIG, good + quick)
    with small_disk(machine):
        machine.say("systemctl start katana-bot", timeout=60)
        alerts, since, heard = len(stage.alerts()), stage.cursor(), len(stage.heard())
        pid = machine.show("katana-bot", "MainPID")
        machine.run(f"cat /dev/zero > {STATE}/ballast")
        # Long enough to need room that is not there, whatever the state file still holds.
        texts = [f"{n} is this stored? " + "x" * 3000 for n in range(40)]
        for text in texts:
            stage.says(text)
        status = lambda: machine.show("katana-bot", "StatusText")
        machine.until("STATUS names the finding", lambda: "store_failing" in status())
        assert "disk_full" in status(), status()
        machine.until("DOWN", lambda: len(stage.alerts()) > alerts)
        down = stage.alerts()[-1]
        assert "DOWN" in down and "disk_full" in down and "/runbook.md#store_failing" in down, down
        beat = lambda: machine.say("cat /run/katana-bot/heartbeat")
        machine.until("its own finding", lambda: "finding: disk_full degraded" in beat())
        assert "finding: store_failing failing" in beat(), beat()
        said = stage.journal("-u katana-bot -p err", since)
        assert "cannot store updates: free some space on the disk" in said, said
        # Telegram still has what could not be stored.
        state = json.loads(machine.http(stage.sim("bot", "/control/state"))[1])
        assert state["pending"] > 0, state
        assert len(stage.alerts()) == alerts + 1, stage.alerts()[alerts:]
        machine.say(f"rm {STATE}/ballast")
        answers = lambda: stage.heard()[heard:]
        machine.until("all answers", lambda: len(answers()) >= len(texts), within=60)
        recovered(stage, alerts + 2, within=60)
        assert answers() == [f"echo: {text}" for text in texts], [answer[:12] for answer in answers()]
        assert machine.show("katana-bot", "MainPID") == pid, "it was restarted"
    machine.put(CONFIG, good)
    machine.say("systemctl restart katana-bot", timeout=60)


@contextlib.contextmanager
def small_disk(machine):
    """The state, as it is, on a disk of its own, and back again; the bot is stopped for both."""
    machine.say(
        f"systemctl stop katana-bot && mv {STATE} {STATE}.large && mkdir {STATE}"
        f" && mount -t tmpfs -o size=8m,mode=700 small {STATE} && cp -a {STATE}.large/. {STATE}"
    )
    try:
        yield
    finally:
        machine.say(
            f"systemctl stop katana-bot; rm -rf {STATE}.large/* && cp -a {STATE}/. {STATE}.large"
            f" && umount {STATE} && rmdir {STATE} && mv {STATE}.large {STATE}"
            " && systemctl start katana-bot"
        )


def out_of_memory_it_is_killed_and_loses_nothing(stage):
    machine = stage.machine
    quiet(stage)
    # The kills before this one are over, and this one will be soon.
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    machine.put(CONFIG, good + '[watch]\nevent_s = 15\n[answer]\nprovider = "echo"\n')
    machine.say("systemctl stop katana-bot && rm /run/katana-bot/heartbeat")
    machine.say("systemctl start katana-bot", timeout=60)
    quiet(stage)
    restarts = int(machine.show("katana-bot", "NRestarts"))
    since, alerts, heard = stage.cursor(), len(stage.alerts()), len(stage.heard())
    channels(stage, alert_on='["failing", "degraded"]')
    texts = [f"{n} before the end" for n in range(20)]
    try:
        with no_more_memory(int(machine.show("katana-bot", "MainPID")), machine) as killed:
            for text in texts:
                stage.says(text)
            machine.until("the kernel kills it", killed)
        more = lambda: int(machine.show("katana-bot", "NRestarts")) == restarts + 1
        machine.until("a restart", more)
        stage.is_active()
        answers = lambda: stage.heard()[heard:]
        machine.until("all answers", lambda: len(answers()) >= len(texts))
        said = stage.journal("-u katana-bot -p warning", since)
        assert "status=9/KILL" in stage.journal(since=since), said
        assert "the previous process ended with SIGKILL" in said, said
        machine.until("WARNING", lambda: len(stage.alerts()) > alerts)
        # On a slow machine, the end of it may have been reported by now.
        warning = stage.alerts()[alerts]
        assert "WARNING: katana-bot, unclean_start" in warning, warning
        assert "/runbook.md#unclean_start" in warning, warning
        recovered(stage, alerts + 2, within=60)
        assert answers() == [f"echo: {text}" for text in texts], answers()
    finally:
        channels(stage)
        machine.put(CONFIG, good)
        machine.say("systemctl restart katana-bot", timeout=60)


@contextlib.contextmanager
def no_more_memory(pid, machine):
    """The kernel gives a process of the machine no more memory: by a control group of this machine,
    since the other may not limit memory itself. Gives a test whether it has killed one for that."""
    top = pathlib.Path("/sys/fs/cgroup")
    first = (top / "memory").is_dir()
    group = (top / "memory" if first else top) / f"katana-test-{os.getpid()}"
    limit, events = ("limit_in_bytes", "oom_control") if first else ("max", "events")
    try:
        if not first:
            (top / "cgroup.subtree_control").write_text("+memory")
        group.mkdir()
    except OSError as error:
        raise Unable(f"control groups with a memory limit cannot be made here: {error}")
    try:
        (group / "cgroup.procs").write_text(str(outside(pid, machine)))
        (group / f"memory.{limit}").write_text("4096")
        counts = lambda: dict(line.split() for line in (group / f"memory.{events}").read_text().splitlines())
        yield lambda: counts()["oom_kill"] != "0"
    finally:
        # One that was not killed is let go.
        for left in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (group.parent / "cgroup.procs").write_text(left)
        machine.until("an empty group", lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def outside(pid, machine):
    """The number that a process of the machine has on this one."""
    theirs = os.readlink(f"/proc/{machine.pid}/ns/pid")
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = (process / "status").read_text()
            inside = status.split("NSpid:")[1].splitlines()[0].split()[-1]
            if int(inside) == pid and os.readlink(process / "ns/pid") == theirs:
                return int(process.name)
    raise AssertionError(f"no process of the machine has the number {pid}")


def a_missing_token_is_waited_for(stage):
    machine = stage.machine
    quiet(stage)
    alerts = len(stage.alerts())
    machine.say(f"mv {TOKEN_FILE} /srv/token")
    machine.say("systemctl restart katana-bot", timeout=60)
    assert stage.state() == "inactive"
    status = machine.run("systemctl status katana-bot").stdout
    assert TOKEN_FILE in status and "was not met" in status, status
    # It has run before: its absence is reported.
    machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=40)
    down = stage.alerts()[-1]
    assert "stopped cleanly" in down and "/runbook.md#stopped_long" in down, down
    machine.say(f"mv /srv/token {TOKEN_FILE} && systemctl start katana-bot", timeout=60)
    stage.is_active()
    recovered(stage, alerts + 2)


def a_wrong_token_is_named(stage):
    machine = stage.machine
    quiet(stage)
    alerts, since = len(stage.alerts()), stage.cursor()
    machine.put(TOKEN_FILE, WRONG + "\n", 0o600)
    machine.say("systemctl restart --no-block katana-bot")
    named = lambda: "token" in machine.show("katana-bot", "StatusText")
    machine.until("STATUS names the token", named, within=30)
    assert stage.state() == "activating"
    errors = lambda: stage.journal("-u katana-bot -p err", since)
    machine.until("the words", lambda: "Telegram refuses the token; get a new one" in errors())
    assert WRONG.split(":")[1] not in stage.journal()
    machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=40)
    down = stage.alerts()[-1]
    assert "DOWN" in down and "/runbook.md#token_refused" in down, down
    assert stage.state() == "activating", "it is not restarted for that"
    machine.put(TOKEN_FILE, BOT + "\n", 0o600)
    machine.say("systemctl restart katana-bot", timeout=60)
    stage.is_active()
    recovered(stage, alerts + 2)


def clients_of_a_bot_that_cannot_start_get_a_503(stage):
    machine = stage.machine
    quiet(stage)
    alerts, health = len(stage.alerts()), "http://127.0.0.1:8080/health"
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    with socket_held(stage):
        since = stage.cursor()
        starts = lambda: stage.journal(since=since).count("Starting katana-bot.service")
        machine.put(CONFIG, good + "[bot]\nacces = 5\n")
        machine.run("systemctl restart katana-bot", timeout=60)
        machine.until("the end", lambda: stage.state() == "failed")
        for asked in 1, 2:
            code, said = machine.http(health)
            assert code == 503 and "journalctl -u katana-bot" in said, (code, said)
            time.sleep(5)
            assert starts() == 1 + asked, "one start for the restart, and one for each who asks"
            assert socket(machine) == "active" and stage.state() == "failed"
        machine.until("DOWN", lambda: len(stage.alerts()) > alerts)
        machine.put(CONFIG, good)
        machine.say("systemctl start katana-bot", timeout=60)
        assert socket(machine) == "active" and machine.http(health)[0] == 200
    recovered(stage, alerts + 2)


def a_socket_whose_bot_has_no_token_gives_up_and_comes_back(stage):
    machine = stage.machine
    quiet(stage)
    alerts, health = len(stage.alerts()), "http://127.0.0.1:8080/health"
    with socket_held(stage):
        since = stage.cursor()
        tries = lambda: stage.journal(since=since).count("skipped")
        machine.say(f"systemctl stop katana-bot && mv {TOKEN_FILE} /srv/token")
        assert machine.http(health)[0] == 0, "who could answer?"
        machine.until("an end of it", lambda: socket(machine) == "failed")
        assert machine.show("katana-bot.socket", "Result") == "trigger-limit-hit"
        machine.say("journalctl --sync")
        tried = tries()
        assert 1 <= tried <= 30, tried
        time.sleep(3)
        assert tries() == tried and stage.state() == "inactive"
        machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=40)
        machine.say(f"mv /srv/token {TOKEN_FILE} && systemctl start katana-bot", timeout=60)
        assert socket(machine) == "active" and machine.http(health)[0] == 200
        # Also when the bot has taken the port itself meanwhile.
        machine.say("systemctl stop katana-bot.socket && systemctl restart katana-bot", timeout=60)
        assert socket(machine) == "active" and machine.http(health)[0] == 200
    recovered(stage, alerts + 2)


def socket(machine):
    return machine.show("katana-bot.socket", "ActiveState")
