"""``ganfilters new-plugin``: a small installable package with one filter that works as written.

`names` checks what it is to be called, `probe` finds out what an ONNX model takes and makes by
running it, `wiring` puts that into Python, and `render` fills the templates and writes the files.
"""

from __future__ import annotations

__all__: list[str] = []
