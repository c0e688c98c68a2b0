"""``ganfilters doctor``: what works on this machine, what does not, and the exact fix."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from ganfilters.cli._state import State, as_typed, one_line, pass_state, print_json
from ganfilters.errors import GanfiltersError, nearest

__all__ = ["Check", "command"]

_MARKS = {"ok": "ok     ", "missing": "--     ", "problem": "PROBLEM"}
_NVIDIA = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes
    ----------
    group
        ``"python"``, ``"libraries"``, ``"devices"``, ``"filters"``.
    name
        What was looked at.
    status
        ``"ok"``; ``"missing"``, which is no fault; ``"problem"``, which stops work.
    detail
        Version, or why not.
    fix
        What to do, as a command where there is one.
    """

    group: str
    name: str
    status: str
    detail: str = ""
    fix: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_state
def command(state: State, as_json: bool) -> int:
    """Check devices and libraries, and say how to fix them.

    Exit code 0 if filters can run here, 1 if something stops them.
    """
    checks = list(_checks(state))
    usable = not any(check.status == "problem" for check in checks)
    if as_json:
        print_json({"usable": usable, "checks": [asdict(check) for check in checks]}, indent=2)
        return 0 if usable else 1
    group = ""
    for check in checks:
        if check.group != group:
            group = check.group
            click.echo(f"{group.capitalize()}:")
        click.echo(f"  {_MARKS[check.status]}  {check.name:<22}  {check.detail}".rstrip())
        if check.fix:
            click.echo(f"  {'':7}  {'':22}  fix: {check.fix}")
    click.echo("everything needed works" if usable else "something stops filters from running")
    return 0 if usable else 1


def _checks(state: State) -> Iterator[Check]:
    """Run every check. One that breaks is a line of the report, not its end."""
    sections: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("python", _python),
        ("libraries", _libraries),
        ("devices", _devices),
        ("filters", lambda: _filters(state)),
    )
    for group, section in sections:
        try:
            yield from section()
        except Exception as error:  # noqa: BLE001 - a broken installation may raise anything
            text = f"{type(error).__name__}: {one_line(error)}"
            yield Check(group, group, "problem", text, _reinstall())


def pip(*words: str) -> str:
    """Return a pip command for the Python that runs now."""
    quoted = (f'"{word}"' if "[" in word or " " in word else word for word in words)
    return " ".join((f"{sys.executable} -m pip", *quoted))


def _reinstall() -> str:
    return pip("install", "--force-reinstall", "ganfilters")


def _python() -> Iterator[Check]:
    from ganfilters._version import __version__

    yield Check("python", "ganfilters", "ok", __version__)
    good = sys.version_info >= (3, 11)
    yield Check(
        "python",
        "Python",
        "ok" if good else "problem",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "" if good else "install Python 3.11 or later",
    )


def _libraries() -> Iterator[Check]:
    yield _onnxruntime()
    for name in ("numpy", "pillow", "imagecodecs", "tifffile", "pydantic", "pluggy", "rich"):
        yield _needed(name)
    yield _pillow_format("webp", "WebP")
    yield _pillow_format("avif", "AVIF")
    yield _optional("av", "MP4 and WebM", "ganfilters[video]", module="av")
    filling = "filling without a network"
    yield _optional("opencv-python-headless", filling, "ganfilters[classic]", module="cv2")
    yield _optional("pypatchmatch", filling, "ganfilters[classic]")
    yield _optional("torch", "training and export", "ganfilters[train]")


def _onnxruntime() -> Check:
    from ganfilters.devices import installed_onnxruntimes

    found = installed_onnxruntimes()
    names = [name for name, _ in found]
    detail = ", ".join(f"{name} {number}" for name, number in found)
    right = _onnxruntime_here()
    if not found:
        fix = pip("install", right)
        return Check("libraries", "onnxruntime", "problem", "not installed", fix)
    if len(found) > 1:
        # What one package's removal leaves behind is incomplete, so all go before one comes back.
        keep = right if right in names else names[0]
        fix = f"{pip('uninstall', '-y', *names)} && {pip('install', keep)}"
        both = f"{detail} overwrite each other's files"
        return Check("libraries", "onnxruntime", "problem", both, fix)
    import onnxruntime

    if not hasattr(onnxruntime, "InferenceSession"):
        broken = f"{detail} is incomplete"
        fix = f"{pip('uninstall', '-y', *names)} && {pip('install', *names)}"
        return Check("libraries", "onnxruntime", "problem", broken, fix)
    return Check("libraries", "onnxruntime", "ok", detail)


def _onnxruntime_here() -> str:
    """Return the package that pyproject.toml asks for on this machine."""
    machine = (sys.platform, platform.machine())
    gpu = machine in (("linux", "x86_64"), ("win32", "AMD64"))
    return "onnxruntime-gpu" if gpu else "onnxruntime"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _needed(name: str) -> Check:
    found = _installed(name)
    if found is None:
        return Check("libraries", name, "problem", "not installed", pip("install", name))
    return Check("libraries", name, "ok", found)


def _optional(name: str, purpose: str, extra: str, *, module: str = "") -> Check:
    """Check a library of an extra; it is imported by `module`, where that is quick."""
    found = _installed(name)
    try:
        if module:
            imported = import_module(module)
            found = found or getattr(imported, "__version__", "yes")  # from another distribution
    except Exception as error:  # noqa: BLE001 - a broken installation may raise anything
        if found is not None:
            text = f"{found} cannot be imported ({type(error).__name__}: {one_line(error)})"
            fix = pip("install", "--force-reinstall", extra)
            return Check("libraries", name, "missing", f"{text}; needed for {purpose} only", fix)
    if found is None:
        detail = f"not installed; needed for {purpose} only"
        return Check("libraries", name, "missing", detail, pip("install", extra))
    return Check("libraries", name, "ok", f"{found}, for {purpose}")


def _pillow_format(feature: str, name: str) -> Check:
    from PIL import features

    if features.check(feature):
        return Check("libraries", name, "ok", f"{features.version(feature) or 'yes'}, in pillow")
    detail = f"this pillow was built without {name}"
    fix = pip("install", "--force-reinstall", "--only-binary", "pillow", "pillow>=11.3")
    return Check("libraries", name, "missing", detail, fix)


def _devices() -> Iterator[Check]:
    from ganfilters.runtime import probe_devices

    for report in probe_devices():
        if report.available:
            yield Check("devices", report.name, "ok", report.provider)
            continue
        status = "problem" if report.name == "cpu" else "missing"
        fix = as_typed(report.fix)
        yield Check("devices", report.name, status, as_typed(report.problem), fix)
    driver = _nvidia_driver()
    if driver:
        yield Check("devices", "NVIDIA driver", "ok", driver)
    else:
        yield Check("devices", "NVIDIA driver", "missing", "none seen")


def _nvidia_driver() -> str:
    """Return GPUs and driver version, from nvidia-smi or the kernel; empty if there is none."""
    program = shutil.which("nvidia-smi")
    if program is not None:
        query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command
                query, capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.SubprocessError):
            done = None
        if done is not None and done.returncode == 0 and done.stdout.strip():
            return "; ".join(done.stdout.strip().splitlines())
    try:
        return _NVIDIA.read_text("utf-8", errors="replace").splitlines()[0]
    except (OSError, IndexError):
        return ""


def _filters(state: State) -> Iterator[Check]:
    from ganfilters.models import CARD_KEY
    from ganfilters.onnxfile import read_metadata

    registry = state.any_registry
    names = registry.names()
    if names:
        yield Check("filters", "filters", "ok", ", ".join(names))
    else:
        yield Check("filters", "filters", "problem", "none is usable", _no_filters(state))
    for entry in registry.entries():
        for model in entry.filter.models:
            try:
                model.verify()
                if CARD_KEY in read_metadata(model.path):  # files of others have no card
                    model.card_for(entry.filter.models_of or entry.filter.name)
            except GanfiltersError as broken:
                yield Check("filters", entry.filter.name, "problem", str(broken), _reinstall())
    yield from _plugins(state)


def _no_filters(state: State) -> str:
    """Return the fix where there is no filter at all."""
    if state.any_registry.left_out():
        return "ganfilters plugins"  # says for each how to load it
    return _reinstall()


def _plugins(state: State) -> Iterator[Check]:
    """Tell of plugins that are broken or left out, and of settings that cannot be used."""
    from ganfilters.registry import FIRST_PARTY, all_installed
    from ganfilters.settings import Settings, read_settings, settings_file

    if state.choice.problem:
        fix = "ganfilters --safe-mode works meanwhile"
        yield Check("filters", "settings", "problem", state.choice.problem, fix)
    if state.safe_mode:
        detail = "on; only plugins that ship with ganfilters are loaded"
        yield Check("filters", "safe mode", "ok", detail)
    installed = {source.distribution for source in all_installed()}
    for error in state.any_registry.errors():
        detail = f"{error.distribution}, {error.stage}: {error.message}"
        own = error.distribution == FIRST_PARTY
        fix = "mend it; `ganfilters --debug plugins` says more"  # a file, or a saved chain
        if error.distribution in installed:
            fix = f"update it, or ganfilters plugins --disable {error.plugin}"
        if own:
            fix = _reinstall()
        yield Check("filters", error.plugin, "problem" if own else "missing", detail, fix)
    for left in state.any_registry.left_out():
        if left.reason not in ("safe mode", "settings"):  # said above for all of them
            yield Check("filters", left.plugin, "missing", left.why, left.fix)
    try:
        settings = read_settings()
    except GanfiltersError:
        settings = Settings()  # told above where it matters
    for name in settings.others:
        detail = f"unknown setting in {settings_file()}"
        hint = nearest(name, ["disabled_plugins"], what="settings")
        yield Check("filters", name, "missing", detail, hint)
