"""``xorweave generate``: a decoder in Verilog with golden vectors, test bench and FuseSoC core."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xorweave.commands.console import print_json, say, tell
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.printable import printable

if TYPE_CHECKING:
    from xorweave.golden.base.number_format import NumberFormat
    from xorweave.golden.choose.code_choice import CodeChoice
    from xorweave.golden.code.code import Code
    from xorweave.golden.tensor.stored import EncodedTensor
    from xorweave.hw.package.stream_design import StreamDesign
    from xorweave.hw.xor.network import XorNetwork

ENGINE = "engine"  # decoder and multiply-accumulate lanes of one matrix


def generate(
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write")],
    src: Annotated[
        Path | None, typer.Argument(help="A container written by encode; or give --code instead")
    ] = None,
    tensor: Annotated[
        str | None,
        typer.Option(
            help="Which tensor of the container; default: one decoder for all, or the largest where there is none"
        ),
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="A code as for encode; its vectors are random, from --seed")
    ] = None,
    dtype: Annotated[str, typer.Option(help="With --code: the weights' number format")] = "int8",
    planes: Annotated[
        int | None,
        typer.Option(
            help="With --code: so many planes side by side, whatever they mean, in place of --dtype"
        ),
    ] = None,
    sparsity: Annotated[float, typer.Option(help="With --code: share of zeros in the random mask")] = 0.9,
    patches: Annotated[
        int | None,
        typer.Option(
            help="Patches a block; default: what the tensor needs (with --code 0: no correction stage)"
        ),
    ] = None,
    blocks: Annotated[int, typer.Option(help="Golden vectors for so many blocks at most")] = 20000,
    mask: Annotated[bool, typer.Option("--mask/--no-mask", help="Mask stage")] = True,
    inversion_port: Annotated[
        bool, typer.Option("--inversion-port", help="The inversion word as a port, not a constant")
    ] = False,
    input_register: Annotated[
        bool,
        typer.Option("--input-register/--no-input-register", help="Hold the newest symbol in a register"),
    ] = True,
    output_register: Annotated[
        bool, typer.Option("--output-register", help="Hold the weights in a register")
    ] = False,
    network: Annotated[
        str, typer.Option(help="XOR network: shared (sums made once) or plain (a tree for every output)")
    ] = "shared",
    decoder: Annotated[
        str,
        typer.Option(
            help="xor; bounded (corrections as the bounded format stores them); plane-serial; segments (several at"
            " once); engine (decoder, multipliers and adders of a tensor stored with --scan lanes); or a baseline:"
            " bitmap, relative-index, huffman. A --code with rates=A/B/... makes one decoder for several rates"
        ),
    ] = "xor",
    segments: Annotated[int, typer.Option(help="With --decoder segments: how many at once")] = 2,
    lanes: Annotated[
        int | None,
        typer.Option(help="With a baseline: values or entries a cycle; default: a block's mean and one more"),
    ] = None,
    effort: Annotated[int, typer.Option(help="Search for a smaller shared network: 0 to 3")] = 0,
    depth_limit: Annotated[
        int | None, typer.Option(help="Most two-input XORs in a row in a shared network")
    ] = None,
    max_depth: Annotated[
        int | None, typer.Option(help="Cut the network into pipeline stages of so many two-input XORs")
    ] = None,
    gap_bits: Annotated[
        int, typer.Option(help="Take corrections as gap-coded records with gaps of so many bits; 0: as lists")
    ] = 0,
    length_bits: Annotated[
        int, typer.Option(help="Guard streams of up to 2^N - 1 symbols against a wrong length; 0: no guard")
    ] = 0,
    skid_buffers: Annotated[
        bool, typer.Option("--skid-buffers", help="Cut the ready paths of all inputs")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the random vectors and of the code, with --code")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as one JSON object")] = False,
) -> None:
    """Generate a decoder: Verilog, golden vectors, Python-free self-checking test bench, FuseSoC core."""
    from xorweave.golden.base.number_format import number_format, plane_words
    from xorweave.hw.package.decoder_kinds import DECODERS, design_for
    from xorweave.hw.package.package import check_replaceable, write_design
    from xorweave.hw.package.vectors import required_patches

    if (src is None) == (code is None):
        raise InputError("generate must be given either a container or --code")
    if network not in ("shared", "plain"):
        raise InputError(f"--network must be shared or plain, not {network!r}")
    if blocks < 1:
        raise InputError(f"--blocks must be at least 1, not {blocks}")
    if not 0 <= sparsity < 1:
        raise InputError(f"--sparsity must be at least 0 and below 1, not {sparsity}")
    if decoder not in (*DECODERS, ENGINE):
        raise InputError(f"--decoder must be one of {', '.join((*DECODERS, ENGINE))}, not {decoder!r}")
    check_replaceable(out)  # before the work, not after it
    if decoder == ENGINE:
        return _engine(src, tensor, out, as_json)
    name = None
    used_seed = None
    design: StreamDesign | None = None
    choice = _choice(src, code, seed)
    if src is not None:
        name, encoded = _pick(src, tensor)
    else:
        assert choice is not None
        kind = number_format(dtype) if planes is None else plane_words(planes)
        encoded = _random(choice, kind, sparsity, patches, blocks, seed)
        used_seed = seed
    options: dict[str, Any] = {
        "mask": mask,
        "input_register": input_register,
        "output_register": output_register,
        "skid_buffers": skid_buffers,
        "max_depth": max_depth,
        "length_bits": length_bits,
        "inversion_port": inversion_port,
        "patches_per_block": patches,
        "network_of": _network(network, effort, depth_limit, seed),
        **({"patches": "gap", "gap_bits": gap_bits} if gap_bits else {}),
    }
    several = choice is not None and choice.kind == "rates"
    if several and decoder != "xor":
        raise InputError(f"a code of several rates must come with --decoder xor, not {decoder}")
    if several:
        assert choice is not None
        design = _several_rates(choice, encoded, src, options, blocks, seed)
    elif src is not None and tensor is None and decoder == "xor":
        design = _for_all(src, name, options, blocks)
    if design is None:
        design = design_for(
            decoder,
            encoded,
            options,
            name=name,
            seed=used_seed,
            segments=segments,
            lanes=lanes,
            max_blocks=blocks,
        )
    manifest = write_design(out, design)
    if as_json:
        print_json(manifest.entries)
        return
    made = manifest.decoder.get("code")
    said = (
        f", {made['spec']}, check value {made['check_value']}, {manifest.decoder['n_w']} planes"
        if made
        else ""
    )
    say(f"{out}: {manifest.top}, decoder {manifest.kind}, {manifest.outputs_per_cycle} bits a cycle{said}")
    say(f"  {', '.join(manifest.files)}")
    if len(manifest.entries["layout"]) > 1:
        _print_layers(manifest.entries["layout"], manifest.decoder["patches_per_block"])
    elif decoder in ("xor", "bounded"):
        needed = required_patches(encoded) if name is not None else 0
        say(f"  {_about_patches(manifest.decoder['patches_per_block'], needed, name, patches)}")
    say(f"  golden vectors: {manifest.output.words} blocks, then {len(manifest.scenes)} scenes of restarts")


def _about_patches(made: int, needed: int, name: str | None, asked: int | None) -> str:
    """Say how many patches a block the decoder can apply, and how many the tensor needs."""
    if name is not None:
        return f"patches a block: up to {made}; the fullest block of {printable(name)} needs {needed}"
    if made or asked is not None:
        return f"patches a block: {made}, as asked for; generate CONTAINER says how many a tensor needs"
    return (
        "no correction stage: a tensor encoded with this code may need patches (--patches N); "
        "generate CONTAINER says how many"
    )


def _engine(src: Path | None, tensor: str | None, out: Path, as_json: bool) -> None:
    """Write the engine that multiplies by one tensor as a package, which ``synth`` maps and proves part by part."""
    from xorweave.hw.package.engine_core import write_engine
    from xorweave.hw.package.engine_manifest import read_engine_manifest
    from xorweave.hw.package.manifest import MANIFEST
    from xorweave.sim.spmv_run import engine_config, takes_lanes

    if src is None:
        raise InputError("--decoder engine must be given a container, not --code")
    name, encoded = _pick(src, tensor)
    if not takes_lanes(encoded):
        raise InputError(
            f"--decoder engine takes a tensor stored with --scan lanes; the scan of {name} is {encoded.scan.spec}"
        )
    write_engine(out, engine_config(encoded, batch=1), kind="product")
    if as_json:
        print_json(json.loads((out / MANIFEST).read_text(encoding="utf-8")))
        return
    layout = read_engine_manifest(out).layout
    say(f"{out}: engine of {layout.lanes} lanes for {name}, {layout.rows} x {layout.cols}")


def _random(
    choice: CodeChoice, kind: NumberFormat, sparsity: float, patches: int | None, blocks: int, seed: int
) -> EncodedTensor:
    """Make a tensor of random weights for a code."""
    import numpy as np

    from xorweave.hw.package.vectors import random_tensor

    shape = np.random.default_rng(seed).random(1 << 16) >= sparsity
    chosen = choice.for_mask(shape, kind.n_w).code
    if patches is not None and not 0 <= patches <= chosen.n_out:
        raise InputError(f"--patches must be between 0 and n_out = {chosen.n_out}, not {patches}")
    return random_tensor(
        chosen, kind, blocks=min(blocks, 1000), segment_blocks=min(blocks, 300), sparsity=sparsity,
        patches_per_block=patches or 0, seed=seed,
    )  # fmt: skip


def _pick(src: Path, tensor: str | None) -> tuple[str, EncodedTensor]:
    """Choose the tensor to generate a decoder for."""
    from xorweave.golden.files.container import read_container

    container = read_container(src)
    encoded = container.encoded
    if not encoded:
        raise InputError(f"{src} must hold an encoded tensor, but holds none")
    if tensor is None:
        coded = [name for name in encoded if encoded[name].groups] or list(encoded)
        tensor = max(coded, key=lambda name: encoded[name].n)
    if tensor not in encoded:
        raise InputError(f"--tensor must be one of {', '.join(encoded)}, not {tensor!r}")
    return tensor, container.checked(tensor)


def _for_all(src: Path, largest: str | None, options: dict[str, Any], blocks: int) -> StreamDesign | None:
    """Make the decoder that serves every tensor of a container; None, said on standard error, where none does."""
    from xorweave.golden.files.container import read_container
    from xorweave.hw.decoders.config_for import why_apart
    from xorweave.hw.package.decoder_kinds import design_for_all

    container = read_container(src)
    if len(container.encoded) == 1:
        return None
    tensors = {name: container.checked(name) for name in container.encoded}
    why = why_apart(tensors)
    if why:
        said = f"{why}; this is the decoder of {printable(str(largest))} alone"
        tell(f"{said} (encode --for hardware makes one for all)")
        return None
    return design_for_all(tensors, options, max_blocks=blocks)


def _print_layers(layout: list[dict[str, Any]], patches: int) -> None:
    """Say what the decoder is told of each tensor."""
    say(f"  one decoder for {len(layout)} tensors, up to {patches} patches a block; with their streams go:")
    for entry in layout:
        what = f"block length {entry['block']}, inversion {entry['inversion']:#x}, {entry['blocks']} blocks"
        say(f"    {printable(str(entry['tensor']))}: {what}")


def _choice(src: Path | None, code: str | None, seed: int) -> CodeChoice | None:
    """Return what --code says, or, of a container, what was said when it was encoded if that was several rates."""
    from xorweave.golden.choose.code_choice import CodeChoice
    from xorweave.golden.files.container import read_container

    if src is None:
        assert code is not None
        return CodeChoice.parse(code, seed=seed)
    said = read_container(src).info.get("code", "")
    return CodeChoice.parse(said) if "rates=" in said else None


def _network(
    kind: str, effort: int, depth_limit: int | None, seed: int
) -> Callable[[Code], XorNetwork | None]:
    """Return what makes the XOR network of a code: sums made once, or (None) a tree for every output."""
    from xorweave.hw.xor.paired import shared_network

    if kind == "plain":
        return lambda code: None
    return lambda code: shared_network(code, effort=effort, depth_limit=depth_limit, seed=seed)


def _several_rates(
    choice: CodeChoice,
    encoded: EncodedTensor,
    src: Path | None,
    options: dict[str, Any],
    blocks: int,
    seed: int,
) -> StreamDesign:
    """Make the decoder of several rates; its vectors are all tensors of the container, or a random one a rate."""
    from xorweave.golden.files.container import read_container
    from xorweave.hw.decoders.decoder_config import DecoderConfig
    from xorweave.hw.package.axis_design import axis_design
    from xorweave.hw.package.vectors import random_tensor, required_patches

    mother = choice.code
    assert mother is not None
    rest = dict(options)
    patches, network_of = rest.pop("patches_per_block"), rest.pop("network_of")
    if rest.pop("patches", "auto") != "auto" or rest.pop("inversion_port"):
        raise InputError("a code of several rates must come without --gap-bits and --inversion-port")
    if src is not None:
        container = read_container(src)
        tensors = [container.checked(name) for name in container.encoded]
    else:
        tensors = [
            random_tensor(
                mother.punctured(n_in),
                encoded.number_format,
                blocks=min(blocks, 300),
                segment_blocks=100,
                patches_per_block=patches or 0,
                seed=seed + number,
            )
            for number, n_in in enumerate(choice.rates)
        ]
    inversions = {tensor.raw.inversion for tensor in tensors}
    config = DecoderConfig.raw(
        code=mother,
        n_w=encoded.number_format.n_w,
        transform=encoded.raw.transform,
        rates=choice.rates,
        patches_per_block=max(map(required_patches, tensors)) if patches is None else patches,
        inversion=inversions.pop() if len(inversions) == 1 else None,
        network=network_of(mother),
        **rest,
    )
    return axis_design(config, tensors, max_blocks=blocks)
