"""Reads requirements files with what they include: enough to tell when they change and what they need."""

import os
import re

FILES_MAX = 100
BYTES_MAX = 1024 * 1024


def read(build, name):
    """Returns the text of a small file of the source, or None."""
    path = os.path.join(build, name)
    try:
        with open(path, "rb") as file:
            return file.read(BYTES_MAX).decode("utf-8", "replace").lstrip("\ufeff")
    except OSError:
        return None


class Requirements:
    """A requirements file and the files it includes."""

    def __init__(self, build, name):
        self.build, self.texts, self.options = build, [], []
        self.hashes = self.local = self.exact = False
        self.lines = []
        self.collect(name, set())
        self.exact = bool(self.lines) and all(re.match(r"[^\s;]+\s*===?\s*[^\s*,;]+\s*(;.*)?$", line) for line in self.lines)

    def collect(self, name, seen):
        name = os.path.normpath(name)
        if name in seen or len(seen) >= FILES_MAX:
            return
        seen.add(name)
        text = read(self.build, name)
        if text is None:
            return
        self.texts.append(name + "\0" + text)
        for line in re.sub(r"\\\r?\n", " ", text).splitlines():
            line = re.sub(r"(^|\s)#.*$", "", line).strip()
            if line:
                self.take(line, os.path.dirname(name), seen)

    def take(self, line, directory, seen):
        include = re.match(r"(?:-r|-c|--requirement|--constraint)[\s=]*(.+)$", line)
        if include:
            if line.startswith(("-r", "--r")):
                self.collect(os.path.join(directory, include.group(1).strip()), seen)
            else:
                self.texts.append(line + "\0" + (read(self.build, os.path.join(directory, include.group(1).strip())) or ""))
        elif re.match(r"-e\b|--editable|\.{1,2}(/|$)|/|file:|[^\s@]+/", line) or "@ file:" in line or "@ ." in line:
            self.local = True
        elif line.startswith("-"):
            self.options.append(line)
        else:
            self.hashes = self.hashes or "--hash" in line
            self.lines.append(line)
