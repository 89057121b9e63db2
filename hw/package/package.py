"""Writes a decoder as a folder that needs no Python: Verilog, golden vectors, test bench, FuseSoC core, manifest."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from xorweave import __version__
from xorweave.golden.base.errors import InputError
from xorweave.golden.tensor.stream import EncodedTensor
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.vectors import Vectors, golden_vectors, required_patches, required_records
from xorweave.hw.package.verilog import structured_verilog
from xorweave.hw.stages.layouts import correction_bits, dense_corrections, patch_bits, position_bits
from xorweave.hw.xor.network import balanced_trees

MANIFEST = "manifest.json"
FORMAT = "xorweave-decoder"
FORMAT_VERSION = 1
TOP = "xorweave_decoder"


def config_for(tensor: EncodedTensor, **options: Any) -> DecoderConfig:
    """Return the configuration that decodes a tensor: its code, word width, inversion and most patches a block.

    Parameters
    ----------
    tensor : EncodedTensor
    **options
        Further fields of `DecoderConfig`, or other values for those.
    """
    gap_bits = options.get("gap_bits", 0)
    fitting: dict[str, Any] = {
        "code": tensor.code,
        "n_w": tensor.number_format.n_w,
        "patches_per_block": required_records(tensor, gap_bits) if gap_bits else required_patches(tensor),
        "inversion": tensor.inversion,
        "constant_planes": _removable(tensor.constant_planes, tensor.number_format.n_w),
        "transform": tensor.transform,
    }
    return DecoderConfig.raw(**{**fitting, **options})


def _removable(constant_planes: int, n_w: int) -> int:
    """Return the constant planes that need no hardware: all of them, but one plane stays in any case."""
    return constant_planes & ~1 if constant_planes == (1 << n_w) - 1 else constant_planes


def read_manifest(directory: Path | str) -> dict[str, Any]:
    """Read the manifest of a generated decoder.

    Raises
    ------
    InputError
        The folder holds none, or one of another version.
    """
    path = Path(directory) / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{directory} must be a folder that generate wrote, but has no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} must be a manifest that generate wrote: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path} must be the manifest of a generated decoder")
    if manifest.get("version") != FORMAT_VERSION:
        raise InputError(f"{path} must have version {FORMAT_VERSION}, not {manifest.get('version')!r}")
    return manifest


def _header(config: DecoderConfig) -> str:
    code, n_w = config.code, config.n_w
    network = config.network or balanced_trees(code.generator)
    lines = [
        f"Fixed-to-fixed XOR decoder, written by xorweave {__version__}.",
        "",
        f"Code         {code.spec}",
        f"Check value  {code.check_value} (CRC-32 of the sizes and the generator matrix)",
        f"Rate         {code.n_in} encoded bits to {code.n_out} bits of a plane, {n_w} planes side by side",
        f"History      {code.n_s} earlier symbols; an output depends on at most {code.constraint_length} bits",
        f"XOR network  {network.xor2} two-input XORs a plane, depth {network.depth}",
        f"Throughput   one block of {code.n_out} weights of {n_w} bits in every cycle in which all inputs are",
        "             valid and the output is ready, whatever the data",
        "",
        "Ports (AXI4-Stream; clk rising edge, rst synchronous and active high)",
        f"s_axis        {code.n_in * n_w} bits: one symbol; bit b*{n_w} + q is encoded bit b of plane q.",
        "              tuser marks the first symbol of a stream, tlast the last; a symbol after reset or after",
        "              tlast starts a stream even without tuser. A start clears the history, without a bubble.",
    ]
    if config.constant_planes:
        left_out = ", ".join(str(q) for q in range(n_w) if q not in config.stored_planes)
        lines.append(
            f"              Planes {left_out} are not in the payload: they decode to 0 without hardware."
        )
    if config.rates:
        rates = ", ".join(f"{k}: {n_in}" for k, n_in in enumerate(config.rates))
        lines += [
            f"s_axis_rate   with a stream's first symbol: how many of its {code.n_in} bits a plane are encoded ones",
            f"              ({rates}); the others are ignored. Taken for the whole stream.",
        ]
    if config.gap_bits:
        gap = config.gap_bits
        lines += [
            f"s_axis_patch  beats of up to {config.patches_per_block} records (tuser says how many); record p",
            f"              from bit {gap + n_w}*p: gap ({gap} bits, lowest), difference ({n_w} bits).",
            "              A record moves on by gap + 1 weights. tlast marks the tensor's last beat,",
            "              patch_restart begins the next tensor.",
        ]
    elif config.patches_per_block and dense_corrections(code.n_out, n_w, config.patches_per_block):
        lines += [
            f"s_axis_patch  {code.n_out * n_w} bits with every block: difference of word r from bit {n_w}*r."
        ]
    elif config.patches_per_block:
        lines += [
            f"s_axis_patch  one list of {config.patches_per_block} patches with every block; patch p from bit "
            f"{patch_bits(code.n_out, n_w)}*p:",
            f"              difference ({n_w} bits, lowest), position in the block "
            f"({position_bits(code.n_out)} bits), valid (1 bit).",
        ]
    if config.length_bits:
        lines += [
            f"stream_length {config.length_bits} bits: symbols of a stream. What a stream has more is dropped;",
            "              shorter and longer ones set stream_too_short and stream_too_long until stream_clear.",
        ]
    if config.inversion is None:
        lines.append(f"inversion     {n_w} bits: planes stored inverted; to be held still during a stream.")
    if config.mask:
        lines.append(f"s_axis_mask   {code.n_out} bits with every block: bit r is 1 if weight r is kept.")
    lines += [
        f"m_axis        {code.n_out * n_w} bits: one block; weight r in bits {n_w}*r and up. tuser and tlast as above.",
    ]
    stages = "symbols -> XOR network"
    if config.patches_per_block:
        stages += " -> xor differences"
    if config.inversion is None:
        stages += " -> xor inversion word"
    elif config.inversion:
        stages += f" -> xor inversion word 0x{config.inversion:x}"
    if config.transform != "none":
        stages += f" -> undo {config.transform}"
    if config.mask:
        stages += " -> mask"
    return "\n".join([*lines, "", f"Stages        {stages} -> weights"])


def decoder_verilog(config: DecoderConfig, top: str = TOP) -> str:
    """Write the Verilog of a decoder: the same configuration gives the same bytes."""
    return structured_verilog(AxisDecoder(config), top, header=_header(config))


def _patch_fields(config: DecoderConfig) -> list[tuple[str, int]]:
    """Return the pins of s_axis_patch that make a word of the vectors, lowest first, and their widths."""
    code, n_w, lanes = config.code, config.n_w, config.patches_per_block
    if not config.gap_bits:
        return [("s_axis_patch_tdata", correction_bits(code.n_out, n_w, lanes))]
    return [
        ("s_axis_patch_tdata", lanes * (config.gap_bits + n_w)),
        ("s_axis_patch_tuser", lanes.bit_length()),
        ("s_axis_patch_tlast", 1),
    ]


def _patch_word(config: DecoderConfig) -> int:
    """Return the width of a word of vectors/patches.hex, 0 without a correction stage."""
    return sum(width for _, width in _patch_fields(config)) if config.patches_per_block else 0


def _testbench(config: DecoderConfig, vectors: Vectors, inversion: int, segment_blocks: int, top: str) -> str:
    code, n_w = config.code, config.n_w
    blocks = vectors.blocks
    sources = [{"name": "symbol", "what": "symbols", "period": 4, "bit": 5, "count": blocks}]
    if config.mask:
        sources.append({"name": "mask", "what": "mask words", "period": 5, "bit": 9, "count": blocks})
    if config.patches_per_block:
        what = "records of patches" if config.gap_bits else "lists of patches"
        beats = len(vectors.patches)
        sources.append({"name": "patch", "what": what, "period": 6, "bit": 13, "count": beats})
    template = resources.files("xorweave.hw.package").joinpath("testbench.v.j2").read_text()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template).render(
        top=top,
        blocks=vectors.blocks,
        symbol_bits=code.n_in * n_w,
        block_bits=code.n_out * n_w,
        n_out=code.n_out,
        patch_bits=_patch_word(config),
        patch_beats=len(vectors.patches),
        patch_fields=_patch_fields(config),
        gap_bits=config.gap_bits,
        length_bits=config.length_bits,
        segment_blocks=segment_blocks,
        mask=config.mask,
        inversion=f"{n_w}'h{inversion:x}" if config.inversion is None else None,
        sources=sources,
    )


def core_description(top: str, files: list[str]) -> str:
    """Write the FuseSoC core description (CAPI2)."""
    hexes = "".join(f"      - {name}: {{file_type: user, copyto: {name}}}\n" for name in files)
    return f"""CAPI=2:
name: xorweave:decoder:{top}:{__version__}
description: Fixed-to-fixed XOR decoder for pruned neural-network weights

filesets:
  rtl:
    files:
      - rtl/{top}.v
    file_type: verilogSource-2005
  tb:
    files:
      - tb/{top}_tb.v: {{file_type: verilogSource-2005}}
{hexes}
targets:
  default: &default
    filesets: [rtl]
    toplevel: {top}
  lint:
    <<: *default
    default_tool: verilator
    tools:
      verilator:
        mode: lint-only
        verilator_options: [-Wall]
  sim:
    <<: *default
    filesets: [rtl, tb]
    toplevel: {top}_tb
    default_tool: icarus
    tools:
      icarus:
        iverilog_options: [-g2001]
      verilator:
        mode: binary
        verilator_options: [--timing]
"""


def hex_words(words: list[int], bits: int) -> str:
    """Write words as ``$readmemh`` reads them, one a line."""
    digits = (bits + 3) // 4
    return "".join(f"{word:0{digits}x}\n" for word in words)


def put_in_place(directory: Path, finished: Path) -> None:
    """Put a finished folder in its place, in place of an older package or of nothing."""
    old = None
    if directory.exists():
        old = finished.parent / "old"
        directory.rename(old)
    try:
        finished.rename(directory)
    except OSError:
        if old is not None:
            old.rename(directory)
        raise


def write_files(directory: Path, files: Mapping[str, str], manifest: Mapping[str, Any]) -> None:
    """Write a package, texts by their names and the manifest; the folder appears whole or stays as it was."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        finished = scratch / "new"
        for name, text in files.items():
            path = finished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (finished / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        put_in_place(directory, finished)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_package(
    directory: Path | str,
    config: DecoderConfig,
    tensor: EncodedTensor,
    *,
    tensor_name: str | None = None,
    seed: int | None = None,
    max_blocks: int | None = None,
    top: str = TOP,
) -> dict[str, Any]:
    """Write a decoder with its golden vectors into a folder, all or nothing.

    Parameters
    ----------
    directory : path
        Made new; an older package in it is replaced, anything else is left alone.
    config : DecoderConfig
        Must decode the tensor: the same code and word width, enough patches a block.
    tensor : EncodedTensor
        Gives the golden vectors.
    tensor_name : str, optional
        Recorded in the manifest.
    seed : int, optional
        Recorded in the manifest, if the tensor is a random one.
    max_blocks : int, optional
        Vectors for so many blocks at most.
    top : str
        Name of the top module.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    InputError
        The configuration does not decode the tensor, or the folder holds something else.
    """
    directory = Path(directory).absolute()
    code, n_w = config.code, config.n_w
    if tensor.code != code or tensor.number_format.n_w != n_w:
        raise InputError(
            f"the decoder must have the tensor's code {tensor.code.check_value} and word of "
            f"{tensor.number_format.n_w} bits, not {code.check_value} and {n_w}"
        )
    if tensor.blocks == 0:
        raise InputError("a decoder needs a tensor of at least one block for its golden vectors")
    if config.inversion is not None and config.inversion != tensor.inversion:
        raise InputError(
            f"the inversion word must be the tensor's, {tensor.inversion}, not {config.inversion}"
        )
    if config.constant_planes & ~tensor.constant_planes:
        raise InputError(
            f"the constant planes must be among the tensor's, {tensor.constant_planes:#x},"
            f" not {config.constant_planes:#x}"
        )
    if config.transform != tensor.transform:
        raise InputError(f"the transform must be the tensor's, {tensor.transform}, not {config.transform}")
    needed = required_records(tensor, config.gap_bits) if config.gap_bits else required_patches(tensor)
    if config.length_bits and tensor.segment_blocks >= 1 << config.length_bits:
        raise InputError(f"length_bits must hold {tensor.segment_blocks}, the blocks of a stream")
    if needed > config.patches_per_block > 0 or (needed and not config.patches_per_block):
        raise InputError(
            f"patches_per_block must be at least {needed} for this tensor, not {config.patches_per_block}"
        )
    if directory.exists() and (
        not directory.is_dir() or (any(directory.iterdir()) and not (directory / MANIFEST).exists())
    ):
        raise InputError(f"{directory} must be a new or empty folder, or one that generate wrote")

    vectors = golden_vectors(
        tensor,
        patches_per_block=config.patches_per_block,
        gap_bits=config.gap_bits,
        mask=config.mask,
        max_blocks=max_blocks,
    )
    files = {
        f"rtl/{top}.v": decoder_verilog(config, top),
        f"tb/{top}_tb.v": _testbench(config, vectors, tensor.inversion, tensor.segment_blocks, top),
        "vectors/symbols.hex": hex_words(vectors.symbols, code.n_in * n_w + 2),
        "vectors/weights.hex": hex_words(vectors.weights, code.n_out * n_w + 2),
    }
    if config.mask:
        files["vectors/masks.hex"] = hex_words(vectors.masks, code.n_out)
    if config.patches_per_block:
        bits = _patch_word(config)
        files["vectors/patches.hex"] = hex_words(vectors.patches, bits)
    files[f"{top}.core"] = core_description(top, [name for name in files if name.startswith("vectors/")])
    network = config.network or balanced_trees(code.generator)
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "generator": f"xorweave {__version__}",
        "top": top,
        "code": {
            "spec": code.spec,
            "check_value": code.check_value,
            "n_in": code.n_in,
            "n_out": code.n_out,
            "n_s": code.n_s,
            # row r in hexadecimal, column c being bit c: the proof needs the matrix, whatever made it
            "generator": [
                f"{int.from_bytes(np.packbits(row, bitorder='little').tobytes(), 'little'):x}"
                for row in code.generator
            ],
        },
        "n_w": n_w,
        "dtype": tensor.number_format.name,
        "patches_per_block": config.patches_per_block,
        "gap_bits": config.gap_bits,
        "length_bits": config.length_bits,
        "dense_corrections": not config.gap_bits
        and dense_corrections(code.n_out, n_w, config.patches_per_block),
        "network": {"xor2": network.xor2, "depth": network.depth},
        "inversion": config.inversion,
        "constant_planes": config.constant_planes,
        "transform": config.transform,
        "inversion_port": config.inversion is None,
        "patch_fields": _patch_fields(config) if config.patches_per_block else [],
        "mask": config.mask,
        "input_register": config.input_register,
        "output_register": config.output_register,
        "skid_buffers": config.skid_buffers,
        "max_depth": config.max_depth,
        "latency": config.latency,
        "verilog": [f"rtl/{top}.v"],
        "testbench": f"tb/{top}_tb.v",
        "core": f"{top}.core",
        "vectors": {
            "tensor": tensor_name,
            "seed": seed,
            "blocks": vectors.blocks,
            "tensor_blocks": tensor.blocks,
            "segment_blocks": tensor.segment_blocks,
            "inversion": tensor.inversion,
        },
        "files": sorted([*files, MANIFEST]),
    }
    write_files(directory, files, manifest)
    return manifest
