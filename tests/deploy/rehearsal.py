#!/usr/bin/env python3
"""Rehearses deploys and rollbacks on this machine: tests/deploy/rehearsal.py SIMULATOR FOLDER [DEPLOYS]

Podman stands for the platform: packaging/deploy/rollout replaces the container of a bot to which people write the
whole time. FOLDER has the images. Needs root. Prints figures and the totals last.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from files import HOME
from image import Images
from podman import HERE, Podman, Simulator, free_port, http, until
from totals import Totals, Unable

DEPLOYS = 20


class Platform:
    """One bot on this machine; replaces its container as a platform with one volume does."""

    def __init__(self, images):
        self.images, self.podman = images, images.podman
        self.simulator, self.port, self.volume = Simulator(images.program), free_port(), images.volume(10001)
        self.url = f"http://127.0.0.1:{self.port}"
        # What the platform runs to deploy; the image is in the variable IMAGE.
        self.script = pathlib.Path(images.podman.folder) / "deploy"
        start = " ".join(self.podman.start)
        variables = {
            "KATANA_TELEGRAM_TOKEN": "7000000009:IMAGE-test-token-of-the-bot-0000001",
            "KATANA_TELEGRAM_API_URL": self.simulator.url, "KATANA_WEB_LISTEN": f"127.0.0.1:{self.port}",
            "KATANA_BOT_ACCESS": "open", "KATANA_DELIVERY_PACE": "false", "AI_PROVIDER": "echo",
            "KATANA_WATCH_RESPONSE_S": "600", "KATANA_CANARY_QUESTION": "canary", "KATANA_CANARY_EXPECT": "canary",
        }
        env = " ".join(f"--env={key}={value}" for key, value in variables.items())
        self.script.write_text(f"""#!/bin/sh
{start} stop --time=45 live >/dev/null 2>&1
{start} rm --force live >/dev/null 2>&1
exec {start} run --detach --name live --network=host {' '.join(HERE)} --read-only --cap-drop=ALL \\
    --volume={self.volume}:/var/lib/katana-bot {env} "$IMAGE" >/dev/null
""")
        self.script.chmod(0o755)
        # The program that checks comes out of the image as well.
        self.program = pathlib.Path(images.podman.folder) / "katana-bot"
        container = self.podman.say("create", images.names["usual"])
        self.podman.run("cp", f"{container}:/usr/bin/katana-bot", str(self.program))

    def rollout(self, new, previous=None, timeout="60s"):
        check = f"{self.program} deploy-check --url {self.url} --timeout {timeout}"
        command = [HOME / "packaging/deploy/rollout", "--image", new, "--check", check]
        if previous:
            command += ["--previous", previous]
        return subprocess.run([*command, "--", str(self.script)], capture_output=True, text=True, timeout=300)

    def end(self):
        self.podman.remove("live")
        self.simulator.end()


class Writing:
    """Twenty people write four times a second, until the end."""

    def __init__(self, simulator):
        self.simulator, self.stopped, self.messages = simulator, threading.Event(), 0
        self.thread = threading.Thread(target=self.write)

    def write(self):
        while not self.stopped.wait(0.25):
            self.simulator.flood(20, 20)
            self.messages += 20

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def twenty_deploys_lose_nothing(images, deploys):
    platform, times = Platform(images), []
    try:
        first = platform.rollout(images.names["usual"])
        assert first.returncode == 0, first
        with Writing(platform.simulator) as writing:
            for _ in range(deploys):
                begun = time.monotonic()
                done = platform.rollout(images.names["usual"], images.names["usual"])
                assert done.returncode == 0, done
                times.append(time.monotonic() - begun)
        until("an answer to each message", lambda: not platform.simulator.wrong(), 60)
        print(
            f"        {deploys} deploys with {writing.messages} messages: median {statistics.median(times):.1f} s, "
            f"longest {max(times):.1f} s from the command to an answered canary question"
        )
    finally:
        platform.end()


def a_version_that_fails_is_rolled_back(images, _):
    platform = Platform(images)
    usual, broken = images.names["usual"], "localhost/katana-bot:broken"
    podman = images.podman
    try:
        made = podman.say("create", "--env=KATANA_ANSWER_PROVIDER=none", usual)
        podman.run("commit", "--quiet", "--change=ENV KATANA_ANSWER_PROVIDER=none", made, broken)
        assert platform.rollout(usual).returncode == 0
        with Writing(platform.simulator):
            begun = time.monotonic()
            done = platform.rollout(broken, usual, timeout="10s")
            assert done.returncode == 1 and f"going back to {usual}" in done.stderr, done
            print(f"        failed deploy to served again: {time.monotonic() - begun:.1f} s, 10 of them the time limit")
        until("an answer to each message", lambda: not platform.simulator.wrong(), 60)
        assert http(f"{platform.url}/ready")[0] == 200
        # There is nothing to go back to.
        done = platform.rollout(broken, timeout="5s")
        assert done.returncode == 2, done
    finally:
        platform.end()


CHECKS = [twenty_deploys_lose_nothing, a_version_that_fails_is_rolled_back]


def main():
    totals = Totals("rehearsal")
    simulator, folder = sys.argv[1:3]
    deploys = int(sys.argv[3]) if len(sys.argv) > 3 else DEPLOYS
    try:
        if os.getuid() != 0:
            raise Unable("this needs root")
        with tempfile.TemporaryDirectory(prefix="katana-rehearsal-") as work:
            os.chmod(work, 0o755)
            images = Images(Podman(work), simulator, folder, None)
            try:
                totals.run(CHECKS, images, deploys)
            finally:
                images.podman.run("system", "reset", "--force", may_fail=True)
    except Unable as why:
        totals.skip(why, f"{len(CHECKS)} rehearsals", len(CHECKS))
    return totals.end()


if __name__ == "__main__":
    sys.exit(main())
