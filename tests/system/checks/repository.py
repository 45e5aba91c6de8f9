"""A repository of one's own, made by packaging/build-repo and read by the machine's apt."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from machine import Unable

TOOL = pathlib.Path(__file__).parents[3] / "packaging/build-repo"
KEY = "packages@example.org"
FOLDER = "/srv/repo"
# The machine has no network, so its other sources are left out.
LIST = "/etc/apt/sources.list.d/katana-bot.sources"
APT = f"apt-get -o Dir::Etc::sourcelist={LIST} -o Dir::Etc::sourceparts=-"


def apt_installs_it_from_a_signed_repository(stage):
    """As docs/install.md says, from a folder in place of a web server."""
    machine = stage.machine
    for tool, package in {"gpg": "gnupg", "dpkg-scanpackages": "dpkg-dev"}.items():
        if not shutil.which(tool):
            raise Unable(f"{tool} is not there (apt install {package})")
    page = (TOOL.parents[1] / "docs/install.md").read_text()
    source = page.split("sources <<END\n")[1].split("END\n")[0]
    machine.put(LIST, source.replace("https://packages.example.org/katana", f"file:{FOLDER}"))
    version = machine.say("dpkg-query -W -f '${Version}' katana-bot")
    files = machine.root / FOLDER.lstrip("/")
    with tempfile.TemporaryDirectory() as scratch:
        build(scratch, stage.package)
        shutil.copytree(f"{scratch}/repo", files)
        machine.say(f"cp {FOLDER}/katana-bot.asc /etc/apt/keyrings/")
        machine.say(f"{APT} update 2>&1")
        said = machine.say("apt-cache policy katana-bot")
        assert f"Candidate: {version}" in said and f"file:{FOLDER} stable/main" in said, said
        said = machine.say(f"{APT} install -y --reinstall katana-bot 2>&1", timeout=120)
        assert f"file:{FOLDER} stable/main" in said and "WARNING" not in said, said
        assert machine.say("dpkg-query -W -f '${Version}' katana-bot") == version
        machine.until("the bot", lambda: stage.state() == "active")
        # What was changed on the way, and what another key has signed.
        index = next(files.glob("dists/stable/main/binary-*/Packages"))
        index.with_suffix(".gz").unlink()
        index.write_text(index.read_text().replace("Description:", "Description: changed"))
        refused(machine, "Hash Sum mismatch", "File has unexpected size")
        shutil.rmtree(files)
        shutil.rmtree(f"{scratch}/keys")
        build(scratch, stage.package)
        shutil.copytree(f"{scratch}/repo", files)
        refused(machine, "NO_PUBKEY", "Missing key", "not signed")
    machine.say(f"rm -rf {FOLDER} {LIST} /etc/apt/keyrings/katana-bot.asc /var/lib/apt/lists/*repo*")


def build(scratch, package):
    """A repository in scratch/repo, with a key that is made for it."""
    keys = pathlib.Path(scratch, "keys")
    keys.mkdir(mode=0o700)
    environment = {**os.environ, "GNUPGHOME": str(keys)}
    run = lambda *words: subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    try:
        make = ["--batch", "--passphrase", "", "--quick-generate-key", KEY, "ed25519", "sign", "never"]
        run("gpg", *make)
        # A second run adds nothing, and signs again.
        for _ in range(2):
            run(str(TOOL), f"{scratch}/repo", KEY, str(package))
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=environment, check=False)


def refused(machine, *reasons):
    """apt takes none of it, and says one of these reasons."""
    machine.say("rm -rf /var/lib/apt/lists/*repo*")
    done = machine.run(f"{APT} update 2>&1")
    assert done.returncode != 0 and any(reason in done.stdout for reason in reasons), done
