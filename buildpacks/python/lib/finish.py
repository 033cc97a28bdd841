"""Finishes an environment: drops what differs from build to build, compiles bytecode, lists packages, finds the web process.

Arguments: fresh|kept, the environment, BUILD_DIR, Django's directory, the source of packages.
Runs under the app's own Python, with -S -s and PYTHONHASHSEED=0.
"""

import glob
import importlib.util
import os
import sys

import web

# Fixed, so that the bytes do not depend on the number of processors.
SHARDS = 4
# PEP 552: bytecode that is found by the hash of its source, which is not checked.
UNCHECKED = (1).to_bytes(4, "little")
# uv's notes about when and from what it built; pip and importlib do not read them.
NOTES = ("uv_cache.json", "uv_build.json")


def tidy(environment, packages):
    for name in (".lock", ".gitignore", "CACHEDIR.TAG"):
        if os.path.lexists(os.path.join(environment, name)):
            os.unlink(os.path.join(environment, name))
    for info in glob.glob(glob.escape(packages) + "/*.dist-info"):
        noted = [name for name in NOTES if os.path.isfile(os.path.join(info, name))]
        if not noted:
            continue
        for name in noted:
            os.unlink(os.path.join(info, name))
        record = os.path.join(info, "RECORD")
        with open(record, encoding="utf-8") as file:
            kept = [line for line in file if not any("/" + name + "," in line for name in noted)]
        with open(record, "w", encoding="utf-8") as file:
            file.writelines(kept)


def compile_all(root):
    """Writes bytecode that is trusted without a look at its source: files of a slug have no dates to compare.

    Returns the exit status of a compiler that failed, below zero for a signal, or 0.
    """
    files = []
    for directory, directories, names in os.walk(root):
        directories[:] = [name for name in directories if name != "__pycache__"]
        paths = [os.path.join(directory, name) for name in names if name.endswith(".py")]
        drop_orphans(directory, set(names))
        files += [(-os.path.getsize(path), path) for path in paths if os.path.isfile(path) and not is_compiled(path)]
    files.sort()
    children = []
    import py_compile  # Slow to load, and not needed for a kept environment.

    for shard in range(SHARDS):
        child = os.fork()
        if child == 0:
            compile_some(py_compile, [path for _, path in files[shard::SHARDS]])
        children.append(child)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return next((status for status in statuses if status), 0)


def is_compiled(path):
    """Tells whether the bytecode is of this very source. The loader will not ask again, so nothing stale may stay."""
    try:
        with open(importlib.util.cache_from_source(path), "rb") as file:
            head = file.read(16)
        with open(path, "rb") as file:
            return head == importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(file.read())
    except OSError:
        return False


def drop_orphans(directory, names):
    """Removes bytecode whose source is gone, and directories that only held such."""
    cache = os.path.join(directory, "__pycache__")
    for compiled in os.listdir(cache) if os.path.isdir(cache) else ():
        if compiled.split(".", 1)[0] + ".py" not in names:
            os.unlink(os.path.join(cache, compiled))
    if os.path.isdir(cache) and not os.listdir(cache):
        os.rmdir(cache)


def compile_some(py_compile, paths):
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for path in paths:
        try:
            py_compile.compile(path, doraise=True, quiet=2, invalidation_mode=mode)
        except Exception:  # Templates and files for other Pythons; they fail where they are imported.
            continue
    os._exit(0)


def installed(packages):
    found = {}
    for metadata in glob.glob(glob.escape(packages) + "/*.dist-info/METADATA"):
        name = version = ""
        with open(metadata, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("Name:"):
                    name = line[5:].strip().lower().replace("_", "-")
                elif line.startswith("Version:"):
                    version = line[8:].strip()
                if not line.strip() or (name and version):
                    break
        found[name] = version
    return found


def main():
    state, environment, build, django, source = sys.argv[1:6]
    packages = os.path.join(environment, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    tidy(environment, packages)
    failed = compile_all(os.path.join(environment, "lib")) if state == "fresh" else 0
    if failed:
        how = f"was killed by signal {-failed}" if failed < 0 else f"ended with status {failed}"
        print("fail\tthe packages could not be compiled to bytecode: a compiler " + how)
        print("hint\tit may have needed more memory than a build may use; the platform's operator can raise the limit")
        return
    found = installed(packages)
    with open(os.path.join(environment, "packages"), "w", encoding="utf-8") as file:
        file.writelines(f"{name}\t{version}\n" for name, version in sorted(found.items()))
    chosen = web.choose(build, django, found, source)
    for key, value in chosen.items():
        print(key + "\t" + value.replace("\t", " ").replace("\n", " "))


main()
