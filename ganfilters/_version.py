"""The one place that states the version (read by hatchling)."""

__version__ = "0.1.0"
