#!/usr/bin/env python3
"""What a run of check-heartbeat costs when all is well, beside a Rust program that prints one line.

    cargo build --profile checker -p check-heartbeat
    tests/bench/checker.py target/checker/check-heartbeat [RUNS]

Both are built with the same profile and run in pairs, 200 unless said otherwise. Prints medians and
ratios: wall time from start to end, CPU time, and the largest resident size.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

MANIFEST = """[package]
name = "hello"
version = "0.1.0"
edition = "2024"
[workspace]
[profile.release]
opt-level = "s"
lto = "fat"
codegen-units = 1
panic = "abort"
strip = true
"""


def hello(folder):
    os.makedirs(f"{folder}/src")
    with open(f"{folder}/Cargo.toml", "w") as file:
        file.write(MANIFEST)
    with open(f"{folder}/src/main.rs", "w") as file:
        file.write('fn main() {\n    println!("OK");\n}\n')
    environment = {**os.environ, "CARGO_TARGET_DIR": f"{folder}/target"}
    subprocess.run(["cargo", "build", "-q", "--release"], cwd=folder, env=environment, check=True)
    return [f"{folder}/target/release/hello"]


def checker(program, folder):
    heartbeat, config = f"{folder}/heartbeat", f"{folder}/check.toml"
    with open(heartbeat, "w") as file:
        file.write(f"{int(time.time())}\n")
    with open(config, "w") as file:
        file.write(f'[[watch]]\nname = "bot"\nfile = "{heartbeat}"\nthreshold = "1h"\n')
        file.write(f'[[channel]]\ntype = "telegram"\nchat_id = 1\ntoken_file = "{folder}/token"\n')
    with open(f"{folder}/token", "w") as file:
        file.write("1234567890:AAExampleExampleExampleExampleExampl\n")
    return [program, "--config", config, "--state-dir", f"{folder}/state"]


def run(command, quiet):
    """Wall and CPU time in milliseconds, and the peak in MB."""
    begun = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, quiet, 1)]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - begun
    if status != 0:
        raise SystemExit(f"{command} ended with {status}")
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3, used.ru_maxrss / 1024


def main():
    program = os.path.abspath(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with tempfile.TemporaryDirectory() as folder:
        commands = {"hello": hello(f"{folder}/hello"), "checker": checker(program, folder)}
        quiet = os.open("/dev/null", os.O_WRONLY)
        for command in commands.values():
            run(command, quiet)
        taken = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                taken[name].append(run(command, quiet))
        medians = {name: [statistics.median(c) for c in zip(*rows)] for name, rows in taken.items()}
        print(f"{'':10}{'wall ms':>10}{'CPU ms':>10}{'peak MB':>10}")
        for name, row in medians.items():
            print(f"{name:10}" + "".join(f"{value:10.2f}" for value in row))
        ratios = [a / b for a, b in zip(medians["checker"], medians["hello"])]
        print(f"{'ratio':10}" + "".join(f"{ratio:10.2f}" for ratio in ratios))


main()
