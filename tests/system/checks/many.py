"""More than one bot, and other ways to run it."""

import threading

from stage import BOT, CONFIG, OTHER_BOT


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
    seen = machine.say(f"ls /proc/{pid}/root" "/var/lib").split()
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
            code, why = machine.http("http://127.0.0.1:8080/health")
            asked.append(code)
            if not code:
                refused.append(why)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(2):
            machine.say("systemctl restart katana-bot", timeout=60)
    finally:
        end.set()
        asking.join()
    assert asked.count(200) >= 3 and not refused, (len(asked), refused)
    assert machine.show("katana-bot.socket", "ActiveState") == "active"


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
