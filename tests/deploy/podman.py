"""Podman as far as it works inside of a container: no network of its own, no control groups of systemd."""

import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import threading
import time
import urllib.request

from totals import Unable

TOKEN = "7000000009:IMAGE-test-token-of-the-bot-0000001"
USER = 1001

# Without systemd there are no timers for the image's health check, and limits cannot be raised.
HERE = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--no-healthcheck")


class Podman:
    """Podman with a storage of its own in a folder, which goes with it."""

    def __init__(self, folder):
        for program in ("podman", "runc", "buildah"):
            if not shutil.which(program):
                raise Unable(f"{program} is not installed")
        self.folder = pathlib.Path(folder)
        self.start = [
            "podman", "--storage-driver=vfs", f"--root={folder}/store", f"--runroot={folder}/run",
            "--cgroup-manager=cgroupfs", "--runtime=runc", "--events-backend=file",
        ]

    def run(self, *arguments, may_fail=False, timeout=120):
        """The finished process of a podman command."""
        done = subprocess.run(self.start + list(arguments), capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0 and not may_fail:
            raise AssertionError(f"podman {arguments[0]}: {(done.stderr or done.stdout).strip()[-800:]}")
        return done

    def say(self, *arguments, **options):
        return self.run(*arguments, **options).stdout.strip()

    def bot(self, name, image, *command, volume, port, api, variables=(), options=()):
        """Starts a container as docs/deploy says it: read-only, without capabilities that it does not need."""
        given = {
            "KATANA_TELEGRAM_TOKEN": TOKEN,
            "KATANA_TELEGRAM_API_URL": api,
            "KATANA_WEB_LISTEN": f"127.0.0.1:{port}",
            "KATANA_BOT_ACCESS": "open",
            "KATANA_DELIVERY_PACE": "false",
            "AI_PROVIDER": "echo",
        } | dict(variables)
        self.run(
            "run", "--detach", "--name", name, "--network=host", "--read-only", *HERE,
            f"--volume={volume}:/var/lib/katana-bot", *options,
            *(f"--env={key}={value}" for key, value in given.items()), image, *command,
        )

    def process(self, name):
        return int(self.say("inspect", "--format={{.State.Pid}}", name))

    def remove(self, *names):
        self.run("rm", "--force", "--time=0", *names, may_fail=True)


class Simulator:
    """botapi-sim on the loopback."""

    def __init__(self, program):
        self.port = free_port()
        self.process = subprocess.Popen(
            [program, "serve", "--control", "--limits", "off", "--listen", f"127.0.0.1:{self.port}", "--token", TOKEN],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        until("the simulator", lambda: http(f"{self.url}/control/state")[0] == 200)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def says(self, text, user=USER):
        code, said = http(f"{self.url}/control/say", {"user_id": user, "text": text})
        assert code == 200, said

    def flood(self, updates, chats):
        code, said = http(f"{self.url}/control/flood", {"updates": updates, "chats": chats, "text": "/whoami"})
        assert code == 200, said

    def transcript(self):
        return json.loads(http(f"{self.url}/control/transcript")[1])

    def heard(self, user=USER):
        return [m["text"] for m in self.transcript().get(str(user), []) if m["from_bot"]]

    def wrong(self):
        """The chats that have more or fewer answers than messages, with both counts."""
        counts = {
            chat: (sum(not m["from_bot"] for m in said), sum(m["from_bot"] for m in said))
            for chat, said in self.transcript().items()
        }
        return {chat: both for chat, both in counts.items() if both[0] != both[1]}

    def end(self):
        self.process.kill()
        self.process.wait()


class Names:
    """A name server that knows one name, which stands for the loopback."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.53", 53))
        self.asked, self.name = 0, name
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(512)
            except OSError:
                return
            end = query.index(b"\0", 12) + 5
            labels = b"".join(bytes([len(part)]) + part.encode() for part in self.name.split("."))
            is_address = query[end - 4 : end - 2] == b"\0\1"
            is_known = query[12:].lower().startswith(labels)
            self.asked += is_known
            answers = int(is_known and is_address)
            reply = query[:2] + struct.pack(">HHHHH", 0x8180 if is_known else 0x8183, 1, answers, 0, 0) + query[12:end]
            if answers:
                reply += b"\xc0\x0c" + struct.pack(">HHIH4B", 1, 1, 60, 4, 127, 0, 0, 1)
            self.socket.sendto(reply, client)

    def end(self):
        self.socket.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http(url, body=None):
    """Status and text; 0 if there is no answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def until(what, found, within=30):
    """Waits until it is so, and gives what was found."""
    end = time.monotonic() + within
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < end, f"no {what} within {within} s"
        time.sleep(0.05)


def owner_of(process):
    """The real user id of a process."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1])


def is_gone(process):
    return not os.path.exists(f"/proc/{process}")
