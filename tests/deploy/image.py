#!/usr/bin/env python3
"""Builds the images twice and runs them: tests/deploy/image.py SIMULATOR [FOLDER]

FOLDER has images that packaging/build-image made; without it they are built here, twice, and compared. Needs root,
podman, runc and buildah. Prints one line a check, figures, and the totals last.
"""

import filecmp
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from files import HOME, tool
from podman import HERE, TOKEN, Names, Podman, Simulator, free_port, http, is_gone, owner_of, until
from totals import Totals, Unable


class Images:
    """The images, loaded, with a simulator."""

    def __init__(self, podman, simulator, folder, again):
        self.podman, self.program, self.again = podman, simulator, again
        self.archives = sorted(pathlib.Path(folder).glob("katana-bot_*.tar"))
        assert len(self.archives) == 2, self.archives
        self.names = {}
        for archive in self.archives:
            name = podman.say("load", "--quiet", f"--input={archive}").rpartition(": ")[2]
            self.names["root" if name.endswith("-root") else "usual"] = name

    def volume(self, owner=None):
        """An empty folder as a platform mounts it."""
        folder = tempfile.mkdtemp(dir=self.podman.folder)
        os.chmod(folder, 0o755)
        if owner is not None:
            os.chown(folder, owner, owner)
        return folder


def the_same_bytes_twice(images):
    if images.again is None:
        raise Unable("the images were built elsewhere")
    for archive in images.archives:
        assert filecmp.cmp(archive, images.again / archive.name, shallow=False), f"{archive.name} differs"


def what_platforms_read(images):
    about = json.loads(images.podman.say("image", "inspect", images.names["usual"]))[0]
    config = about["Config"]
    assert config["User"] == "10001:10001", config
    assert config["StopSignal"] in ("SIGTERM", "15"), config
    assert not config.get("Volumes"), config
    assert about["HealthCheck" if "HealthCheck" in about else "Healthcheck"]["Test"][:2] == ["CMD", "/usr/bin/katana-bot"]
    for label in ("title", "version", "revision", "licenses"):
        assert config["Labels"][f"org.opencontainers.image.{label}"] not in ("", "unknown"), label
    print(f"        size: {about['Size'] / 1e6:.1f} MB, archive {images.archives[0].stat().st_size / 1e6:.1f} MB")


def it_answers_by_a_name_of_its_own_and_ends_in_time(images):
    simulator, names = Simulator(images.program), Names("telegram.test")
    port, volume = free_port(), images.volume(10001)
    podman = images.podman
    try:
        begun = time.monotonic()
        podman.bot(
            "katana", images.names["usual"], volume=volume, port=port,
            api=f"http://telegram.test:{simulator.port}",
            options=("--cap-drop=ALL", "--security-opt=no-new-privileges", "--dns=127.0.0.53"),
        )
        until("a ready bot", lambda: http(f"http://127.0.0.1:{port}/ready")[0] == 200)
        print(f"        podman run to ready: {time.monotonic() - begun:.2f} s")
        assert names.asked > 0, "no one asked for the name"
        simulator.says("/help")
        until("an answer", simulator.heard)
        process = podman.process("katana")
        assert owner_of(process) == 10001, owner_of(process)
        podman.run("exec", "katana", "katana-bot", "healthcheck")
        podman.run("exec", "katana", "katana-bot", "healthcheck", "--alive")
        podman.run("exec", "katana", "check-heartbeat", "--file", "/var/lib/katana-bot/heartbeat", "--no-alert")
        # Killed in the middle of the work, then started again: nothing is lost.
        simulator.flood(2000, 40)
        time.sleep(0.2)
        begun = time.monotonic()
        podman.run("kill", "--signal=TERM", "katana")
        until("the end", lambda: is_gone(process))
        print(f"        SIGTERM to the end with 2,000 messages: {time.monotonic() - begun:.2f} s")
        code = podman.say("inspect", "--format={{.State.ExitCode}}", "katana")
        assert code == "0", code
        podman.run("start", "katana")
        until("an answer to each message", lambda: not simulator.wrong(), 60)
    finally:
        podman.remove("katana")
        simulator.end()
        names.end()


def the_health_check_is_red_when_the_poll_hangs(images):
    simulator, port = Simulator(images.program), free_port()
    podman = images.podman
    quickly = {
        "KATANA_TELEGRAM_POLL_TIMEOUT_S": "1", "KATANA_TELEGRAM_POLL_DEADLINE_S": "2",
        "KATANA_WATCH_POLL_STALLED_S": "3", "KATANA_WATCH_POLL_FAILING_S": "3", "KATANA_WATCH_EVERY_S": "1",
        "KATANA_WATCH_PATIENCE": "0",
    }
    health = lambda *options: podman.run("exec", "hanging", "katana-bot", "healthcheck", *options, may_fail=True)
    try:
        podman.bot(
            "hanging", images.names["usual"], volume=images.volume(10001), port=port, api=simulator.url,
            variables=quickly,
        )
        until("a ready bot", lambda: http(f"http://127.0.0.1:{port}/ready")[0] == 200)
        assert health().returncode == 0
        simulator.process.send_signal(signal.SIGSTOP)
        red = until("a red health check", lambda: (done := health()).returncode == 1 and done, 30)
        assert "poll_" in red.stderr, red
        # Its process makes progress all the same: no restart.
        assert health("--alive").returncode == 0
        simulator.process.send_signal(signal.SIGCONT)
        until("a green health check", lambda: health().returncode == 0, 30)
        # Frozen, it does not answer in time.
        process = podman.process("hanging")
        os.kill(process, signal.SIGSTOP)
        asked = subprocess.run(
            ["nsenter", f"--target={process}", "--mount", "/usr/bin/katana-bot", "healthcheck", "--alive"],
            env={"KATANA_WEB_LISTEN": f"127.0.0.1:{port}"}, capture_output=True, text=True,
        )
        os.kill(process, signal.SIGCONT)
        assert asked.returncode == 1, asked
    finally:
        simulator.process.send_signal(signal.SIGCONT)
        podman.remove("hanging")
        simulator.end()


def a_volume_of_root_is_taken_over(images):
    simulator, port, volume = Simulator(images.program), free_port(), images.volume(0)
    try:
        images.podman.bot("rooted", images.names["root"], volume=volume, port=port, api=simulator.url)
        until("a ready bot", lambda: http(f"http://127.0.0.1:{port}/ready")[0] == 200)
        assert owner_of(images.podman.process("rooted")) == 10001
        for path in [volume, *pathlib.Path(volume).iterdir()]:
            assert os.stat(path).st_uid == 10001, path
        simulator.says("/help")
        until("an answer", simulator.heard)
        done = images.podman.run(
            "run", "--rm", "--network=host", *HERE, "--user=10001:10001", images.names["root"],
            "katana-bot", "run", "--as", "10002", may_fail=True,
        )
        assert done.returncode == 64 and "start it as root" in done.stderr, done
    finally:
        images.podman.remove("rooted")
        simulator.end()


def a_new_container_takes_over_the_volume(images):
    simulator, podman = Simulator(images.program), images.podman
    ports = {"old": free_port(), "new": free_port()}
    ready = lambda name: http(f"http://127.0.0.1:{ports[name]}/ready")[0]
    try:
        for signal_name in ("TERM", "INT", "KILL"):
            # Its own, because the end of each round is a kill: several in a row would be a crash loop.
            volume = images.volume(10001)
            start = lambda name, volume=volume: podman.bot(
                name, images.names["usual"], volume=volume, port=ports[name], api=simulator.url
            )
            start("old")
            until("a ready bot", lambda: ready("old") == 200)
            simulator.flood(500, 40)
            start("new")
            until("a new bot that waits", lambda: ready("new") == 503)
            code, said = http(f"http://127.0.0.1:{ports['new']}/health")
            assert code == 200, said
            simulator.flood(500, 40)
            begun = time.monotonic()
            podman.run("kill", f"--signal={signal_name}", "old")
            until("the new bot to be ready", lambda: ready("new") == 200)
            print(f"        SIG{signal_name} to the old one, the new one ready: {time.monotonic() - begun:.2f} s")
            until("an answer to each message", lambda: not simulator.wrong(), 60)
            podman.remove("old", "new")
    finally:
        podman.remove("old", "new")
        simulator.end()


def compose_starts_as_its_page_says(images):
    folder = pathlib.Path(tempfile.mkdtemp(dir=images.podman.folder))
    shutil.copytree(HOME / "packaging/deploy", folder / "deploy")
    compose, port = folder / "deploy/compose", free_port()
    simulator = Simulator(images.program)
    secrets = compose / "secrets/staging"
    secrets.mkdir(parents=True, mode=0o700)
    for name in ("telegram-token", "provider-key", "admin-token", "mail-password", "grafana-password"):
        (secrets / name).write_text(TOKEN if name == "telegram-token" else f"example-of-{name}-0123456789")
        os.chmod(secrets / name, 0o440)
        os.chown(secrets / name, 10001, 65534)
    # What this machine lacks: a network of its own, a mail server, Telegram.
    (compose / "here.yaml").write_text(f"""services:
  bot:
    network_mode: host
    environment:
      KATANA_TELEGRAM_API_URL: {simulator.url}
      KATANA_WEB_LISTEN: 127.0.0.1:{port}
      KATANA_BOT_ACCESS: open
      AI_PROVIDER: echo
  checker: {{network_mode: host}}
""")
    (compose / "containers.conf").write_text(
        '[engine]\ncgroup_manager="cgroupfs"\nevents_logger="file"\nruntime="runc"\n'
        '[containers]\ndefault_ulimits=["nofile=1024:1024", "nproc=1024:1024"]\n'
    )
    (compose / "storage.conf").write_text(
        f'[storage]\ndriver="vfs"\ngraphroot="{images.podman.folder}/store"\nrunroot="{images.podman.folder}/run"\n'
    )
    env = os.environ | {
        "CONTAINERS_CONF": str(compose / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(compose / "storage.conf"),
    }
    (compose / ".env").write_text(f"ENVIRONMENT=staging\nKATANA_IMAGE={images.names['usual']}\n")
    command = [tool("podman-compose"), "-f", "compose.yaml", "-f", "here.yaml"]
    run = lambda *arguments: subprocess.run(
        command + list(arguments), cwd=compose, env=env, capture_output=True, text=True, timeout=120
    )
    try:
        started = run("up", "--detach", "bot", "checker")
        assert started.returncode == 0, started
        until("a ready bot", lambda: http(f"http://127.0.0.1:{port}/ready")[0] == 200)
        simulator.says("/help")
        until("an answer", simulator.heard)
        inside = lambda name, *what: images.podman.run("exec", f"katana-staging_{name}_1", *what, may_fail=True)
        status = inside("bot", "katana-bot", "status")
        assert status.returncode == 0 and ", staging, process 1" in status.stdout, status
        check = ("check-heartbeat", "--file", "/run/katana-bot/heartbeat", "--no-alert")
        until("the checker's OK", lambda: inside("checker", *check).stdout.startswith("OK: katana-bot (staging)"))
        images.podman.run("stop", "--time=45", "katana-staging_bot_1")
        assert "stopped cleanly" in inside("checker", *check).stdout
    finally:
        run("down", "--volumes")
        simulator.end()


CHECKS = [
    the_same_bytes_twice, what_platforms_read, it_answers_by_a_name_of_its_own_and_ends_in_time,
    the_health_check_is_red_when_the_poll_hangs, a_volume_of_root_is_taken_over,
    a_new_container_takes_over_the_volume, compose_starts_as_its_page_says,
]


def build(folder):
    done = subprocess.run([HOME / "packaging/build-image", folder], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, "the image cannot be built"
    return pathlib.Path(folder)


def main():
    totals = Totals("image")
    simulator, built = sys.argv[1], sys.argv[2:]
    try:
        if os.getuid() != 0:
            raise Unable("this needs root")
        with tempfile.TemporaryDirectory(prefix="katana-image-") as folder:
            # So that the user of the image reaches the volumes in it.
            os.chmod(folder, 0o755)
            podman = Podman(folder)
            first = pathlib.Path(built[0]) if built else build(f"{folder}/first")
            images = Images(podman, simulator, first, None if built else build(f"{folder}/second"))
            try:
                totals.run(CHECKS, images)
            finally:
                podman.run("system", "reset", "--force", may_fail=True)
    except Unable as why:
        totals.skip(why, f"{len(CHECKS)} checks of the image", len(CHECKS))
    return totals.end()


if __name__ == "__main__":
    sys.exit(main())
