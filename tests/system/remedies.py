"""What the tools advise, taken from what they print, and done as it is printed."""

import re

COMMAND = re.compile(r"`([^`]+)`")
RUNBOOK = "usr/share/doc/katana-bot/runbook.md"


def advised(page, finding=None):
    """The commands that `status` or `doctor` advises, in their order: all, or those below a finding."""
    lines = page.splitlines()
    if finding:
        start = next((n for n, line in enumerate(lines) if re.search(rf"\b{finding}\b", line)), len(lines))
        lines = lines[start + 1 : start + 2]
    lines = [line for line in lines if line.strip().startswith("do: ")]
    return [command for line in lines for command in COMMAND.findall(line)]


def of_alert(alert):
    """The commands that an alert advises."""
    lines = [line for line in alert.splitlines() if line.startswith("Do: ")]
    return [command for line in lines for command in COMMAND.findall(line)]


def of_runbook(machine, topic, part):
    """The commands in a part of a topic, such as Check or Fix, and in the blocks that follow it."""
    text = (machine.root / RUNBOOK).read_text()
    found = re.search(rf"^## {topic}\n(.*?)(?=^##? |\Z)", text, re.M | re.S)
    assert found, topic
    part = re.search(rf"^\*\*{part}\b.*?(?=^\*\*[A-Z]|\Z)", found[1], re.M | re.S)
    if not part:
        return []
    blocks = re.findall(r"^```\n(.*?)^```", part[0], re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    inline = COMMAND.findall(re.sub(r"^```\n.*?^```", "", part[0], flags=re.M | re.S))
    return [re.sub(r"\s+", " ", command) for command in lines + inline]


def done(machine, commands):
    """Does them as they are printed, one after the other; gives what each printed."""
    assert commands, "there is nothing to do"
    return [machine.say(command, timeout=90) for command in commands]


def remedied(stage, finding, words, within=30):
    """Waits until `status` shows the finding with these words, does what it advises, and waits for its end."""
    machine = stage.machine
    status = lambda: machine.run("katana-bot status").stdout
    shown = lambda: (page := status()) and finding in page and words in page and page
    page = machine.until(f"{finding}: {words}", shown, within)
    said = done(machine, advised(page, finding))
    machine.until(f"the end of {finding}", lambda: finding not in status(), within)
    return said
