"""A Debian machine to test on: made by debootstrap, booted by systemd-nspawn, thrown away.

The made system is cached outside of the checkout, and made again when it is not there. It has no
network but its own loopback. As a program it only makes the systems:
tests/system/machine.py RELEASE …
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# What a small server has beside the base system, what the package recommends, and what is tested with it:
# supervisor, needrestart, and a mail server that asks for a password. Who changes the list raises the number: another list is
# another image.
PACKAGES = (
    "systemd,systemd-sysv,dbus,cron,procps,ca-certificates,supervisor,needrestart"
    ",postfix,libsasl2-modules,sasl2-bin,poppler-utils"
)
IMAGE = 6
MIRROR = os.environ.get("KATANA_TEST_MIRROR", "http://deb.debian.org/debian")
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "katana-ci"
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "curl": "curl",
}


class Unable(Exception):
    """This machine cannot run the checks, or one of them, and why."""


def image(release):
    """The folder of a fresh system, from the cache when it is there."""
    if os.geteuid() != 0:
        raise Unable("debootstrap and systemd-nspawn need root")
    for tool, package in TOOLS.items():
        if not shutil.which(tool):
            raise Unable(f"{tool} is not there (apt install {package})")
    kept = CACHE / f"system-{release}-{IMAGE}"
    if not kept.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        print(f"making a {release} system in {kept} (once; a minute or two)", flush=True)
        made = pathlib.Path(tempfile.mkdtemp(dir=CACHE, prefix="making-"))
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release]
        done = subprocess.run(command + [str(made / "root"), MIRROR], capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(made)
            raise Unable(f"debootstrap failed: {done.stdout[-300:]}{done.stderr[-300:]}")
        shutil.rmtree(made / "root/var/cache/apt/archives", ignore_errors=True)
        (made / "root").rename(kept)
        made.rmdir()
    return kept


class Machine:
    """A booted system. Use it in a `with`."""

    def __init__(self, release):
        self.release = release
        self.kept = image(release)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="katana-system-"))
        self.root = self.folder / "root"
        self.log = self.folder / "console"
        self.process = None
        self.pid = None
        self.groups = []

    def __enter__(self):
        subprocess.run(["cp", "-a", "--reflink=auto", self.kept, self.root], check=True)
        # This machine does not use the policies of the machine that made the image.
        (self.root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        (self.root / "etc/resolv.conf").unlink(missing_ok=True)
        command = ["systemd-nspawn", "-q", "-D", str(self.root), "--boot", "--register=no"]
        command += ["--keep-unit", "--private-network", "--console=pipe", "--resolv-conf=off"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.alone() + command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.wait_for_boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def alone(self):
        """Starts a command in a control group of its own: systemd-nspawn names those of its machine
        after the one that it runs in, and two machines must not share them."""
        top = pathlib.Path("/sys/fs/cgroup")
        # systemd follows processes in its own hierarchy, in the unified one, or in both.
        places = {"name=systemd": top / "systemd", "": top / "unified" if (top / "unified").is_dir() else top}
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            place = places.get(controllers)
            if place and (place / "cgroup.procs").is_file():
                group = place / path.lstrip("/") / self.folder.name
                group.mkdir()
                self.groups.append(group)
        if self.groups:
            enter = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit; shift; done; shift; exec "$@"'
            return ["sh", "-c", enter, "sh", *map(str, self.groups), "--"]
        raise Unable("there is no control group of systemd's on this machine")

    def wait_for_boot(self):
        begun = time.monotonic()
        while time.monotonic() - begun < 90:
            if self.process.poll() is not None:
                raise Unable(f"the system does not boot: {self.console()}")
            children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
            inside = pathlib.Path(children).read_text().split()
            if inside:
                self.pid = int(inside[0])
                state = self.run("systemctl is-system-running").stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.2)
        raise Unable(f"the system does not boot within 90 s: {self.console()}")

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            # SIGTERM makes nspawn power the system off in order.
            os.kill(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(30)
        for own in self.groups:
            for group in sorted(own.rglob("*/"), reverse=True) + [own]:
                with contextlib.suppress(OSError):
                    group.rmdir()
        shutil.rmtree(self.folder, ignore_errors=True)

    def console(self):
        return self.log.read_text(errors="replace")[-500:] if self.log.exists() else ""

    def run(self, command, timeout=120, **more):
        """Runs a shell command inside. The result has returncode, stdout and stderr."""
        enter = ["nsenter", "-t", str(self.pid), "-a", "--"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        clean = ["env", "-i", path, "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        words = enter + clean + ["SYSTEMD_PAGER=cat", "/bin/sh", "-c", command]
        # A pipe that a service inherits must not hold the test: files, not pipes.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout, **more
            )
            out.seek(0)
            err.seek(0)
            done.stdout, done.stderr = out.read(), err.read()
        return done

    def say(self, command, timeout=120):
        """Runs a command that has to succeed, and gives what it printed."""
        done = self.run(command, timeout)
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()[-600:]
            raise AssertionError(f"{command!r} ended with {done.returncode}: {said}")
        return done.stdout

    def put(self, path, text, mode=0o644):
        """Writes a file."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def copy(self, source, path, mode=0o644):
        """Copies a file of this machine into the other."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        place.chmod(mode)

    def show(self, unit, name):
        """One property of a unit."""
        return self.say(f"systemctl show --value --property={name} '{unit}'").strip()

    def http(self, url, body=None, headers=()):
        """Status and body of a request from inside; status 0 and the reason when there is no answer."""
        command = ["nsenter", "-t", str(self.pid), "-n", "--", "curl", "-sS", "-m", "10"]
        command += ["-w", "\n%{http_code}", url]
        for header in headers:
            command += ["-H", header]
        if body is not None:
            command += ["-d", json.dumps(body)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        text, _, code = done.stdout.rpartition("\n")
        return int(code or 0), text or done.stderr

    def network(self, *command):
        """Runs a program of this machine in the network of the other, which has no tools for it."""
        inside = ["nsenter", "-t", str(self.pid), "-n", "--", *command]
        subprocess.run(inside, stdin=subprocess.DEVNULL, check=True)

    def until(self, what, test, within=30, every=0.2):
        """Waits for `test` to give something, and gives that."""
        end = time.monotonic() + within
        while True:
            found = test()
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {within} s")
            time.sleep(every)


if __name__ == "__main__":
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for folder in pool.map(image, sys.argv[1:]):
            print(folder)
