"""The manifest of a package: what generate writes, and the only way in which simulate and synth read it.

A package may come from anybody, so nothing in a manifest is believed: every field has a type and a range, names are
Verilog identifiers, paths stay inside the folder, and what is not known is refused.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.pattern_book import MAX_DEPTH, MAX_PATTERN, MOST_CODEWORDS, PatternBook
from xorweave.golden.values.prefix_code import MAGNITUDES
from xorweave.golden.values.transforms import TRANSFORMS
from xorweave.hw.package.checked import (
    Check,
    flag,
    inside_path,
    integer,
    line_of_text,
    list_of,
    mapping_of,
    object_of,
    one_of,
    or_null,
    refuse,
    scan_of_text,
    shown,
    verilog_name,
)

MANIFEST = "manifest.json"
FORMAT = "xorweave-decoder"
FORMAT_VERSION = 2

_MOST_BYTES = 1 << 26  # of a manifest
_MOST_BUS = 1 << 20  # bits of a pin
_MOST_WORDS = 1 << 24  # of a stream
_MOST_CELLS = 1 << 24  # of a generator matrix
_MOST_SCENES = 1000
# What a build or a bench leaves behind in a package's folder: it goes when the package is replaced.
BUILD_OUTPUT = ("sim_build", "obj_dir", "tb.vvp", "waves.vcd")


def _pin(value: Any, where: str) -> tuple[str, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise refuse(where, "a pin's name and width", value)
    return verilog_name(value[0], where), integer(1, _MOST_BUS)(value[1], where)


def _code(value: Any, where: str) -> dict[str, Any]:
    """Check a code and its generator matrix, row by row."""
    size = integer(1, 1 << 16)
    head = object_of(
        {
            "spec": line_of_text,
            "check_value": line_of_text,
            "n_in": size,
            "n_out": size,
            "n_s": integer(0, 1 << 12),
        },
        {"generator": list_of(line_of_text, 1 << 16)},
    )(value, where)
    columns = head["n_in"] * (head["n_s"] + 1)
    if head["n_out"] * columns > _MOST_CELLS:
        raise refuse(f"{where}.generator", f"a matrix of up to {_MOST_CELLS} bits", (head["n_out"], columns))
    rows = head.get("generator")
    if rows is not None:
        if len(rows) != head["n_out"]:
            raise refuse(f"{where}.generator", f"{head['n_out']} rows", len(rows))
        for row in rows:
            if not re.fullmatch(r"[0-9a-f]+", row) or int(row, 16) >> columns:
                raise refuse(f"{where}.generator", f"rows of {columns} bits in hexadecimal", row)
    return head


_BITS = integer(0, (1 << 64) - 1)
_COUNT = integer(0, 1 << 48)
_SCENE = object_of(
    {
        "name": line_of_text,
        "reset": flag,
        "cut": flag,
        "compared": flag,
        "full_rate": flag,
        "words": mapping_of(integer(0, _MOST_WORDS), 1 << 12),
        "static": mapping_of(_BITS, 100),
        "pulses": list_of(verilog_name, 100),
        "flags": mapping_of(_BITS, 100),
    }
)
_STREAM = object_of(
    {
        "prefix": verilog_name,
        "what": line_of_text,
        "pins": list_of(_pin, 1 << 10, 1),
        "file": inside_path,
        "words": integer(0, _MOST_WORDS),
    },
    {"restarts": inside_path, "image": inside_path, "image_words": integer(0, _MOST_WORDS)},
)


def _mask_code(value: Any, where: str) -> dict[str, Any]:
    """Check a shaped mask's code: `parities` rows for every mask bit."""
    size = integer(1, 1 << 14)
    head = object_of(
        {
            "n_in": size,
            "n_out": size,
            "parities": integer(1, 8),
            "window": integer(2, 1 << 10),
            "generator": list_of(line_of_text, 1 << 17),
        }
    )(value, where)
    rows = head["generator"]
    bits = head["n_in"] * (1 + -(-(head["window"] - 1) // head["n_in"]))  # whole symbols
    if len(rows) != head["n_out"] * head["parities"]:
        raise refuse(f"{where}.generator", f"{head['n_out'] * head['parities']} rows", len(rows))
    for row in rows:
        if not re.fullmatch(r"[0-9a-f]+", row) or int(row, 16) >> bits:
            raise refuse(f"{where}.generator", f"rows of {bits} bits in hexadecimal", row)
    return head


_NETWORK = object_of({"xor2": _COUNT, "depth": _COUNT})
_GROUPS = list_of(object_of({"planes": integer(1, 64), "code": _code, "network": _NETWORK}), 64, 1)


def _mask_book(value: Any, where: str) -> dict[str, Any]:
    """Check a pattern book and the codes of its planes: a complete prefix code, and a group for each of its spans."""
    head = object_of(
        {
            "pattern_bits": integer(2, MAX_PATTERN),
            "counts": list_of(integer(0, MOST_CODEWORDS), MAX_DEPTH, 1),
            "inverted": flag,
            "groups": _GROUPS,
        }
    )(value, where)
    try:
        book = PatternBook(head["pattern_bits"], tuple(head["counts"]), head["inverted"])
    except InputError as error:
        raise InputError(f"the manifest's {where} must be a pattern book, but {error}") from None
    planes = [end - first for first, end in book.spans]
    if [group["planes"] for group in head["groups"]] != planes:
        raise refuse(
            f"{where}.groups", f"groups of {planes} planes", [group["planes"] for group in head["groups"]]
        )
    return head


_CLASSES = list_of(integer(-1, 1 << 32), 1 << 12)

# What is said of the decoder: read by the proof and by people. Each kind has those that mean something for it.
DECODER: dict[str, Check] = {
    "code": _code,
    "n_w": integer(1, 64),
    "n_out": integer(1, 1 << 16),
    "dtype": line_of_text,
    "patches_per_block": integer(0, 1 << 16),
    "gap_bits": integer(0, 32),
    "bounded": flag,
    "length_bits": integer(0, 32),
    "dense_corrections": flag,
    "patch_lanes": flag,
    "network": _NETWORK,
    "groups": _GROUPS,
    "book": object_of(
        {
            "magnitude": one_of(*MAGNITUDES),
            "lengths": _CLASSES,
            "tails": _CLASSES,
            "prefixes": _CLASSES,
        }
    ),
    "words": line_of_text,  # the kind of words that are neither raw nor a book's: it has no reference yet
    "mask_code": _mask_code,
    "mask_book": _mask_book,
    "mask_kind": one_of("none", "bitmap", "book", "shaped"),
    "inversion": or_null(_BITS),
    "inversion_port": flag,
    "constant_planes": _BITS,
    "transform": one_of(*TRANSFORMS),
    "mask": flag,
    "input_register": flag,
    "output_register": flag,
    "skid_buffers": flag,
    "max_depth": or_null(integer(1, 1 << 20)),
    "rates": list_of(integer(1, 1 << 16), 1 << 10),
    "block_lengths": flag,
    "segments": integer(1, 1 << 10),
    "lanes": integer(1, 1 << 16),
    "longest_code": integer(1, 1 << 16),
}
_VECTORS = object_of(
    {"blocks": integer(1, _MOST_WORDS)},
    {
        "tensor": or_null(
            lambda value, where: value if isinstance(value, str) else line_of_text(value, where)
        ),
        "seed": or_null(integer(-(1 << 63), (1 << 64) - 1)),
        "tensor_blocks": _COUNT,
        "segment_blocks": _COUNT,
        "inversion": _BITS,
    },
)
_LAYOUT = object_of(
    {},
    {
        "tensor": or_null(
            lambda value, where: value if isinstance(value, str) else line_of_text(value, where)
        ),
        "shape": list_of(_COUNT, 64),
        "weights": _COUNT,
        "scan": scan_of_text,
        "block": _COUNT,
        "padding": _COUNT,
        "segment_blocks": _COUNT,
        "blocks": _COUNT,
        "inversion": _BITS,
        "bits": line_of_text,
    },
)
_HEAD: dict[str, Check] = {
    "format": one_of(FORMAT),
    "version": integer(FORMAT_VERSION, FORMAT_VERSION),
    "generator": line_of_text,
    "kind": line_of_text,
    "top": verilog_name,
    "streams": object_of({"inputs": list_of(_STREAM, 1 << 12), "output": _STREAM}),
    "static": list_of(
        object_of({"pin": verilog_name, "width": integer(1, 64), "value": _BITS}),
        100,
    ),
    "flags": list_of(_pin, 100),
    "scenes": list_of(_SCENE, _MOST_SCENES),
    "latency": integer(0, 1 << 12),
    "outputs_per_cycle": integer(1, 1 << 30),
    "full_rate": flag,
    "endless": flag,
    "vectors": _VECTORS,
    "layout": list_of(_LAYOUT, 1 << 16),
    "verilog": list_of(inside_path, 16, 1),
    "testbench": inside_path,
    "core": inside_path,
    "files": list_of(inside_path, 1 << 14, 1),
}


@dataclass(frozen=True)
class StreamFile:
    """A stream of the written module and the files of its words.

    Attributes
    ----------
    prefix : str
        Pins ``{prefix}_tvalid`` and ``{prefix}_tready`` go with it.
    what : str
    pins : tuple of (str, int)
        The pins that make a word, lowest first, and their widths.
    file : str
        The golden words, one in hexadecimal a line.
    words : int
        Lines of the file.
    restarts : str
        The words of the scenes, one scene after the other; empty without scenes.
    """

    prefix: str
    what: str
    pins: tuple[tuple[str, int], ...]
    file: str
    words: int
    restarts: str

    @property
    def bits(self) -> int:
        """Width of a word."""
        return sum(width for _, width in self.pins)


@dataclass(frozen=True)
class SceneFile:
    """A scene as `Scene` has it, its words counted: they follow each other in the streams' files of restarts."""

    name: str
    reset: bool
    cut: bool
    compared: bool
    full_rate: bool
    words: Mapping[str, int]
    static: Mapping[str, int]
    pulses: tuple[str, ...]
    flags: Mapping[str, int]


@dataclass(frozen=True)
class Manifest:
    """A package as its manifest describes it, every field checked.

    Attributes
    ----------
    kind, top : str
    inputs : tuple of StreamFile
    output : StreamFile
    static : mapping of str to (int, int)
        Width and value of input pins beside the streams.
    flags : mapping of str to int
        Output pins beside the streams and their widths.
    scenes : tuple of SceneFile
    latency, outputs_per_cycle : int
    full_rate, endless : bool
        See `StreamDesign`.
    verilog : tuple of str
    testbench, core : str
    files : tuple of str
        All files of the package.
    decoder : mapping
        What the proof needs: the code and its matrix, sizes and options.
    entries : mapping
        The manifest as it is written.
    """

    kind: str
    top: str
    inputs: tuple[StreamFile, ...]
    output: StreamFile
    static: Mapping[str, tuple[int, int]]
    flags: Mapping[str, int]
    scenes: tuple[SceneFile, ...]
    latency: int
    outputs_per_cycle: int
    full_rate: bool
    endless: bool
    verilog: tuple[str, ...]
    testbench: str
    core: str
    files: tuple[str, ...]
    decoder: Mapping[str, Any]
    entries: Mapping[str, Any]

    @classmethod
    def parse(cls, entries: Any) -> Manifest:
        """Check every field.

        Raises
        ------
        InputError
            A field is missing, unknown, of another type, out of range, or does not go with another.
        """
        if not isinstance(entries, dict) or entries.get("format") != FORMAT:
            raise InputError("the manifest must be that of a generated decoder")
        if entries.get("version") != FORMAT_VERSION:
            raise InputError(
                f"the manifest must have version {FORMAT_VERSION}, not {shown(entries.get('version'))}:"
                " generate the decoder again"
            )
        for key in _HEAD:
            if key not in entries:
                raise InputError(f"the manifest must have the entry {key}")
        known = {**_HEAD, **DECODER}
        for key in entries:
            if key not in known:
                raise InputError(f"the manifest must have no entry {shown(key)}: it is not known")
        found = {key: known[key](value, key) for key, value in entries.items()}
        manifest = cls(
            kind=found["kind"],
            top=found["top"],
            inputs=tuple(map(_stream_file, found["streams"]["inputs"])),
            output=_stream_file(found["streams"]["output"]),
            static={entry["pin"]: (entry["width"], entry["value"]) for entry in found["static"]},
            flags=dict(found["flags"]),
            scenes=tuple(SceneFile(**{**s, "pulses": tuple(s["pulses"])}) for s in found["scenes"]),
            latency=found["latency"],
            outputs_per_cycle=found["outputs_per_cycle"],
            full_rate=found["full_rate"],
            endless=found["endless"],
            verilog=tuple(found["verilog"]),
            testbench=found["testbench"],
            core=found["core"],
            files=tuple(found["files"]),
            decoder={key: found[key] for key in DECODER if key in found},
            entries=entries,
        )
        manifest._check()
        return manifest

    @property
    def streams(self) -> tuple[StreamFile, ...]:
        """Inputs and, last, the output."""
        return (*self.inputs, self.output)

    def _check(self) -> None:
        """Check that the fields go together."""
        pins = [name for stream in self.streams for name, _ in stream.pins]
        pins += [f"{s.prefix}_{end}" for s in self.streams for end in ("tvalid", "tready")]
        pins += [*self.static, *self.flags, "clk", "rst"]
        if len(set(pins)) != len(pins):
            raise InputError("the manifest's pins must have different names")
        for pin, (width, value) in self.static.items():
            if value >> width:
                raise refuse(f"value of {pin}", f"of {width} bits", value)
        prefixes = {stream.prefix for stream in self.streams}
        for scene in self.scenes:
            if set(scene.words) != prefixes:
                raise InputError(f"the manifest's scene {shown(scene.name)} must have words of every stream")
            for pin in (*scene.static, *scene.pulses):
                if pin not in self.static or scene.static.get(pin, 0) >> self.static[pin][0]:
                    raise InputError(
                        f"the manifest's scenes must set input pins to what they hold, not {pin}"
                    )
            for pin, value in scene.flags.items():
                if pin not in self.flags or value >> self.flags[pin]:
                    raise InputError(
                        f"the manifest's scenes must await of output pins what they hold, not {pin}"
                    )
        listed = set(self.files)
        if len(listed) != len(self.files):
            raise InputError("the manifest's files must be listed once")
        for path in (*self.verilog, self.testbench, self.core, *self._word_files(), MANIFEST):
            if path not in listed:
                raise InputError(f"the manifest's files must list {path}")

    def _word_files(self) -> dict[str, tuple[int, int]]:
        """Return the files of words, with their words' width and number."""
        found = {}
        for stream in self.streams:
            found[stream.file] = stream.bits, stream.words
            if stream.restarts:
                total = sum(scene.words[stream.prefix] for scene in self.scenes)
                found[stream.restarts] = stream.bits, total
        return found

    def words(self, directory: Path, stream: StreamFile) -> tuple[list[int], list[int]]:
        """Read a stream's golden words and those of its scenes.

        Raises
        ------
        InputError
            A file has another number of words than the manifest says, or something that is no word of the stream.
        """
        found: tuple[list[int], list[int]] = ([], [])
        for place, path in enumerate((stream.file, stream.restarts)):
            if not path:
                continue
            bits, number = self._word_files()[path]
            text = _read(directory / path, number * ((bits + 3) // 4 + 2) + 2).decode("ascii", "replace")
            lines = text.split()
            if len(lines) != number:
                raise InputError(f"{path} must have {number} words, not {len(lines)}")
            for line in lines:
                if not re.fullmatch(r"[0-9a-fA-F]+", line) or int(line, 16) >> bits:
                    raise InputError(
                        f"{path} must have words of {bits} bits in hexadecimal, not {shown(line)}"
                    )
            found[place].extend(int(line, 16) for line in lines)
        return found


def _stream_file(entry: Mapping[str, Any]) -> StreamFile:
    return StreamFile(
        prefix=entry["prefix"],
        what=entry["what"],
        pins=tuple(entry["pins"]),
        file=entry["file"],
        words=entry["words"],
        restarts=entry.get("restarts", ""),
    )


def _read(path: Path, most: int) -> bytes:
    """Read a regular file of at most so many bytes, not through a link."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(f"{path} must be a file that can be read: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InputError(f"{path} must be a regular file")
        found = file.read(most + 1)
    if len(found) > most:
        raise InputError(f"{path} must have at most {most} bytes")
    return found


def read_manifest(directory: Path | str) -> Manifest:
    """Read and check the manifest of a generated decoder.

    The files it lists must be there, as regular files inside the folder; the Verilog must be of the plain kind that
    generate writes, without system tasks, directives or foreign functions, since a simulator would run them.

    Raises
    ------
    InputError
        The folder holds none, one of another version, or one that is not right.
    """
    directory = Path(directory)
    manifest = Manifest.parse(read_entries(directory))
    check_files(directory, manifest.files, manifest.verilog)
    return manifest


def read_entries(directory: Path) -> Any:
    """Read a manifest as JSON, nothing of it checked.

    Raises
    ------
    InputError
        The folder holds none, or no JSON.
    """
    path = directory / MANIFEST
    if not os.path.lexists(path):
        raise InputError(f"{directory} must be a folder that generate wrote, but has no {MANIFEST}")
    try:
        return json.loads(_read(path, _MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} must be a manifest that generate wrote: {str(error)[:200]}") from None


def check_files(directory: Path, files: Sequence[str], verilog: Sequence[str]) -> None:
    """Check that the files that a manifest lists are there, and that the Verilog is plain.

    Raises
    ------
    InputError
        One is not, or is a link or a device, or is Verilog that does more than describe hardware.
    """
    for name in files:
        _confined(directory, name)
    for name in verilog:
        check_verilog(name, _read(directory / name, 1 << 30).decode("utf-8", "replace"))


def _confined(directory: Path, name: str) -> None:
    """Check that a file of the package is a regular file, with no link on the way to it."""
    place = directory
    parts = name.split("/")
    for k, part in enumerate(parts):
        place = place / part
        try:
            mode = os.lstat(place).st_mode
        except OSError:
            raise InputError(f"{directory} must have the file {name}, which its manifest lists") from None
        if not (stat.S_ISREG(mode) if k == len(parts) - 1 else stat.S_ISDIR(mode)):
            raise InputError(f"{name} must be a regular file inside the folder, not a link or a device")


# directives that generate writes; everything else that begins with ` or $, a string or an escaped name is foreign
_DIRECTIVES = re.compile(r"`(default_nettype (none|wire))")
# Icarus ends a // comment at a carriage return, Yosys the text at a zero
_CONTROL = re.compile("[^\t\n\x20-\x7e\xa0-\U0010ffff]")
_FOREIGN = re.compile(r"[`$\"\\]|\b(import|export|bind|program|force|deassign)\b")


def check_verilog(name: str, text: str) -> None:
    """Refuse Verilog that does more than describe hardware: it would run inside the simulator.

    Raises
    ------
    InputError
        The text has a system task, a directive, a string, an escaped name or a foreign function, or a character by
        which tools disagree on where a comment ends.
    """
    text = text.replace("\r\n", "\n")
    control = _CONTROL.search(text)
    if control:
        raise InputError(
            f"{name} must only describe hardware, but has the control character {shown(control[0])}"
        )
    bare = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    found = _FOREIGN.search(_DIRECTIVES.sub(" ", bare))
    if found:
        around = bare[found.start() :][:20] if found[0] in '`$"\\' else found[0]
        raise InputError(f"{name} must only describe hardware, but has {shown(around)}")


def is_package(directory: Path) -> bool:
    """Whether a folder is a package of ours and holds nothing else but what builds and benches left there."""
    try:
        manifest = Manifest.parse(json.loads(_read(directory / MANIFEST, _MOST_BYTES)))
    except (InputError, ValueError, RecursionError):
        return False
    listed = set(manifest.files)
    for folder, folders, files in os.walk(directory):
        inside = Path(folder).relative_to(directory)
        if inside == Path():
            folders[:] = [name for name in folders if name not in BUILD_OUTPUT]
            files = [name for name in files if name not in BUILD_OUTPUT]
        if any((Path(folder) / name).is_symlink() for name in (*folders, *files)):
            return False
        if any((inside / name).as_posix() not in listed for name in files):
            return False
        if not folders and not files and inside != Path():
            return False  # an empty folder is nobody's of ours
    return True
