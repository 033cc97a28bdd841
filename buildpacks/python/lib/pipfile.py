"""Turns the default packages of a Pipfile.lock into a requirements file with exact versions and hashes."""

import json
import sys

DEFAULT_INDEXES = ("https://pypi.org/simple", "https://pypi.python.org/simple")


def lines(lock):
    for source in lock.get("_meta", {}).get("sources", []):
        if source.get("url", "").rstrip("/") not in DEFAULT_INDEXES:
            yield "--extra-index-url " + source["url"]
    for name, entry in sorted(lock.get("default", {}).items()):
        yield requirement(name, entry)


def requirement(name, entry):
    extras = "[" + ",".join(sorted(entry["extras"])) + "]" if entry.get("extras") else ""
    marker = " ; " + entry["markers"] if entry.get("markers") else ""
    if "version" in entry:
        hashes = "".join(" --hash=" + value for value in sorted(entry.get("hashes", [])))
        return name + extras + entry["version"] + marker + hashes
    if "git" in entry:
        tail = "@" + entry["ref"] if entry.get("ref") else ""
        tail += "#subdirectory=" + entry["subdirectory"] if entry.get("subdirectory") else ""
        return f"{name}{extras} @ git+{entry['git']}{tail}{marker}"
    if "file" in entry:
        return f"{name}{extras} @ {entry['file']}{marker}"
    path = entry.get("path", ".")
    return ("-e " if entry.get("editable") else "") + path + extras


with open(sys.argv[1], encoding="utf-8") as file:
    print("\n".join(lines(json.load(file))))
