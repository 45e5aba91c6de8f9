"""Runs checks one after the other: one line each, the totals last."""

import time
import traceback


class Unable(Exception):
    """A check cannot be made here; the text says why."""


class Totals:
    """What passed, failed and was skipped of one kind of check."""

    def __init__(self, kind):
        self.kind, self.passed, self.failed, self.skipped = kind, 0, 0, 0

    def run(self, checks, *arguments):
        for check in checks:
            begun, name = time.monotonic(), f"{self.kind}: {check.__name__.replace('_', ' ')}"
            took = lambda: f"{time.monotonic() - begun:6.1f}s"
            try:
                check(*arguments)
                self.passed += 1
                print(f"{took()}  ok       {name}", flush=True)
            except Unable as why:
                self.skip(why, name)
            except Exception as error:
                self.failed += 1
                traceback.print_exc()
                print(f"{took()}  FAILED   {name}: {error}", flush=True)

    def skip(self, why, what, count=1):
        self.skipped += count
        print(f"!!! SKIPPED: {what}: {why}", flush=True)

    def end(self):
        """Prints the totals; answers the exit status."""
        print(f"system: {self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed else 0
