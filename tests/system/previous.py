#!/usr/bin/env python3
"""The package that is updated from and gone back to, really built from an older commit.

It is built once (about 5 minutes on two cores) and kept outside of the checkout. As a program it does
only that, and prints the path. With each release, COMMIT becomes the one that was released before.
"""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from machine import CACHE, Unable

# 0.2.0-1, the version that people have installed before this one.
COMMIT = "93628f72032406c6ded0ebfd43c6c0636fecfde3"
VERSION = "0.2.0-1"

# Compiled quickly rather than to run quickly: only what it stores and how it ends matter here.
QUICKLY = {
    f"CARGO_PROFILE_{profile}_{key}": value
    for profile in ("RELEASE", "CHECKER")
    for key, value in {"LTO": "off", "OPT_LEVEL": "1", "CODEGEN_UNITS": "16"}.items()
}


def package():
    """The path of the previous package, built now if it is not in the cache."""
    kept = CACHE / f"previous-{COMMIT[:12]}" / "katana-bot-previous.deb"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "previous.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_file():
            build(kept)
    return kept


def build(kept):
    home = pathlib.Path(__file__).resolve().parents[2]
    git = ["git", "-C", str(home)]
    asked = subprocess.run(git + ["log", "-1", "--format=%ct", COMMIT], capture_output=True, text=True)
    if asked.returncode != 0:
        raise Unable(f"commit {COMMIT[:12]} is not in this clone (git fetch --unshallow)")
    print(f"building the package of {COMMIT[:12]} (once; about 5 minutes)", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="katana-previous-") as folder:
        tree = pathlib.Path(folder) / "tree"
        tree.mkdir()
        archive = subprocess.run(git + ["archive", COMMIT], capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(tree)], input=archive, check=True)
        # Nothing of this checkout's build is reused, and nothing of it is replaced.
        own = QUICKLY | {"CARGO_TARGET_DIR": f"{folder}/target", "SOURCE_DATE_EPOCH": asked.stdout.strip()}
        command = ["chrt", "--idle", "0", str(tree / "packaging/build-deb"), f"{folder}/out"]
        built = subprocess.run(
            command, env=os.environ | own, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if built.returncode != 0:
            raise AssertionError(f"commit {COMMIT[:12]} cannot be built: {built.stderr[-600:]}")
        [made] = pathlib.Path(folder, "out").glob("*.deb")
        kept.parent.mkdir(exist_ok=True)
        shutil.move(made, f"{kept}.new")
        os.rename(f"{kept}.new", kept)


if __name__ == "__main__":
    print(package())
