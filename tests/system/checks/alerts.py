"""Who gets alerts, how, and how often."""

import email.utils
import time

from mail import PASSWORD, TO, USER
from stage import ADMIN, ALERTS, CHECKER, quiet, recovered

SMTP_PASSWORD = "/etc/credstore/katana-bot.smtp-alert-password"
# By root, it becomes the checker's user with the secrets of its unit.
TEST_ALERT = "check-heartbeat --test-alert"


def channels(stage, alert_on='["failing"]', password="", token=""):
    """Gives the checker both ways to the administrator. Findings are mostly other tests' matter:
    each kill leaves one, for ten minutes."""
    stage.machine.put(
        CHECKER,
        f'alert_on = {alert_on}\n[[watch]]\nname = "katana-bot"\n'
        'file = "/run/katana-bot/heartbeat"\nthreshold = "15s"\n'
        f'[[channel]]\ntype = "telegram"\nchat_id = {ADMIN}\napi_url = "{stage.sim("alerts")}"\n{token}'
        f'[[channel]]\ntype = "smtp"\nhost = "localhost"\ntls = "starttls"\nuser = "{USER}"\n'
        f'from = "Katana <{USER}>"\nto = "{TO}"\n{password}',
    )


def alerts_reach_a_second_bot_and_a_mailbox(stage):
    machine = stage.machine
    machine.put("/etc/credstore/katana-bot.telegram-alert-token", ALERTS + "\n", 0o600)
    machine.put(SMTP_PASSWORD, "not the password\n", 0o600)
    channels(stage)
    # People write to a bot before it can write to them.
    stage.says("/start", "alerts", ADMIN)
    done = machine.run(TEST_ALERT)
    assert done.returncode == 1 and "refused the login" in done.stdout + done.stderr, done
    assert len(stage.alerts()) == 1 and not stage.mail.all(), stage.alerts()
    machine.put(SMTP_PASSWORD, PASSWORD + "\n", 0o600)
    machine.say(TEST_ALERT)
    assert len(stage.alerts()) == 2, stage.alerts()
    mails = machine.until("a mail", stage.mail.all)
    assert [mail["Subject"] for mail in mails] == [stage.alerts()[-1].splitlines()[0]], mails
    # The real timer, but with less patience than once a minute.
    machine.put(
        "/etc/systemd/system/katana-bot-check.timer.d/often.conf",
        "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/5\nAccuracySec=1s\n",
    )
    machine.say("systemctl daemon-reload && systemctl restart katana-bot-check.timer")


def an_outage_sends_one_alert_and_its_end_one(stage):
    machine = stage.machine
    quiet(stage)
    alerts, mails = len(stage.alerts()), len(stage.mail.all())
    machine.say("systemctl kill -s STOP --kill-who=main katana-bot")
    machine.until("DOWN", lambda: len(stage.alerts()) > alerts, within=40)
    assert "DOWN" in stage.alerts()[-1] and "heartbeat is" in stage.alerts()[-1]
    machine.until("the watchdog", lambda: stage.state() != "active", within=60)
    stage.is_active(60)
    recovered(stage, alerts + 2)
    down, over = stage.mail.all()[mails:]
    assert down["Message-ID"] and down["References"] is None
    assert over["References"] == over["In-Reply-To"] == down["Message-ID"] != over["Message-ID"]
    for mail, text in zip((down, over), stage.alerts()[-2:]):
        sent = email.utils.parsedate_to_datetime(mail["Date"]).timestamp()
        assert abs(time.time() - sent) < 120, mail["Date"]
        assert mail["From"] == f"Katana <{USER}>" and mail["To"] == TO, mail
        assert mail["Auto-Submitted"] == "auto-generated"
        # As postfix saw it: the login, and ESMTPSA, which is SMTP with TLS and AUTH (RFC 3848).
        assert f"Authenticated sender: {USER}" in mail["Received"] and "ESMTPSA" in mail["Received"]
        assert mail.get_content().split() == text.split(), (mail.get_content(), text)
    assert PASSWORD not in machine.say("journalctl -q --no-pager")


def cron_and_timer_report_nothing_twice(stage):
    machine = stage.machine
    quiet(stage)
    examples = "/usr/share/doc/katana-bot/examples"
    for unit in ["katana-bot", "katana-bot-check"]:
        folder = f"/etc/systemd/system/{unit}.service.d"
        machine.say(f"install -D -m 644 -t {folder} {examples}/systemd/container.conf")
    machine.say("systemctl daemon-reload && systemctl restart katana-bot", timeout=60)
    quiet(stage)
    files = {"token": ALERTS, "password": PASSWORD}
    for name, secret in files.items():
        machine.put(f"/etc/katana-bot/alert-{name}", secret + "\n", 0o400)
        machine.say(f"chown katana-check /etc/katana-bot/alert-{name}")
    channels(stage, **{name: f'{name}_file = "/etc/katana-bot/alert-{name}"\n' for name in files})
    cron = machine.say(f"cat {examples}/katana-bot-check.cron").replace("MAILTO=root", f"MAILTO={TO}")
    machine.put("/etc/cron.d/katana-bot-check", cron)
    alerts = len(stage.alerts())
    # The mail server is away for a while, which costs nothing but time.
    machine.say("systemctl stop katana-bot.socket katana-bot katana-bot-check.timer postfix")
    machine.until("DOWN by cron", lambda: len(stage.alerts()) > alerts, within=130)
    machine.say("systemctl start katana-bot-check.timer postfix")
    time.sleep(15)
    assert len(stage.alerts()) == alerts + 1, stage.alerts()[alerts:]
    assert "DOWN" in stage.alerts()[-1]
    machine.say("systemctl start katana-bot", timeout=60)
    recovered(stage, alerts + 2)
    # Cron mailed that a channel failed, and not what the other one had accepted.
    of_cron = lambda: [mail for mail in stage.mail.all() if mail["Subject"].startswith("Cron <")]
    machine.until("the mail of cron", of_cron)
    for mail in of_cron():
        text = mail.get_content()
        assert "channel " in text and "CRITICAL" not in text, text
    machine.say("rm -r /etc/cron.d/katana-bot-check /etc/systemd/system/katana-bot*.service.d")
    machine.say("systemctl daemon-reload && systemctl restart katana-bot", timeout=60)
