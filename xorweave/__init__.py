"""Lossless fixed-to-fixed XOR codes for pruned neural-network weights, from encoder to gates.

>>> import numpy as np
>>> import xorweave as xw
>>> weights = np.random.default_rng(0).standard_normal((64, 128), np.float32)
>>> encoded = xw.encode({"fc1": weights}, dtype="int8", sparsity=0.9, goal="hardware")
>>> encoded["fc1"].decode().shape
(64, 128)

Nothing is loaded before it is used: importing this package costs what importing an empty one does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Where each name of the interface is: module, and the name there ("" for the module itself, which can be called).
_WHERE = {
    "InputError": ("golden.base.errors", "InputError"),
    "ToolError": ("golden.base.errors", "ToolError"),
    "Code": ("golden.code.code", "Code"),
    "encode": ("library.encoding", "encode"),
    "encodable": ("library.encodable", "encodable"),
    "open": ("library.stored", "open_container"),
    "verify": ("library.stored", "verify"),
    "Encoded": ("library.stored", "Encoded"),
    "StoredTensor": ("library.stored", "StoredTensor"),
    "matrix": ("library.products", "matrix"),
    "decoder": ("library.hardware", "decoder"),
    "Decoder": ("library.hardware", "Decoder"),
    "simulate": ("sim.simulate", "simulate"),
    "synth": ("synth", ""),
}

__all__ = [
    "Code", "Decoder", "Encoded", "InputError", "StoredTensor", "ToolError", "decoder", "encodable", "encode",
    "matrix", "open", "simulate", "synth", "verify",
]  # fmt: skip

if TYPE_CHECKING:
    from xorweave.golden.base.errors import InputError, ToolError
    from xorweave.golden.code.code import Code
    from xorweave.library.encodable import encodable
    from xorweave.library.encoding import encode
    from xorweave.library.hardware import Decoder, decoder
    from xorweave.library.products import matrix
    from xorweave.library.stored import Encoded, StoredTensor, verify
    from xorweave.library.stored import open_container as open
    from xorweave.sim.simulate import simulate
    from xorweave.synth.decoder_package import synthesize_decoder as synth


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _WHERE[name]
    found = importlib.import_module(f"{__name__}.{module}")
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
