"""Importing one plugin and calling its hook, in limited time, whatever it does.

A plugin that is not first-party is imported in a daemon thread of its own. Python holds one import
lock for each module, so a thread that hangs holds up only those who import the very modules that it
is importing; the caller stops waiting after the limit and goes on without the plugin.

pluggy stops a whole hook call when one implementation raises, so each plugin has a manager of its
own, and each implementation is called here on its own.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import pluggy

from ganfilters import hookspecs
from ganfilters.errors import PluginError
from ganfilters.registry._sources import CHAIN, COMMANDS_GROUP, FILTERS_GROUP, Source
from ganfilters.settings import IMPORT_TIMEOUT_VARIABLE

__all__ = ["Hook", "LoadError", "Loaded", "Notify", "any_import_runs", "load", "load_error"]

Hook = Literal["ganfilters_filters", "ganfilters_commands"]
Notify = Callable[[str], None]
_Result = TypeVar("_Result")

_GROUPS: dict[Hook, str] = {
    "ganfilters_filters": FILTERS_GROUP,
    "ganfilters_commands": COMMANDS_GROUP,
}
_STAGES: dict[Hook, str] = {"ganfilters_filters": "filters", "ganfilters_commands": "commands"}

NOTICE_SECONDS = 2.0
"""After this time the user is told what is being waited for."""

_SLICE_SECONDS = 0.2
"""Windows does not hear Ctrl-C while it waits for a lock."""


@dataclass(frozen=True)
class LoadError:
    """One plugin, or one of its filters, that could not be used.

    Attributes
    ----------
    stage
        ``"import"``, ``"register"`` (hooks missing or with wrong signatures), ``"filters"`` or
        ``"commands"`` (the hook raised), or ``"check"`` (a filter breaks its contract, or a name is
        taken).
    message
        One line.
    traceback
        The whole story, for ``--debug``; of an import that hangs, where it hangs.
    seconds
        How long it took to fail.
    """

    plugin: str
    distribution: str
    stage: str
    message: str
    traceback: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Loaded(Generic[_Result]):
    """What a plugin's hook returned, and the seconds that import and hook took."""

    value: _Result
    seconds: float


@dataclass
class _Attempt(Generic[_Result]):
    """One plugin on its way from import to the result of its hook."""

    source: Source
    hook: Hook
    call: Callable[[Callable[..., Any]], _Result]
    stage: str = "import"
    started: float = field(default_factory=time.perf_counter)
    value: list[_Result] = field(default_factory=list)
    error: BaseException | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Import the plugin and call its hook."""
        manager = pluggy.PluginManager("ganfilters")
        manager.add_hookspecs(hookspecs)
        plugin = self.source.load()
        self.stage = "register"
        manager.register(plugin, self.source.name)
        manager.check_pending()
        found = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
        _check_hooks(self.source, self.hook, plugin, found)
        self.stage = _STAGES[self.hook]
        for implementation in getattr(manager.hook, self.hook).get_hookimpls():
            self.value.append(self.call(implementation.function))

    def run_caught(self) -> None:
        """Run in a thread; there not even KeyboardInterrupt can be the user's."""
        try:
            self.run()
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
            self.error = error
        finally:
            self.over.set()

    def seconds(self) -> float:
        return time.perf_counter() - self.started


# Imports belong to the process, so this does too: a second registry need not wait for a plugin that
# has been seen to hang, and the process knows at its end that a thread has to be left behind.
_running: dict[tuple[str, str], tuple[threading.Thread, float]] = {}


def any_import_runs() -> bool:
    """Return whether a plugin is still being imported in a thread."""
    return any(thread.is_alive() for thread, _ in list(_running.values()))


def load(
    source: Source,
    hook: Hook,
    call: Callable[[Callable[..., Any]], _Result],
    *,
    limit: float | None,
    notify: Notify | None = None,
) -> Loaded[list[_Result]] | LoadError:
    """Import a plugin and call one hook of it; what goes wrong is returned.

    Parameters
    ----------
    source
        The plugin.
    hook
        The hook. A plugin from a file may have only the other one.
    call
        Given the plugin's implementation of the hook, calls it.
    limit
        Seconds until the plugin is given up; None for no limit, and then it is imported in the
        calling thread, as first-party plugins always are.
    notify
        Called with one line when the plugin is slow. It is a command line's, whose standard output
        is its own: what the plugin prints meanwhile goes to standard error.
    """
    if notify is None:
        return _load(source, hook, call, limit, None)
    with contextlib.redirect_stdout(sys.stderr):
        return _load(source, hook, call, limit, notify)


def _load(
    source: Source,
    hook: Hook,
    call: Callable[[Callable[..., Any]], _Result],
    limit: float | None,
    notify: Notify | None,
) -> Loaded[list[_Result]] | LoadError:
    attempt = _Attempt(source, hook, call)
    # A chain is data, and is made from filters that the calling thread has loaded.
    if source.first_party or source.origin == CHAIN or limit is None:
        try:
            attempt.run()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
            attempt.error = error
    else:
        late = _run_in_thread(attempt, limit, notify)
        if late is not None:
            return late
    if attempt.error is not None:
        return load_error(source, attempt.stage, attempt.error, attempt.seconds())
    return Loaded(attempt.value, attempt.seconds())


def _run_in_thread(attempt: _Attempt[Any], limit: float, notify: Notify | None) -> LoadError | None:
    source = attempt.source
    key = (source.name, source.distribution)
    thread, started = _running.get(key, (None, 0.0))
    if thread is not None and thread.is_alive() and time.perf_counter() - started > limit:
        return _late(attempt, thread, limit, time.perf_counter() - started)
    thread = threading.Thread(
        target=contextvars.copy_context().run,
        args=(attempt.run_caught,),
        name=f"import of plugin {source.name}",
        daemon=True,
    )
    _running[key] = (thread, attempt.started)
    thread.start()
    while not attempt.over.wait(max(0.0, min(_SLICE_SECONDS, limit - attempt.seconds()))):
        if attempt.seconds() >= limit:
            return _late(attempt, thread, limit, attempt.seconds())
        if notify is not None and attempt.seconds() >= NOTICE_SECONDS:
            notify(
                f"still waiting for the plugin {source.name} ({source.distribution}), for up to "
                f"{limit:g} s"
            )
            notify = None
    _running.pop(key, None)
    return None


def _late(
    attempt: _Attempt[Any], thread: threading.Thread, limit: float, seconds: float
) -> LoadError:
    """Return the error of a plugin that is given up, with where it hangs."""
    what = "import" if attempt.stage in ("import", "register") else f"{attempt.hook}()"
    frame = sys._current_frames().get(thread.ident or 0)
    return LoadError(
        attempt.source.name,
        attempt.source.distribution,
        attempt.stage,
        f"{what} took longer than {limit:g} s; {IMPORT_TIMEOUT_VARIABLE} sets another limit",
        "".join(traceback.format_stack(frame)) if frame is not None else "",
        seconds,
    )


def _check_hooks(source: Source, hook: Hook, plugin: object, found: set[str]) -> None:
    """Raise unless the plugin has the hook that it is loaded for."""
    if hook in found or (source.origin == "file" and found):
        return
    for name in _GROUPS:
        if name not in found and callable(getattr(plugin, name, None)):
            raise PluginError(f"{name}() is not marked with @hookimpl")
    if found:
        other: Hook = (
            "ganfilters_commands" if hook == "ganfilters_filters" else "ganfilters_filters"
        )
        raise PluginError(
            f"it has {other}() and no {hook}(); its entry point belongs in the group "
            f"{_GROUPS[other]!r}"
        )
    raise PluginError(
        "it has no hook; write a function ganfilters_filters() that returns Filter classes, and "
        "mark it with @hookimpl"
    )


def load_error(source: Source, stage: str, error: BaseException, seconds: float = 0.0) -> LoadError:
    """Return an exception as a value."""
    text = " ".join(str(error).split())
    plain = isinstance(error, PluginError)
    return LoadError(
        plugin=source.name,
        distribution=source.distribution,
        stage=stage,
        message=text if plain else f"{type(error).__name__}: {text}".rstrip(": "),
        traceback="".join(traceback.format_exception(error)),
        seconds=seconds,
    )
