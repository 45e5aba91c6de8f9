"""How long people wait for an alert: figures, with the settings of the package."""

import time

from stage import ADMIN, BOT, CHECKER, CONFIG, OWNER, TOKEN_FILE, WRONG, forget_crashes

from .faults import STATE, small_disk

OFTEN = "/etc/systemd/system/katana-bot-check.timer.d/often.conf"


def from_fault_to_alert(stage):
    """Prints the seconds for each kind of fault. The timer checks once a minute, so that up to 60 s of each
    figure are chance."""
    machine = stage.machine
    good = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    machine.say(f"mv {OFTEN} /srv/often.conf")
    machine.put(CHECKER, f'[[channel]]\ntype = "telegram"\nchat_id = {ADMIN}\napi_url = "{stage.sim("alerts")}"\n')
    machine.say("systemctl daemon-reload && systemctl restart katana-bot-check.timer")
    try:
        for name, fault, repair in kinds(stage, good):
            calm(stage)
            before, begun = len(stage.alerts()), time.monotonic()
            fault()
            machine.until(f"an alert of {name}", lambda: len(stage.alerts()) > before, within=400)
            took, alert = time.monotonic() - begun, stage.alerts()[before].splitlines()[0]
            print(f"         {machine.release}: {name}: {took:.0f} s: {alert}", flush=True)
            repair()
    finally:
        machine.say(f"mv /srv/often.conf {OFTEN}")
        machine.put(CONFIG, good)
        machine.say("systemctl daemon-reload && systemctl restart katana-bot-check.timer katana-bot", timeout=90)


def calm(stage):
    """Waits until nothing is reported."""
    stage.is_active(90)
    forget_crashes(stage)
    stage.machine.until(
        "no incident", lambda: stage.machine.run("test -e /var/lib/katana-check/incidents.json").returncode, 400
    )


def kinds(stage, good):
    """Each fault: its name, how it is made, and how it is repaired."""
    machine = stage.machine
    nothing = lambda: None
    yield "killed", lambda: machine.say("systemctl kill -s KILL katana-bot"), nothing
    yield "hangs", lambda: machine.say("systemctl kill -s STOP --kill-who=main katana-bot"), nothing
    restart = lambda: machine.run("systemctl restart --no-block katana-bot")
    bad = lambda: (machine.put(CONFIG, good + "[bot]\nacces = 5\n"), restart())
    yield "bad configuration", bad, lambda: (machine.put(CONFIG, good), restart())
    revoked = lambda: (machine.put(TOKEN_FILE, WRONG + "\n", 0o600), restart())
    yield "revoked token", revoked, lambda: (machine.put(TOKEN_FILE, BOT + "\n", 0o600), restart())
    # Nothing listens there.
    away = '[answer]\nprovider = "openai"\n[openai]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "none"\n'
    machine.put(CONFIG, good + away)
    machine.say("systemctl restart katana-bot", timeout=90)
    ask = lambda: [stage.says(f"question {n}", user=OWNER) for n in range(5)]
    yield "provider down", ask, lambda: (machine.put(CONFIG, good), restart())
    with small_disk(machine):
        machine.say("systemctl start katana-bot", timeout=90)

        def full():
            machine.run(f"cat /dev/zero > {STATE}/ballast")
            for n in range(40):
                stage.says(f"{n} " + "x" * 3000)

        yield "full disk", full, lambda: machine.say(f"rm {STATE}/ballast")
