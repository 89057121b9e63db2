"""The decoder of stored tensors, or of a code: its gates, and its Verilog with golden vectors."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.config_for import config_for_all
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.gate_estimate import DecoderGates, decoder_gates
from xorweave.hw.package.axis_design import axis_design
from xorweave.hw.package.package import check_replaceable, write_design
from xorweave.hw.package.vectors import random_tensor
from xorweave.hw.xor.paired import shared_network
from xorweave.library.stored import Encoded, StoredTensor

if TYPE_CHECKING:
    from xorweave.hw.package.manifest import Manifest

_MOST_BLOCKS = 20000  # of golden vectors, as of ``xorweave generate``


class Decoder:
    """A decoder in hardware.

    Attributes
    ----------
    config : DecoderConfig
        What decides its hardware.
    tensors : dict of str to EncodedTensor
        What it was made for, by name; none if it was made for a code.
    """

    def __init__(self, config: DecoderConfig, tensors: dict[str, EncodedTensor]) -> None:
        self.config, self.tensors = config, tensors

    @property
    def gates(self) -> DecoderGates:
        """Its estimated gates, by part; `synth` counts them."""
        return decoder_gates(self.config)

    @property
    def gates_per_weight(self) -> float:
        """Estimated gate equivalents for one weight a cycle."""
        return self.gates.per_weight

    def write(
        self,
        folder: str | PathLike[str],
        *,
        vectors: StoredTensor | EncodedTensor | None = None,
        blocks: int = _MOST_BLOCKS,
        seed: int = 0,
    ) -> Manifest:
        """Write Verilog, golden vectors, a test bench that needs no Python, and a FuseSoC core.

        Parameters
        ----------
        folder : path
            New, empty, or written by this method before.
        vectors : StoredTensor or EncodedTensor, optional
            What the golden vectors are taken from. By default all tensors that the decoder was made for, one after the
            other, and random ones if it was made for a code.
        blocks : int
            Golden vectors for so many blocks at most, of several tensors equally many each.
        seed : int
            Of random vectors.

        Raises
        ------
        InputError
            The decoder does not decode `vectors`, or the folder cannot be written.
        """
        if blocks < 1:
            raise InputError(f"blocks must be at least 1, not {blocks}")
        check_replaceable(Path(folder))
        given: dict[str | None, EncodedTensor] = dict(self.tensors.items())
        used: int | None = None
        if vectors is not None:
            given = dict([_tensor(vectors)])
        elif not given:
            used, given = seed, {None: self._random(min(blocks, 1000), seed)}
        design = axis_design(
            self.config,
            list(given.values()),
            names=list(given),
            seed=used,
            max_blocks=max(1, blocks // len(given)),
        )
        return write_design(Path(folder), design)

    def _random(self, blocks: int, seed: int) -> EncodedTensor:
        form = next(
            number_format(name) for name in ("int8", "int4", "fp16", "fp32")
            if number_format(name).n_w == self.config.n_w
        )  # fmt: skip
        return random_tensor(
            self.config.code,
            form,
            blocks=blocks,
            segment_blocks=min(blocks, 300),
            patches_per_block=self.config.patches_per_block,
            seed=seed,
        )

    def __repr__(self) -> str:
        return (
            f"Decoder(n_out={self.config.n_out}, n_w={self.config.n_w}, for {list(self.tensors) or 'a code'})"
        )


def decoder(
    source: Encoded | StoredTensor | EncodedTensor | Code | str, *, dtype: str = "int8", **options: Any
) -> Decoder:
    """Return the decoder that serves all that is given.

    Tensors that were encoded for hardware together use the first outputs of one code: the decoder takes the block
    length of each with the first symbol of its streams.

    Parameters
    ----------
    source : Encoded, StoredTensor, EncodedTensor, Code or str
        Stored tensors; or a code, or its name or words as ``--code`` takes them.
    dtype : str
        Number format of the weights, with a code.
    **options
        For stored tensors what `xorweave.hw.decoders.config_for.config_for_all` takes, for a code what
        ``DecoderConfig.raw`` takes: `patches_per_block`, `input_register`, `output_register`, `max_depth`, ...

    Raises
    ------
    InputError
        No one decoder serves all of it, or an option is not as it must be.

    Examples
    --------
    >>> import xorweave as xw
    >>> made = xw.decoder("graph-128-1225-k256", dtype="int8")
    >>> made.config.n_out, made.gates_per_weight < 100
    (1225, True)
    """
    try:
        if isinstance(source, Code | str):
            return Decoder(_of_code(source, dtype, options), {})
        if isinstance(source, Encoded):
            tensors = {name: source[name].tensor for name in source}
        else:
            name, tensor = _tensor(source)
            tensors = {name or "weights": tensor}
        return Decoder(config_for_all(tensors, **options), tensors)
    except TypeError as error:
        raise InputError(f"an option of the decoder is unknown or missing: {error}") from None


def _tensor(stored: object) -> tuple[str | None, EncodedTensor]:
    if isinstance(stored, StoredTensor):
        return stored.name, stored.tensor
    if isinstance(stored, EncodedTensor):
        return None, stored
    raise InputError(f"a decoder must be made for stored tensors or a code, not for {type(stored).__name__}")


def _of_code(source: Code | str, dtype: str, options: dict[str, Any]) -> DecoderConfig:
    code = source if isinstance(source, Code) else CodeChoice.parse(source).code
    if code is None:
        raise InputError(f"the code must be a name or KEY=VALUE,... that says all of it, not {source!r}")
    return DecoderConfig.raw(
        code=code, n_w=number_format(dtype).n_w, **{"network": shared_network(code), **options}
    )
