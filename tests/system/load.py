"""People who write and monitors that ask, while something happens to the bot."""

import contextlib
import json
import threading
import time

from stage import CONFIG


def open_to_all(stage):
    """Strangers may write, and a flood is not a finding; returns what undoes that."""
    good = (stage.machine.root / CONFIG.lstrip("/")).read_text()
    flood = '[bot]\naccess = "open"\n[delivery]\npace = false\n[watch]\nresponse_s = 600.0\n'
    stage.machine.put(CONFIG, good + flood)
    stage.machine.say("systemctl restart katana-bot", timeout=60)
    return good


@contextlib.contextmanager
def writing(stage):
    """Twenty people write the whole time; each message has to get one answer, no more and no less."""
    machine, said, end = stage.machine, [], threading.Event()
    good, before = open_to_all(stage), tally(stage)
    body = {"updates": 60, "chats": 20, "text": "/whoami"}

    def write():
        # Once more after the end: it goes on.
        while True:
            last = end.is_set()
            said.append(machine.http(stage.sim("bot", "/control/flood"), body)[0])
            if last:
                return
            end.wait(0.5)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        # Read at the next start: what is still to be answered is answered as before.
        machine.put(CONFIG, good)
    assert set(said) == {200} and len(said) >= 4, said
    owed = lambda: [chat for chat, (asked, answered) in since(stage, before).items() if answered < asked]
    machine.until("an answer to each message", lambda: not owed(), within=90)
    time.sleep(2)
    wrong = {chat: counts for chat, counts in since(stage, before).items() if counts[0] != counts[1]}
    assert not wrong, f"(messages, answers) by chat: {wrong}"
    machine.say("systemctl restart katana-bot", timeout=60)


def tally(stage):
    """For each chat how many messages there are of people, and how many of the bot."""
    code, said = stage.machine.http(stage.sim("bot", "/control/transcript"))
    assert code == 200, said
    counts = {}
    for chat, messages in json.loads(said).items():
        bots = sum(message["from_bot"] for message in messages)
        counts[chat] = (len(messages) - bots, bots)
    return counts


def since(stage, before):
    """What was added in each chat."""
    old = lambda chat, i: before.get(chat, (0, 0))[i]
    return {c: (asked - old(c, 0), bots - old(c, 1)) for c, (asked, bots) in tally(stage).items()}


@contextlib.contextmanager
def asking(stage):
    """A client asks the HTTP endpoint without a pause, and none may be refused."""
    asked, refused, end = [], [], threading.Event()

    def ask():
        while not end.is_set():
            code, why = stage.machine.http("http://127.0.0.1:8080/health")
            asked.append(code)
            if not code:
                refused.append(why)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
    assert asked.count(200) >= 3 and not refused, (len(asked), refused)


@contextlib.contextmanager
def socket_held(stage):
    """systemd holds the port of the endpoint."""
    machine = stage.machine
    was = machine.show("katana-bot.socket", "ActiveState") == "active"
    machine.say("systemctl stop katana-bot && systemctl enable --now katana-bot.socket")
    machine.say("systemctl start katana-bot", timeout=60)
    yield
    assert machine.show("katana-bot.socket", "ActiveState") == "active"
    if not was:
        machine.say("systemctl stop katana-bot && systemctl disable --now katana-bot.socket")
        machine.say("systemctl start katana-bot", timeout=60)
