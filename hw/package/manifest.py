"""The manifest of a package: what generate writes, and the only way in which simulate and synth read it.

A package may come from anybody, so nothing in a manifest is believed: every field has a type and a range, names are
Verilog identifiers, paths stay inside the folder, and what is not known is refused.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.prefix_code import MAGNITUDES
from xorweave.golden.values.transforms import TRANSFORMS

MANIFEST = "manifest.json"
FORMAT = "xorweave-decoder"
FORMAT_VERSION = 2

_MOST_BYTES = 1 << 26  # of a manifest
_MOST_BUS = 1 << 20  # bits of a pin
_MOST_WORDS = 1 << 24  # of a stream
_MOST_CELLS = 1 << 24  # of a generator matrix
_MOST_SCENES = 1000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

# What a build or a bench leaves behind in a package's folder: it goes when the package is replaced.
BUILD_OUTPUT = ("sim_build", "obj_dir", "tb.vvp", "waves.vcd")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refuse(where: str, rule: str, value: object) -> InputError:
    return InputError(f"the manifest's {where} must be {rule}, not {_shown(value)}")


Check = Callable[[Any, str], Any]


def _integer(low: int, high: int) -> Check:
    def check(value: Any, where: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise _refuse(where, f"a whole number from {low} to {high}", value)
        return value

    return check


def _flag(value: Any, where: str) -> bool:
    if type(value) is not bool:
        raise _refuse(where, "true or false", value)
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > 10_000 or not value.isprintable():
        raise _refuse(where, "a line of text", value)
    return value


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _refuse(where, "a Verilog name of up to 64 letters, digits and _", value)
    return value


def _path(value: Any, where: str) -> str:
    if not isinstance(value, str) or not all(_PART.fullmatch(part) for part in value.split("/")):
        raise _refuse(where, "a path inside the folder, of letters, digits, _, - and dots", value)
    return value


def _one_of(*known: str) -> Check:
    def check(value: Any, where: str) -> str:
        if value not in known:
            raise _refuse(where, f"one of {', '.join(known)}", value)
        return str(value)

    return check


def _or_null(inner: Check) -> Check:
    return lambda value, where: None if value is None else inner(value, where)


def _list(inner: Check, most: int, least: int = 0) -> Check:
    def check(value: Any, where: str) -> list[Any]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise _refuse(where, f"a list of {least} to {most} entries", value)
        return [inner(entry, f"{where}[{k}]") for k, entry in enumerate(value)]

    return check


def _object(entries: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Check an object with these entries; what is neither in `entries` nor `optional` is refused."""
    known = {**entries, **(optional or {})}

    def check(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _refuse(where, "an object", value)
        for key in entries:
            if key not in value:
                raise InputError(f"the manifest's {where} must have the entry {key}")
        for key in value:
            if key not in known:
                raise InputError(f"the manifest's {where} must have no entry {_shown(key)}: it is not known")
        return {key: known[key](entry, f"{where}.{key}") for key, entry in value.items()}

    return check


def _mapping(inner: Check, most: int) -> Check:
    def check(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > most:
            raise _refuse(where, f"an object of up to {most} entries", value)
        return {
            _name(key, f"name in {where}"): inner(entry, f"{where}.{key}") for key, entry in value.items()
        }

    return check


def _pin(value: Any, where: str) -> tuple[str, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise _refuse(where, "a pin's name and width", value)
    return _name(value[0], where), _integer(1, _MOST_BUS)(value[1], where)


def _code(value: Any, where: str) -> dict[str, Any]:
    """Check a code and its generator matrix, row by row."""
    size = _integer(1, 1 << 16)
    head = _object(
        {"spec": _text, "check_value": _text, "n_in": size, "n_out": size, "n_s": _integer(0, 1 << 12)},
        {"generator": _list(_text, 1 << 16)},
    )(value, where)
    columns = head["n_in"] * (head["n_s"] + 1)
    if head["n_out"] * columns > _MOST_CELLS:
        raise _refuse(f"{where}.generator", f"a matrix of up to {_MOST_CELLS} bits", (head["n_out"], columns))
    rows = head.get("generator")
    if rows is not None:
        if len(rows) != head["n_out"]:
            raise _refuse(f"{where}.generator", f"{head['n_out']} rows", len(rows))
        for row in rows:
            if not re.fullmatch(r"[0-9a-f]+", row) or int(row, 16) >> columns:
                raise _refuse(f"{where}.generator", f"rows of {columns} bits in hexadecimal", row)
    return head


_BITS = _integer(0, (1 << 64) - 1)
_COUNT = _integer(0, 1 << 48)
_SCENE = _object(
    {
        "name": _text,
        "reset": _flag,
        "cut": _flag,
        "compared": _flag,
        "full_rate": _flag,
        "words": _mapping(_integer(0, _MOST_WORDS), 1 << 12),
        "static": _mapping(_BITS, 100),
        "pulses": _list(_name, 100),
        "flags": _mapping(_BITS, 100),
    }
)
_STREAM = _object(
    {
        "prefix": _name,
        "what": _text,
        "pins": _list(_pin, 1 << 10, 1),
        "file": _path,
        "words": _integer(0, _MOST_WORDS),
    },
    {"restarts": _path, "image": _path, "image_words": _integer(0, _MOST_WORDS)},
)


def _mask_code(value: Any, where: str) -> dict[str, Any]:
    """Check a shaped mask's code: `parities` rows for every mask bit."""
    size = _integer(1, 1 << 14)
    head = _object(
        {
            "n_in": size,
            "n_out": size,
            "parities": _integer(1, 8),
            "window": _integer(2, 1 << 10),
            "generator": _list(_text, 1 << 17),
        }
    )(value, where)
    rows = head["generator"]
    bits = head["n_in"] * (1 + -(-(head["window"] - 1) // head["n_in"]))  # whole symbols
    if len(rows) != head["n_out"] * head["parities"]:
        raise _refuse(f"{where}.generator", f"{head['n_out'] * head['parities']} rows", len(rows))
    for row in rows:
        if not re.fullmatch(r"[0-9a-f]+", row) or int(row, 16) >> bits:
            raise _refuse(f"{where}.generator", f"rows of {bits} bits in hexadecimal", row)
    return head


_CLASSES = _list(_integer(-1, 1 << 32), 1 << 12)
_NETWORK = _object({"xor2": _COUNT, "depth": _COUNT})

# What is said of the decoder: read by the proof and by people. Each kind has those that mean something for it.
_DECODER: dict[str, Check] = {
    "code": _code,
    "n_w": _integer(1, 64),
    "n_out": _integer(1, 1 << 16),
    "dtype": _text,
    "patches_per_block": _integer(0, 1 << 16),
    "gap_bits": _integer(0, 32),
    "bounded": _flag,
    "length_bits": _integer(0, 32),
    "dense_corrections": _flag,
    "patch_lanes": _flag,
    "network": _NETWORK,
    "groups": _list(_object({"planes": _integer(1, 64), "code": _code, "network": _NETWORK}), 64, 1),
    "book": _object(
        {
            "magnitude": _one_of(*MAGNITUDES),
            "lengths": _CLASSES,
            "tails": _CLASSES,
            "prefixes": _CLASSES,
        }
    ),
    "words": _text,  # the kind of words that are neither raw nor a book's: it has no reference yet
    "mask_code": _mask_code,
    "mask_kind": _one_of("none", "bitmap", "shaped"),
    "inversion": _or_null(_BITS),
    "inversion_port": _flag,
    "constant_planes": _BITS,
    "transform": _one_of(*TRANSFORMS),
    "mask": _flag,
    "input_register": _flag,
    "output_register": _flag,
    "skid_buffers": _flag,
    "max_depth": _or_null(_integer(1, 1 << 20)),
    "rates": _list(_integer(1, 1 << 16), 1 << 10),
    "block_lengths": _flag,
    "segments": _integer(1, 1 << 10),
    "lanes": _integer(1, 1 << 16),
    "longest_code": _integer(1, 1 << 16),
}
_VECTORS = _object(
    {"blocks": _integer(1, _MOST_WORDS)},
    {
        "tensor": _or_null(lambda value, where: value if isinstance(value, str) else _text(value, where)),
        "seed": _or_null(_integer(-(1 << 63), (1 << 64) - 1)),
        "tensor_blocks": _COUNT,
        "segment_blocks": _COUNT,
        "inversion": _BITS,
    },
)
_LAYOUT = _object(
    {},
    {
        "tensor": _or_null(lambda value, where: value if isinstance(value, str) else _text(value, where)),
        "shape": _list(_COUNT, 64),
        "weights": _COUNT,
        "scan": _text,
        "block": _COUNT,
        "padding": _COUNT,
        "segment_blocks": _COUNT,
        "blocks": _COUNT,
        "inversion": _BITS,
        "bits": _text,
    },
)
_HEAD: dict[str, Check] = {
    "format": _one_of(FORMAT),
    "version": _integer(FORMAT_VERSION, FORMAT_VERSION),
    "generator": _text,
    "kind": _text,
    "top": _name,
    "streams": _object({"inputs": _list(_STREAM, 1 << 12), "output": _STREAM}),
    "static": _list(
        _object({"pin": _name, "width": _integer(1, 64), "value": _BITS}),
        100,
    ),
    "flags": _list(_pin, 100),
    "scenes": _list(_SCENE, _MOST_SCENES),
    "latency": _integer(0, 1 << 12),
    "outputs_per_cycle": _integer(1, 1 << 30),
    "full_rate": _flag,
    "endless": _flag,
    "vectors": _VECTORS,
    "layout": _list(_LAYOUT, 1 << 16),
    "verilog": _list(_path, 16, 1),
    "testbench": _path,
    "core": _path,
    "files": _list(_path, 1 << 14, 1),
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
                f"the manifest must have version {FORMAT_VERSION}, not {_shown(entries.get('version'))}:"
                " generate the decoder again"
            )
        for key in _HEAD:
            if key not in entries:
                raise InputError(f"the manifest must have the entry {key}")
        known = {**_HEAD, **_DECODER}
        for key in entries:
            if key not in known:
                raise InputError(f"the manifest must have no entry {_shown(key)}: it is not known")
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
            decoder={key: found[key] for key in _DECODER if key in found},
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
                raise _refuse(f"value of {pin}", f"of {width} bits", value)
        prefixes = {stream.prefix for stream in self.streams}
        for scene in self.scenes:
            if set(scene.words) != prefixes:
                raise InputError(f"the manifest's scene {_shown(scene.name)} must have words of every stream")
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
                        f"{path} must have words of {bits} bits in hexadecimal, not {_shown(line)}"
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
    path = directory / MANIFEST
    if not os.path.lexists(path):
        raise InputError(f"{directory} must be a folder that generate wrote, but has no {MANIFEST}")
    try:
        entries = json.loads(_read(path, _MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} must be a manifest that generate wrote: {str(error)[:200]}") from None
    manifest = Manifest.parse(entries)
    for name in manifest.files:
        _confined(directory, name)
    for name in manifest.verilog:
        check_verilog(name, _read(directory / name, 1 << 30).decode("utf-8", "replace"))
    return manifest


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
_FOREIGN = re.compile(r"[`$\"\\]|\b(import|export|bind|program|force|deassign)\b")


def check_verilog(name: str, text: str) -> None:
    """Refuse Verilog that does more than describe hardware: it would run inside the simulator.

    Raises
    ------
    InputError
        The text has a system task, a directive, a string, an escaped name or a foreign function.
    """
    bare = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    found = _FOREIGN.search(_DIRECTIVES.sub(" ", bare))
    if found:
        around = bare[found.start() :][:20] if found[0] in '`$"\\' else found[0]
        raise InputError(f"{name} must only describe hardware, but has {_shown(around)}")


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
