#!/usr/bin/env python3
"""Runs a command under limits and reads how it went.

    from limited import run
    result = run(["make", "-j"], memory="2g", pids=512, timeout="10m")
    print(result.reason, result.report["memory"]["total"]["peakBytes"])

or: limited.py 2g 512 10m make -j
"""
import dataclasses
import json
import subprocess
import sys
import tempfile


@dataclasses.dataclass
class Result:
    """How a command ended: its status, 124 at the timeout, 137 when memory ran out; and all that Apus reports."""

    status: int
    report: dict

    @property
    def reason(self):
        """exited, signal, oom, timeout and so on, as the report has it."""
        return self.report["outcome"]["reason"]


def run(command, memory=None, pids=None, timeout=None, apus="apus", **options):
    """Runs `command`, a list of words; `options` are those of subprocess.run."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        flags = ["--report", file.name]
        for name, value in (("memory", memory), ("pids", pids), ("timeout", timeout)):
            if value is not None:
                flags += [f"--{name}", str(value)]
        ended = subprocess.run([apus, "limit", *flags, "--", *command], **options)
        with open(file.name, encoding="utf-8") as report:  # by its name: it has been written anew
            text = report.read()
        if not text:
            raise RuntimeError(f"apus limit failed with status {ended.returncode}, and says why on standard error")
        return Result(ended.returncode, json.loads(text))


if __name__ == "__main__":
    result = run(sys.argv[4:], *sys.argv[1:4])
    print(result.status, result.reason, file=sys.stderr)
    sys.exit(result.status)
