"""Commands of the checker that root types, and that its user carries out."""

from stage import CHECKER


def what_root_types_is_done_by_the_checkers_user(stage):
    """Paths count from where root is, and Ctrl-C ends a loop of checks."""
    machine = stage.machine
    folder, _, name = CHECKER.rpartition("/")
    before = len(stage.alerts())
    said = machine.say(f"cd {folder} && check-heartbeat --config {name} --test-alert 2>&1")
    assert "accepted" in said and len(stage.alerts()) == before + 1, said
    # As a terminal does it: to all processes in front of it.
    done = machine.run("timeout --foreground --preserve-status -s INT 6 check-heartbeat --every 1s", timeout=60)
    assert done.returncode == 0 and done.stdout.count("katana-bot") >= 2, done
    machine.until("the last check ends", lambda: machine.run("pgrep -x check-heartbeat").returncode == 1)
    left = machine.say("systemctl list-units --all --no-legend --plain 'run-*.service'")
    assert "check-heartbeat" not in left, left
