"""Runs the system's tools."""

from __future__ import annotations

import subprocess

LONGEST_SECONDS = 60.0


def run(*words: str, said: str = "") -> str:
    """Runs a tool with `said` as its input and returns what it printed; OSError tells what failed."""
    try:
        done = subprocess.run(words, input=said, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    except subprocess.TimeoutExpired as late:
        raise OSError(f"{' '.join(words)} did not end in {LONGEST_SECONDS:.0f} s") from late
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
