"""Discovery of plugins. A broken plugin is a value (`LoadError`), never a crash.

Plugins are found through two entry-point groups: ``ganfilters`` for modules with filters, and
``ganfilters.commands`` for modules with commands. They are apart because ``ganfilters --help`` has
to import every module that may add a command, and must not import every filter for that.
"""

from __future__ import annotations

from ganfilters.registry._choice import Choice, LeftOut, all_installed, unknown_plugin
from ganfilters.registry._commands import Commands
from ganfilters.registry._contract import RESERVED, check_class
from ganfilters.registry._filters import Entry, PluginInfo, Registry
from ganfilters.registry._loading import LoadError, any_import_runs
from ganfilters.registry._sources import COMMANDS_GROUP, FILTERS_GROUP, FIRST_PARTY, Source

__all__ = [
    "COMMANDS_GROUP",
    "FILTERS_GROUP",
    "FIRST_PARTY",
    "RESERVED",
    "Choice",
    "Commands",
    "Entry",
    "LeftOut",
    "LoadError",
    "PluginInfo",
    "Registry",
    "Source",
    "all_installed",
    "any_import_runs",
    "check_class",
    "unknown_plugin",
]
