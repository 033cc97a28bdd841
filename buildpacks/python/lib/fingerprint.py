"""Prints the fingerprint that lib/plan.py will compute in the next build, when this build's resolution is its pin."""

import sys

from digest import digest

tools, python, kind, resolution = sys.argv[1:5]
with open(resolution, encoding="utf-8") as file:
    print(digest(tools, python, kind, file.read().rstrip("\n")))
