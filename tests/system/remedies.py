"""What the tools advise, taken from what they print, and done as it is printed."""

import re

COMMAND = re.compile(r"`([^`]+)`")


def advised(page, finding=None):
    """The commands that `status` or `doctor` advises, in their order: all, or those below a finding."""
    lines = page.splitlines()
    if finding:
        start = next((n for n, line in enumerate(lines) if re.search(rf"\b{finding}\b", line)), len(lines))
        lines = lines[start + 1 : start + 2]
    lines = [line for line in lines if line.strip().startswith("do: ")]
    return [command for line in lines for command in COMMAND.findall(line)]


def remedied(stage, finding, words, within=30):
    """Waits until `status` shows the finding with these words, does what it advises, and waits for its end."""
    machine = stage.machine
    status = lambda: machine.run("katana-bot status").stdout
    shown = lambda: (page := status()) and finding in page and words in page and page
    page = machine.until(f"{finding}: {words}", shown, within)
    commands = advised(page, finding)
    assert commands, page
    said = [machine.say(command, timeout=90) for command in commands]
    machine.until(f"the end of {finding}", lambda: finding not in status(), within)
    return said
