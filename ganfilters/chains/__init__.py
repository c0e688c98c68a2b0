"""`Chain`: filters one after the other, as data; read from TOML, from a recipe, or made in Python.

.. code-block:: toml

    title = "Dusk"
    summary = "A deep dream of the sky under a light touch of noise"

    [[step]]
    filter = "dream"
    preset = "eyes"
    octaves = 3
    mask = "sky.png"
    feather = 20

    [[step]]
    filter = "noise"
    strength = 0.3

    [params.depth]
    step = 1
    param = "octaves"
    description = "How deep the dream goes"

A step has a filter's parameters by name, ``preset``, and the host's own ``mask``, ``invert-mask``,
``feather`` and ``strength``. In place of ``filter`` it may hold steps of its own
(``[[step.step]]``), on which mask and strength act together. Paths are relative to the file; a mask
is resized to the picture. ``[params.NAME]`` makes a parameter of a step one of the chain: type,
bounds and default are the step's.
"""

from __future__ import annotations

from ganfilters.chains.data import Chain, ChainParam, ChainStep

__all__ = ["Chain", "ChainParam", "ChainStep"]
