"""Decides what to install with which Python, and why. Installs nothing.

Arguments: BUILD_DIR, PINS, a directory for results, a text that stands for the tools, and the environment.
Prints lines `key TAB value` for bin/compile.
"""

import glob
import json
import os
import re
import sys

import web
from digest import digest
from requirements import Requirements, read
from versions import meets

try:
    import tomllib
except ImportError:
    tomllib = None

SOURCES = ["uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt", "pyproject.toml", "setup.py"]
WHY = {
    "uv.lock": "uv.lock holds exact versions",
    "poetry.lock": "poetry.lock holds exact versions",
    "Pipfile.lock": "Pipfile.lock holds exact versions",
    "requirements.txt": "requirements.txt lists them",
    "pyproject.toml": "pyproject.toml lists them",
    "setup.py": "setup.py lists them",
    "none": "nothing lists packages; the standard library is all there is",
}


def say(key, value):
    print(key + "\t" + re.sub(r"[\t\r\n]+", " ", str(value)))


def stop(reason, hint):
    say("fail", reason)
    say("hint", hint)
    sys.exit(0)


class Plan:
    def __init__(self, build, pins, results, tools, kept):
        self.build, self.pins, self.results, self.tools, self.kept = build, pins, results, tools, kept
        self.pyproject = self.toml("pyproject.toml")
        self.project = self.pyproject.get("project", {})

    def toml(self, name):
        text = read(self.build, name)
        if text is None or tomllib is None:
            return {}
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            stop(f"{name} is not valid TOML: {error}", f"correct {name}, commit, and push again")

    def pin(self, name, field):
        try:
            with open(os.path.join(self.pins, name, field), encoding="utf-8") as file:
                return file.read()
        except OSError:
            return ""

    # Where the packages come from.

    def source(self):
        present = [name for name in SOURCES if os.path.isfile(os.path.join(self.build, name))]
        if present and present[0] == "pyproject.toml" and not self.project:
            present = present[1:]
        listing = [name for name in present if name != "setup.py"]
        if not listing and os.path.isfile(os.path.join(self.build, "Pipfile")):
            stop("there is a Pipfile and no Pipfile.lock", "run `pipenv lock`, commit Pipfile.lock, and push again")
        chosen = present[0] if present else "none"
        companions = {"uv.lock": {"pyproject.toml"}, "poetry.lock": {"pyproject.toml"}}.get(chosen, set())
        others = [name for name in listing if name != chosen and name not in companions]
        if chosen == "requirements.txt" and not self.project.get("dependencies"):
            others = [name for name in others if name != "pyproject.toml"]
        say("kind", chosen)
        say("because", WHY[chosen])
        if others:
            verb = "is" if len(others) == 1 else "are"
            say("warn", f"{' and '.join(others)} {verb} not read, since {chosen} comes first; remove what is not meant")
        return chosen

    def of_kept(self, name):
        return read(self.kept, name) or ""

    def web(self, django, kind):
        """Finds the web process among the packages of the kept environment."""
        packages = dict(line.split("\t") for line in self.of_kept("packages").splitlines())
        for key, value in web.choose(self.build, django, packages, kind).items():
            say(key, value)

    # Which Python.

    def request(self, kind):
        text = read(self.build, ".python-version")
        lines = [line.strip() for line in (text or "").splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        if lines:
            wanted = re.sub(r"^(python-|cpython-)", "", lines[0])
            if not re.fullmatch(r"3(\.\d+){0,2}", wanted):
                stop(f".python-version asks for `{lines[0][:60]}`, which is not a version of Python", "write a version such as 3.11")
            return wanted, ".python-version"
        text = read(self.build, "runtime.txt")
        if text and text.strip():
            wanted = text.strip()
            if not re.fullmatch(r"python-3(\.\d+){1,2}", wanted):
                stop(f"runtime.txt asks for `{wanted[:60]}`", "write a .python-version file with a version such as 3.11")
            say("warn", f"runtime.txt is a thing of the past: move `{wanted[7:]}` to a file .python-version")
            return wanted[7:], "runtime.txt"
        return self.request_of_project(kind)

    def request_of_project(self, kind):
        if kind == "Pipfile.lock":
            try:
                requires = json.loads(read(self.build, kind) or "{}").get("_meta", {}).get("requires", {})
            except ValueError as error:
                stop(f"Pipfile.lock is not valid JSON: {error}", "run `pipenv lock` and commit the result")
            wanted = requires.get("python_full_version") or requires.get("python_version") or ""
            return wanted, kind if wanted else ""
        wanted = self.project.get("requires-python", "")
        if not wanted:
            wanted = self.pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python", "")
        return (str(wanted), "pyproject.toml") if wanted else ("", "")

    def stack(self):
        """Returns the stack's Pythons, the default one first: pairs of version and path."""
        yield "%d.%d.%d" % sys.version_info[:3], "/usr/bin/python3"
        for path in sorted(glob.glob("/usr/bin/python3.[0-9]*"), reverse=True):
            if re.fullmatch(r".*/python3\.\d+", path) and os.path.realpath(path) != os.path.realpath("/usr/bin/python3"):
                import subprocess  # Slow to load and seldom needed.

                told = subprocess.run([path, "-V"], capture_output=True, text=True, check=False).stdout
                yield told.replace("Python", "").strip(), path

    def python(self, kind):
        wanted, origin = self.request(kind)
        stack = []
        pinned = self.pin("python", "version")
        holds = pinned and self.pin("python", "requested") == wanted and (not wanted or meets(pinned, wanted))
        if pinned and not holds:
            say("note", f"Python {pinned} was pinned; the source asks for `{wanted or 'no version'}` now, so it is chosen anew")
        for version, path in self.stack():
            stack.append(version)
            if version == pinned if holds else meets(version, wanted):
                return self.use(version, path, wanted, origin, bool(holds))
        if holds:
            minor = ".".join(pinned.split(".")[:2])
            for version, path in self.stack():
                if meets(version, minor):
                    say("warn", f"Python {pinned} was pinned and is not on this stack any more: {version} is used and pinned instead")
                    return self.use(version, path, wanted, origin, False)
        # Not on the stack: uv fetches one.
        say("stack", ", ".join(stack))
        return self.use(pinned if holds else self.fetchable(wanted), "", wanted, origin, bool(holds))

    def fetchable(self, wanted):
        exact = re.search(r"(?:==|^|~=|\^|~|>=)\s*(3(?:\.\d+){1,2})", wanted)
        return wanted if not exact or "," in wanted else exact.group(1)

    def use(self, version, path, wanted, origin, pinned):
        origin = origin or ("an earlier build" if pinned else "the stack's default")
        for key, value in [("version", version), ("path", path), ("request", wanted), ("origin", origin)]:
            say("python_" + key, value)
        say("python_pinned", "yes" if pinned else "no")
        return version

    # What exactly is installed, as far as it is known before.

    def packages(self, kind, python):
        inputs, local, locked = self.inputs(kind)
        requested = digest(kind, *inputs)
        held = self.pin("python-packages", "version")
        fits = True
        if not locked and kind != "none":
            fits = bool(held) and self.pin("python-packages", "requested") == requested
        if not locked and kind != "none" and held:
            with open(os.path.join(self.results, "resolution"), "w", encoding="utf-8") as file:
                file.write(held.rstrip("\n") + "\n")
            say("resolution", "pinned" if fits else "outdated")
        if "file:///" in held:
            local = True
        say("requested", requested)
        say("locked", "yes" if locked else "no")
        say("local", "yes" if local else "no")
        fingerprint = digest(self.tools, python, kind, requested if locked else held.rstrip("\n"))
        say("fingerprint", fingerprint)
        return fits and not local and fingerprint == self.of_kept("fingerprint")

    def inputs(self, kind):
        if kind == "none":
            return [], False, True
        if kind == "requirements.txt":
            found = Requirements(self.build, kind)
            with open(os.path.join(self.results, "options"), "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in found.options))
            if not found.exact and not found.hashes:
                say("unpinned", "yes")
            return found.texts, found.local, found.hashes
        project = json.dumps(
            [self.project, self.pyproject.get("build-system"), self.pyproject.get("dependency-groups"), self.pyproject.get("tool", {}).get("uv")],
            sort_keys=True,
            default=str,
        )
        if kind == "pyproject.toml":
            say("unpinned", "yes")
            return [project], "sources" in self.pyproject.get("tool", {}).get("uv", {}), False
        text = read(self.build, kind) or ""
        if kind == "setup.py":
            return [text, read(self.build, "setup.cfg") or ""], False, False
        local = {"uv.lock": r'source = \{ (directory|path) =', "poetry.lock": r'type = "(directory|file)"', "Pipfile.lock": r'"path":'}
        return [text, "" if kind == "Pipfile.lock" else project], bool(re.search(local[kind], text)), True

    def is_package(self, kind):
        """Tells whether the source itself is a package to install."""
        if kind == "setup.py":
            return True
        uv = self.pyproject.get("tool", {}).get("uv", {})
        if kind == "poetry.lock":
            poetry = self.pyproject.get("tool", {}).get("poetry", {})
            name = re.sub(r"[-.]+", "_", str(self.project.get("name") or poetry.get("name") or "")).lower()
            there = any(os.path.isdir(os.path.join(self.build, base, name)) for base in ("", "src"))
            return bool(name) and poetry.get("package-mode", True) and (there or "packages" in poetry)
        if kind in ("uv.lock", "pyproject.toml"):
            return bool(self.project) and uv.get("package", "build-system" in self.pyproject)
        return False

    def django(self):
        for manage in ["manage.py"] + sorted(glob.glob(os.path.join(glob.escape(self.build), "*", "manage.py")))[:1]:
            if os.path.isfile(os.path.join(self.build, manage)):
                return os.path.relpath(os.path.join(self.build, os.path.dirname(manage)), self.build)
        return ""


def main():
    plan = Plan(*sys.argv[1:6])
    kind = plan.source()
    python = plan.python(kind)
    kept = plan.packages(kind, python)
    django = plan.django()
    say("project", "yes" if plan.is_package(kind) else "no")
    say("project_name", plan.project.get("name", ""))
    say("django", django)
    if kept:
        say("kept", "yes")
        plan.web(django, kind)


main()
