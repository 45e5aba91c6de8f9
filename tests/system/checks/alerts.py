"""Who is told, how, and how often."""

import time

from stage import ADMIN, ALERTS, CHECKER, quiet, recovered


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
