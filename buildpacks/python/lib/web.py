"""Finds the web process of an app that names none: what to serve, with which server, and why."""

import ast
import glob
import os

ENTRIES = ["app.py", "wsgi.py", "asgi.py", "main.py", "server.py", "application.py", "api.py"]
NAMES = ["app", "application", "api", "server"]
FACTORIES = ["create_app", "make_app"]
ASGI = {"fastapi", "starlette", "litestar", "quart", "sanic", "blacksheep", "responder"}
WSGI = {"flask", "bottle", "falcon", "pyramid", "django", "dash", "pecan", "cherrypy", "werkzeug"}
BYTES_MAX = 1024 * 1024


def choose(build, django, packages, source):
    """Returns `web` and `why`, or `none` with the reason, or nothing to say."""
    if django and "django" in packages:
        found = django_project(build, django)
    else:
        found = entry(build)
    if found is None:
        return {"none": "no web process by default: no `app` was found in " + ", ".join(ENTRIES[:4]) + "; name one in a Procfile"}
    kind, target, options, why = found
    return command(kind, target, options, why, packages, source)


def django_project(build, django):
    root = os.path.join(build, django)
    found = sorted(glob.glob(glob.escape(root) + "/*/wsgi.py"))
    if not found:
        return None
    name = os.path.basename(os.path.dirname(found[0]))
    options = "" if django == "." else f"--chdir {django} "
    return "wsgi", f"{name}.wsgi", options, f"manage.py and {os.path.relpath(found[0], build)} found"


def entry(build):
    candidates = ENTRIES + sorted(os.path.relpath(path, build) for path in glob.glob(glob.escape(build) + "/*/__init__.py"))
    for name in candidates:
        tree = parse(os.path.join(build, name))
        if tree is None:
            continue
        kind = kind_of(tree, name)
        target = target_of(tree) if kind else None
        if target:
            module = name[:-3].replace("/__init__", "").replace("/", ".")
            what = "`%s()`" % target[:-2] if target.endswith("()") else f"`{target}`"
            return kind, f"{module}:{target}", "", f"{what} found in {name}"
    return None


def parse(path):
    try:
        with open(path, "rb") as file:
            return ast.parse(file.read(BYTES_MAX))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def kind_of(tree, name):
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    if imported & ASGI or name == "asgi.py":
        return "asgi"
    # A plain `app` in the root is taken for WSGI; in a package it may be anything.
    return "wsgi" if imported & WSGI or "/" not in name else None


def target_of(tree):
    names, functions = [], []
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names += [target.id for target in targets if isinstance(target, ast.Name)]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions.append(node.name)
        if isinstance(node, ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
    for name in NAMES:
        if name in names or name in functions:
            return name
    return next((name + "()" for name in FACTORIES if name in functions), None)


def command(kind, target, options, why, packages, source):
    factory = target.endswith("()")
    if kind == "asgi" and "uvicorn" in packages:
        flag = " --factory" if factory else ""
        return {"web": f"uvicorn {target.removesuffix('()') if factory else target}{flag} --host 0.0.0.0 --port $PORT", "why": f"{why}, uvicorn is installed"}
    if kind == "wsgi" and "gunicorn" in packages:
        shown = f"'{target}'" if factory else target
        return {"web": f"gunicorn {options}--bind 0.0.0.0:$PORT {shown}", "why": f"{why}, gunicorn is installed"}
    server = "uvicorn" if kind == "asgi" else "gunicorn"
    how = {"uv.lock": f"run `uv add {server}`", "poetry.lock": f"run `poetry add {server}`", "Pipfile.lock": f"run `pipenv install {server}`"}
    how = how.get(source) or f"add the line `{server}` to {source if source != 'none' else 'requirements.txt'}"
    return {"none": f"no web process by default: {why}, and {server} is not among the packages; {how}"}
