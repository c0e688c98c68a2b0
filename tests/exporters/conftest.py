from __future__ import annotations

# Sets up what makes exports of tiny networks take less time.
from .. import exported  # noqa: F401
