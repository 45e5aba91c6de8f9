"""What `status` and `doctor` say about the state that the bot is in, and that what they advise helps."""

import re
import time

from remedies import advised
from stage import quiet


def a_hang_is_named_and_its_remedy_works(stage):
    machine = stage.machine
    quiet(stage)
    pid = machine.show("katana-bot", "MainPID")
    machine.say("systemctl kill -s STOP --kill-who=main katana-bot")
    status = machine.run("katana-bot status")
    assert status.returncode == 1 and f"process {pid} hangs" in status.stdout, status.stdout
    assert "its last sign of life was at" in status.stdout, status.stdout
    doctor = machine.run("katana-bot doctor").stdout
    assert f"process {pid} hangs" in doctor and "another program has" not in doctor, doctor
    commands = advised(status.stdout)
    assert commands[-1] == "systemctl restart katana-bot" and len(commands) == 2, commands
    for command in commands:
        machine.say(f"cd /srv && {command}", timeout=90)
    saved = machine.say("cat /srv/katana-hang.txt")
    assert "State:\tT" in saved and "ready: Telegram answered" in saved, saved[-400:]
    stage.is_active()
    machine.until("good words", lambda: machine.run("katana-bot status").returncode == 0)
    # A restart by an admin does not count as a crash.
    assert "crash" not in machine.say("katana-bot status")


def a_stopped_bot_is_started_by_what_status_says(stage):
    machine = stage.machine
    quiet(stage)
    machine.say("systemctl stop katana-bot.socket katana-bot")
    # In a container as well, where another boot id stands in the heartbeat.
    status = machine.run("katana-bot status")
    assert status.returncode == 1 and "not running: stopped cleanly" in status.stdout, status.stdout
    doctor = machine.run("katana-bot doctor").stdout
    commands = advised(status.stdout)
    assert commands == ["systemctl start katana-bot"], status.stdout
    assert f"do: `{commands[0]}`" in doctor, doctor
    machine.say(commands[0], timeout=60)
    stage.is_active()
    assert machine.run("katana-bot status").returncode == 0


def an_end_by_a_signal_is_shown_with_its_cause(stage):
    machine = stage.machine
    machine.say("systemctl kill -s KILL katana-bot")
    machine.until("a restart", lambda: machine.show("katana-bot", "SubState") == "running")
    status = lambda: machine.run("katana-bot status").stdout
    told = "the previous process ended with SIGKILL: a signal from outside the bot killed it; its last sign of life was at"
    machine.until("the cause", lambda: told in status(), within=30)
    machine.until("the pause", lambda: re.search(r"no one was served for \d+ s", status()), within=30)
    looks = [c for c in advised(status()) if "-p notice" in c]
    assert looks and "status=9/KILL" in machine.say(looks[0]), looks


def a_container_that_hides_its_boot_id_misleads_no_one(stage):
    machine = stage.machine
    own = machine.say("cat /proc/sys/kernel/random/boot_id").strip()
    beat = lambda: f"boot_id: {own}\n" in machine.say("cat /run/katana-bot/heartbeat")
    status = machine.run("katana-bot status")
    assert status.returncode == 0 and "last boot" not in status.stdout, status.stdout
    assert "the bot does not run" not in machine.run("katana-bot doctor").stdout
    assert ("container.conf" in status.stdout) == (not beat()), status.stdout
    if beat():
        return
    folder = "/etc/systemd/system/katana-bot.service.d"
    conf = re.search(r"\S+/container.conf", status.stdout)[0]
    machine.say(f"install -D -m 644 -t {folder} {conf}")
    machine.say("systemctl daemon-reload && systemctl restart katana-bot", timeout=60)
    try:
        machine.until("the boot id of the container", beat)
        time.sleep(1)
        status = machine.run("katana-bot status")
        assert status.returncode == 0 and "container.conf" not in status.stdout, status.stdout
    finally:
        machine.say(f"rm -r {folder} && systemctl daemon-reload && systemctl restart katana-bot", timeout=60)
