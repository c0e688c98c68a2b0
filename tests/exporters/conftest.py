from __future__ import annotations

import functools

from torch.onnx._internal.exporter._registration import ONNXRegistry

# Each export collects the table of ONNX's counterparts of torch's operators anew, a tenth of the
# time of a tiny network's. It is always the same, and an export only reads it.
ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))  # type: ignore[method-assign]
