"""Checks of a plugin's source: what it imports, and what importing it costs."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import ganfilters
import ganfilters.testing
from ganfilters.testing.subject import Subject, expect

__all__ = ["FORBIDDEN_AT_IMPORT", "check_light_import", "check_public_names", "private_names"]

FORBIDDEN_AT_IMPORT = ("torch", "torchvision", "tensorflow", "jax", "onnxruntime", "onnx")
"""Packages that a plugin must not import before it is used."""

# The first import compiles, and other programs may get in the way: the best of these counts.
_IMPORTS = 3
_IMPORT_TIMEOUT = 60.0

_SCRIPT = """
import importlib, importlib.util, json, socket, sys, time
job = json.loads(sys.argv[1])
sys.path[:] = job["path"]
import numpy, pydantic, ganfilters
for name in ganfilters.__all__:
    getattr(ganfilters, name)
tried = []
def refuse(*args, **options):
    tried.append(repr(args[-1] if args else options))
    raise OSError("no network at import")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse
before = set(sys.modules)
started = time.process_time()
failure = ""
try:
    if job["file"]:
        spec = importlib.util.spec_from_file_location("checked_plugin", job["file"])
        module = importlib.util.module_from_spec(spec)
        sys.modules["checked_plugin"] = module
        spec.loader.exec_module(module)
    else:
        importlib.import_module(job["module"])
except BaseException as error:
    failure = f"{type(error).__name__}: {error}"
seconds = time.process_time() - started
new = {name.partition(".")[0] for name in set(sys.modules) - before}
heavy = [name for name in job["forbidden"] if name in new]
own = {job["module"].partition(".")[0], "checked_plugin"}
others = sorted(new - set(sys.stdlib_module_names) - own)
found = {"seconds": seconds, "heavy": heavy, "others": others, "tried": tried, "failure": failure}
print("\\n" + json.dumps(found))
"""


def check_light_import(subject: Subject) -> str:
    """Check that importing the plugin is quick, loads no deep-learning library and no network.

    The time is the processor's, in a process of its own that has numpy, pydantic and this package
    loaded already: what the plugin adds.
    """
    if subject.is_chain:
        return "a chain has no code"
    module = subject.filter.__module__
    if module == "__main__":
        return "not checked: the class is in __main__"
    # A plugin loaded from a file has a module name that only this process knows.
    file = inspect.getfile(subject.filter) if module.startswith("ganfilters_file_") else ""
    job = {
        "path": [str(Path(entry or ".").resolve()) for entry in sys.path],
        "module": module,
        "file": file,
        "forbidden": FORBIDDEN_AT_IMPORT,
    }
    found = _import_alone(module, job)
    for _ in range(_IMPORTS - 1):
        if found["seconds"] <= subject.import_seconds:
            break
        found = min(found, _import_alone(module, job), key=lambda one: float(one["seconds"]))
    expect(
        not found["tried"],
        f"importing {module} opens a connection ({', '.join(found['tried'])}); ship what is needed "
        "in the package, or fetch it on request only",
    )
    expect(not found["failure"], f"importing {module} failed: {found['failure']}")
    expect(
        not found["heavy"],
        f"importing {module} imports {', '.join(found['heavy'])}, which every listing of filters "
        "would wait for; import it in the function that uses it, and run networks with "
        "self.runtime.session(model)",
    )
    others = ", ".join(name for name in found["others"] if not name.startswith("_"))
    expect(
        found["seconds"] <= subject.import_seconds,
        f"importing {module} takes {found['seconds']:.2f} s of its own, over "
        f"{subject.import_seconds:g} s"
        + (f"; it loads {others}: import those in the function that uses them" if others else "")
        + "; build tables in __init__, which runs before the first use only",
    )
    return f"{found['seconds'] * 1000:.0f} ms"


def _import_alone(module: str, job: dict[str, Any]) -> dict[str, Any]:
    """Import a plugin in a process of its own and return what was seen."""
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, and a script of our own
            [sys.executable, "-c", _SCRIPT, json.dumps(job)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_IMPORT_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise AssertionError(
            f"importing {module} is not done after {_IMPORT_TIMEOUT:g} s; an import must not wait"
        ) from None
    expect(done.returncode == 0, f"importing {module} ended Python: {done.stderr.strip()[-300:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def check_public_names(subject: Subject) -> str:
    """Check that the plugin's sources use the public names of ganfilters only."""
    if subject.is_chain:
        return "a chain has no code"
    problems = []
    files = list(_sources(subject))
    for path in files:
        text = path.read_text("utf-8")
        problems += [f"{path.name}:{line} {what}" for line, what in private_names(text)]
    expect(
        not problems,
        f"private names are used: {'; '.join(problems[:5])}; what plugins may use is in "
        "ganfilters.__all__: from ganfilters import ...",
    )
    return ""


def private_names(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every use of a private part of ganfilters.

    Examples
    --------
    >>> list(private_names("from ganfilters.host import Host"))
    [(1, 'from ganfilters.host import Host')]
    >>> list(private_names("from ganfilters import Host"))
    []
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and not node.level:
            public = {home.__name__: home.__all__ for home in (ganfilters, ganfilters.testing)}
            module = node.module or ""
            if module.partition(".")[0] != "ganfilters":
                continue
            allowed = {"testing", *public.get(module, ())} if module in public else set()
            for alias in node.names:
                if alias.name not in allowed:
                    yield node.lineno, f"from {module} import {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("ganfilters.") and alias.name != "ganfilters.testing":
                    yield node.lineno, f"import {alias.name}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            known = {*ganfilters.__all__, "testing", "__name__", "__file__"}
            if node.value.id == "ganfilters" and node.attr not in known:
                yield node.lineno, f"ganfilters.{node.attr}"
        elif isinstance(node, ast.Call) and _imports_private(node):
            yield node.lineno, ast.unparse(node)


def _imports_private(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else None
    name = call.func.id if isinstance(call.func, ast.Name) else name
    first = call.args[0] if call.args else None
    return (
        name in ("import_module", "__import__")
        and isinstance(first, ast.Constant)
        and str(first.value).startswith("ganfilters.")
        and first.value != "ganfilters.testing"
    )


def _sources(subject: Subject) -> Iterator[Path]:
    """Yield the files of the plugin's import package, or its only file."""
    own = Path(inspect.getfile(subject.filter))
    module = subject.filter.__module__
    if not subject.package and (module == "__main__" or module.startswith("ganfilters_file_")):
        yield own
        return
    package = import_module(subject.package or module.partition(".")[0])
    folders = list(getattr(package, "__path__", ()))
    if not folders:
        yield Path(inspect.getfile(package))
    for folder in folders:
        yield from sorted(Path(folder).rglob("*.py"))
