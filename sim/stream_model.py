"""Runs a design with many valid/ready streams in Verilator, from a C++ main loop: fast enough for whole layers.

Streams are files of fixed-size records. A record is the values of a stream's pins, one after another, each in
the bytes that Verilator keeps it in; so the loop copies and compares memory and knows nothing of the design.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.sim.simulators import require
from xorweave.sim.verilator_build import MAKE_VARIABLES, build_folder, run_build

_MAIN = r"""
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#include "Vtop.h"
#include "verilated.h"

struct Pin { void* at; size_t bytes; };
struct Stream {
    const char* name; CData* valid; CData* ready; std::vector<Pin> pins; int group;  // 1: limited, 2: recorded
    std::vector<unsigned char> data; size_t record = 0, count = 0, done = 0, wrong = 0, moves = 0;
    uint64_t first = 0, last = 0;
    bool offered = false, waiting = false;
    std::vector<uint64_t> after;  // records that must have left before each of these is offered; none: no such bound
    std::vector<unsigned char> seen;
    unsigned met = 0;  // bit 0, 1, 2: paused at the first record, inside, at the last; 3, 4, 5: held up there
    void note(unsigned kind) {
        if (done < count) met |= 1u << (kind + (done == 0 ? 0 : done + 1 == count ? 2 : 1));
    }
    void read(const std::string& folder) {
        for (const Pin& pin : pins) record += pin.bytes;
        std::string path = folder + "/" + name + ".bin";
        FILE* file = fopen(path.c_str(), "rb");
        if (!file) { fprintf(stderr, "cannot read %s\n", path.c_str()); exit(2); }
        fseek(file, 0, SEEK_END);
        data.resize(ftell(file));
        rewind(file);
        if (!data.empty() && fread(data.data(), 1, data.size(), file) != data.size()) exit(2);
        fclose(file);
        count = data.size() / record;
        seen.resize(record);
        file = fopen((path + ".after").c_str(), "rb");
        if (!file) return;
        after.resize(count);
        if (count && fread(after.data(), sizeof(uint64_t), count, file) != count) exit(2);
        fclose(file);
    }
    void restart() {
        done = wrong = moves = 0;
        first = last = 0;
        offered = waiting = false;
    }
    // an output that was not taken stays as it is
    bool moved() {
        bool other = waiting && !*valid;
        unsigned char* at = seen.data();
        for (const Pin& pin : pins) {
            other |= waiting && memcmp(at, pin.at, pin.bytes);
            memcpy(at, pin.at, pin.bytes);
            at += pin.bytes;
        }
        waiting = *valid && !*ready;
        return other;
    }
    void drive() {
        const unsigned char* from = &data[done * record];
        for (const Pin& pin : pins) { memcpy(pin.at, from, pin.bytes); from += pin.bytes; }
    }
    bool equal() {
        if (done >= count) return false;
        unsigned char* from = &data[done * record];
        for (const Pin& pin : pins) {
            if (group == 2) { memcpy(from, pin.at, pin.bytes); from += pin.bytes; continue; }
            if (memcmp(pin.at, from, pin.bytes)) return false;
            from += pin.bytes;
        }
        return true;
    }
};

static uint64_t state;
static unsigned draw() {  // xorshift64*
    state ^= state >> 12; state ^= state << 25; state ^= state >> 27;
    return (state * 2685821657736338717ull) >> 40;
}

int main(int argc, char** argv) {
    // folder, percent of stalls, seed, most cycles, milli-records a cycle of group 1 (0: no limit), cycle it starts,
    // cycles after which everything is given up, reset and begun again (0: never)
    const std::string folder = argv[1];
    // of the sources and, after a colon, of the sinks
    const unsigned stalls = atoi(argv[2]), sink_stalls = atoi(strchr(argv[2], ':') + 1);
    state = strtoull(argv[3], nullptr, 10) * 2 + 88172645463325252ull;
    const uint64_t most = strtoull(argv[4], nullptr, 10);
    const uint64_t numerator = strtoull(argv[5], nullptr, 10);
    const uint64_t denominator = strtoull(argv[6], nullptr, 10);
    const uint64_t begin = strtoull(argv[7], nullptr, 10);
    uint64_t given_up = strtoull(argv[8], nullptr, 10);
    VerilatedContext context;
    Vtop top{&context};
    std::vector<Stream> in{@inputs@};
    std::vector<Stream> out{@outputs@};
    for (Stream& s : in) s.read(folder);
    for (Stream& s : out) s.read(folder);
    std::vector<std::pair<CData*, uint64_t>> counters{@counters@};
    @static@
    auto reset = [&] {
        top.rst = 1;
        for (int k = 0; k < 4; ++k) { top.clk = 0; top.eval(); top.clk = 1; top.eval(); }
        top.rst = 0;
    };
    reset();
    uint64_t cycles = 0;
    for (bool open = true; open && cycles < most; ++cycles) {
        if (given_up && cycles == given_up) {
            reset();
            for (Stream& s : in) s.restart();
            for (Stream& s : out) s.restart();
            for (auto& counter : counters) counter.second = 0;
            cycles = given_up = 0;
        }
        for (Stream& s : in) {
            if (!s.offered && s.done < s.count) {
                bool there = s.group == 0 || !numerator
                    || (cycles >= begin && (cycles - begin + 1) * numerator >= (s.done + 1) * denominator);
                there &= s.after.empty() || s.after[s.done] <= out[0].done;
                if (there && draw() % 100 >= stalls) { s.offered = true; s.drive(); }
            }
            *s.valid = s.offered;
        }
        for (Stream& s : out) if (s.ready) *s.ready = draw() % 100 >= sink_stalls;
        top.clk = 0;
        top.eval();
        for (Stream& s : out) {
            if (s.ready && s.moved() && s.moves++ < 3 && !given_up)
                printf("CHANGED %s record %zu cycle %llu\n", s.name, s.done, (unsigned long long)cycles);
            if (!*s.valid) continue;
            if (s.ready && !*s.ready) continue;
            if (!s.equal() && s.wrong++ < 3 && !given_up)
                printf("WRONG %s record %zu cycle %llu\n", s.name, s.done, (unsigned long long)cycles);
            if (!s.done++) s.first = cycles;
            s.last = cycles;
        }
        for (auto& counter : counters) counter.second += *counter.first;
        for (Stream& s : in) if (!s.offered) s.note(0); else if (!*s.ready) s.note(3);
        for (Stream& s : out) if (s.waiting) s.note(3);
        for (Stream& s : in) if (s.offered && *s.ready) { ++s.done; s.offered = false; }
        top.clk = 1;
        top.eval();
        open = false;
        for (Stream& s : out) open |= s.done < s.count;
    }
    // whatever still comes is too much
    const uint64_t ended = cycles;
    for (int k = 0; k < 64; ++k) {
        for (Stream& s : in) *s.valid = 0;
        for (Stream& s : out) if (s.ready) *s.ready = 1;
        top.clk = 0; top.eval();
        for (Stream& s : out) if (*s.valid) ++s.wrong;
        top.clk = 1; top.eval();
    }
    printf("CYCLES %llu\n", (unsigned long long)ended);
    for (Stream& s : out) if (s.group == 2) {
        FILE* file = fopen((folder + "/" + s.name + ".bin").c_str(), "wb");
        if (!file || fwrite(s.data.data(), 1, s.data.size(), file) != s.data.size() || fclose(file)) return 2;
    }
    for (Stream& s : in) printf("IN %s %zu %zu %u\n", s.name, s.done, s.count, s.met);
    for (Stream& s : out)
        printf("OUT %s %zu %zu %zu %llu %llu %u\n", s.name, s.done, s.count, s.wrong + s.moves,
               (unsigned long long)s.first, (unsigned long long)s.last, s.met);
    for (size_t k = 0; k < counters.size(); ++k) printf("COUNT %zu %llu\n", k, (unsigned long long)counters[k].second);
    top.final();
    return 0;
}
"""

# The compiled model's optimisation: whole layers run for some ten thousand cycles, small ones compile fast.
_FAST, _QUICK = "-O1", "-O0"


@dataclass(frozen=True)
class StreamPort:
    """A stream of a design: its pins and, beside them, who says that a record passes.

    Attributes
    ----------
    name : str
        Of the stream and its file.
    pins : tuple of (str, int)
        Pins that make a record, with their widths.
    valid : str
    ready : str or None
        None: an output that cannot be made to wait.
    limited : bool
        An input that comes through the memory port, whose rate can be limited.
    recorded : bool
        An output that is written down instead of compared: as many records as the expected ones, in their file.
    """

    name: str
    pins: tuple[tuple[str, int], ...]
    valid: str
    ready: str | None
    limited: bool = False
    recorded: bool = False


def pin_bytes(width: int) -> int:
    """Return the bytes that Verilator keeps a pin in."""
    for bits in (8, 16, 32, 64):
        if width <= bits:
            return bits // 8
    return -(-width // 32) * 4


def pack_bits(bits: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Pack bits, shape (records, width), lowest first, to the bytes of a pin: shape (records, pin_bytes(width))."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    wide = np.zeros((bits.shape[0], pin_bytes(width)), np.uint8)
    wide[:, : packed.shape[1]] = packed
    return wide


def pack_words(words: NDArray, n_w: int) -> NDArray[np.uint8]:
    """Pack words of n_w bits, shape (records, count), word 0 lowest, to the bytes of a pin."""
    count = words.shape[1]
    if n_w % 8 == 0:
        raw = np.ascontiguousarray(words, f"<u{n_w // 8}").view(np.uint8)
        raw = raw.reshape(words.shape[0], count * n_w // 8)
        wide = np.zeros((words.shape[0], pin_bytes(count * n_w)), np.uint8)
        wide[:, : raw.shape[1]] = raw
        return wide
    shifts = np.arange(n_w, dtype=words.dtype)
    bits = (words[:, :, None] >> shifts & words.dtype.type(1)).astype(np.uint8)
    return pack_bits(bits.reshape(words.shape[0], count * n_w), count * n_w)


def pack_integers(values: Sequence[int], width: int) -> NDArray[np.uint8]:
    """Pack Python integers to the bytes of a pin: shape (records, pin_bytes(width))."""
    size = pin_bytes(width)
    raw = b"".join(value.to_bytes(size, "little") for value in values)
    return np.frombuffer(raw, np.uint8).reshape(len(values), size)


def _member(pin: str) -> str:
    # Verilator writes the second of two underscores by its number, as C++ keeps names with both for itself
    return "&top." + pin.replace("__", "___05F")


@dataclass(frozen=True)
class StreamRun:
    """What a run showed.

    Attributes
    ----------
    cycles : int
        From the end of reset to the last record of every output.
    passed : dict of str to int
        Records that went through each stream.
    spans : dict of str to (int, int)
        First and last cycle in which each output gave a record.
    mismatches : int
        Records of outputs that differ, are too many, never came, or changed or went away while they waited.
    counts : tuple of int
        Cycles in which each counted pin was high.
    messages : tuple of str
        The first mismatches in words.
    pairs : int
        Pairs of a stall and a place: an input pauses or is held up, an output is held up, at its first record, inside
        the stream, at its last one.
    unmet : tuple of str
        Those that did not come about.
    """

    cycles: int
    passed: dict[str, int]
    spans: dict[str, tuple[int, int]]
    mismatches: int
    counts: tuple[int, ...]
    messages: tuple[str, ...] = field(default=())
    pairs: int = 0
    unmet: tuple[str, ...] = ()


def _pairs(name: str, count: int, met: int, *, pauses: bool) -> dict[str, bool]:
    """Return the pairs of a stall and a place in a stream of so many records, and whether each was met."""
    places = {0: [], 1: [0], 2: [0, 2]}.get(count, [0, 1, 2])
    kinds = [("pauses", 0), ("is held up", 3)][0 if pauses else 1 :]
    names = ("first", "inside", "last")
    return {f"{name} {what} {names[k]}": bool(met >> shift + k & 1) for what, shift in kinds for k in places}


class StreamModel:
    """A design compiled with Verilator, to be run on any number of stimuli.

    Parameters
    ----------
    verilog : str
        Module ``top`` with ports ``clk``, ``rst`` and those of the streams.
    inputs, outputs : sequence of StreamPort
    folder : path, optional
        Where to compile; the folder keeps the compiled model. By default one that goes with the object.
    counted : sequence of str
        One-bit output pins whose high cycles are counted.
    run_time : sequence of str
        Inputs of up to 64 bits that are held still during a run, at values given for each run.
    fast : bool
        Compile for speed of simulation, not of compilation.

    Raises
    ------
    InputError
        Verilator cannot be run here.
    ToolError
        It could not compile the text.
    """

    def __init__(
        self,
        verilog: str,
        inputs: Sequence[StreamPort],
        outputs: Sequence[StreamPort],
        folder: Path | None = None,
        *,
        counted: Sequence[str] = (),
        run_time: Sequence[str] = (),
        fast: bool = False,
    ) -> None:
        require("verilator")
        if folder is None:
            lent = ExitStack()
            folder = lent.enter_context(build_folder())
            weakref.finalize(self, lent.close)
        self.inputs, self.outputs, self.folder = list(inputs), list(outputs), folder
        main = _MAIN.replace("@inputs@", ",".join(map(self._stream, inputs)))
        main = main.replace("@outputs@", ",".join(map(self._stream, outputs)))
        main = main.replace("@counters@", ",".join(f"{{{_member(pin)}, 0}}" for pin in counted))
        held = (f"*{_member(pin)} = strtoull(argv[{9 + k}], nullptr, 10);" for k, pin in enumerate(run_time))
        main = main.replace("@static@", " ".join(held))
        self.run_time = list(run_time)
        self._main, self._fast = main, fast
        self._build(verilog)

    @property
    def program(self) -> Path:
        """The compiled bench."""
        return self.folder / "bench"

    def rebuilt(self, verilog: str, folder: Path) -> StreamModel:
        """Return the same bench around another text with the same ports."""
        model = copy(self)
        model.folder = folder
        model._build(verilog)
        return model

    def _build(self, verilog: str) -> None:
        """Compile the text and the main loop in the folder, unless that was done."""
        folder, level = self.folder, _FAST if self._fast else _QUICK
        folder.mkdir(parents=True, exist_ok=True)
        key = hashlib.sha256((verilog + self._main + level).encode()).hexdigest()
        mark = folder / "built"
        if mark.exists() and mark.read_text() == key:
            return
        (folder / "top.v").write_text(verilog)
        (folder / "main.cpp").write_text(self._main)
        verilate = ["verilator", "--cc", "--exe", "-Wno-fatal", "-Wno-lint", "--top-module", "top"]
        verilate += ["--prefix", "Vtop", "-Mdir", ".", "-o", "bench", "top.v", "main.cpp"]
        # one C++ file of a small model; several of a large one, whose functions would else be hard on the compiler
        verilate += ["--output-split", "40000" if self._fast else "0"]
        make = ["make", "-j", str(os.cpu_count() or 1), "-f", "Vtop.mk", *MAKE_VARIABLES, f"OPT_FAST={level}"]
        run_build(folder, [verilate, make], "the design", vpi=False)
        mark.write_text(key)

    @staticmethod
    def _stream(port: StreamPort) -> str:
        pins = ",".join(f"{{{_member(pin)}, {pin_bytes(width)}}}" for pin, width in port.pins)
        ready = _member(port.ready) if port.ready else "nullptr"
        group = 2 if port.recorded else int(port.limited)
        return f'{{"{port.name}", {_member(port.valid)}, {ready}, {{{pins}}}, {group}}}'

    def recorded(self, port: StreamPort) -> list[NDArray[np.uint8]]:
        """Return what a recorded output gave in the last run, pin by pin, each of shape (records, bytes)."""
        widths = [pin_bytes(width) for _, width in port.pins]
        raw = np.fromfile(self.folder / f"{port.name}.bin", np.uint8).reshape(-1, sum(widths))
        return np.split(raw, np.cumsum(widths)[:-1], axis=1)

    def run(
        self,
        stimulus: Mapping[str, Sequence[NDArray[np.uint8]]],
        expected: Mapping[str, Sequence[NDArray[np.uint8]]],
        *,
        stalls: int | tuple[int, int] = 0,
        seed: int = 0,
        most_cycles: int,
        rate: tuple[int, int] = (0, 1),
        rate_from: int = 0,
        reset_after: int = 0,
        held: Mapping[str, int] | None = None,
        after: Mapping[str, NDArray[np.uint64]] | None = None,
    ) -> StreamRun:
        """Run the model on streams given pin by pin, each of shape (records, pin_bytes(width)).

        Parameters
        ----------
        stimulus, expected : mapping
            Stream name to the bytes of its pins.
        stalls : int or (int, int)
            Per cent of the cycles in which a free stream hesitates, on either side; or of the sources and of the sinks.
        seed : int
            Of the hesitation.
        most_cycles : int
            Give up after so many.
        rate : (int, int)
            Records a cycle of the limited inputs, as a fraction; (0, 1) is without limit.
        rate_from : int
            First cycle in which limited inputs come.
        reset_after : int
            Cycles after which all is given up, reset and begun again; what is returned is the second run. 0: never.
        held : mapping of str to int
            Values of the `run_time` inputs.
        after : mapping of str to ndarray of uint64, shape (records,)
            Of an input, how many records of the first output must have left before each of its own is offered.
        """
        for port, pins in [
            *((p, stimulus[p.name]) for p in self.inputs),
            *((p, expected[p.name]) for p in self.outputs),
        ]:
            for pin, (name, width) in zip(pins, port.pins, strict=True):
                if pin.ndim != 2 or pin.shape[1] != pin_bytes(width):
                    raise InputError(f"{name} needs {pin_bytes(width)} bytes a record, not {pin.shape}")
            (self.folder / f"{port.name}.bin").write_bytes(np.concatenate(list(pins), axis=1).tobytes())
        for port in self.inputs:
            bound = self.folder / f"{port.name}.bin.after"
            bound.unlink(missing_ok=True)
            if port.name in (after or {}):
                bound.write_bytes((after or {})[port.name].astype("<u8").tobytes())
        sides = stalls if isinstance(stalls, tuple) else (stalls, stalls)
        command = [
            self.program,
            self.folder,
            f"{sides[0]}:{sides[1]}",
            seed,
            most_cycles,
            *rate,
            rate_from,
            reset_after,
        ]
        command += [(held or {})[pin] for pin in self.run_time]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"the simulation failed: {(done.stdout + done.stderr)[-600:]}")
        passed: dict[str, int] = {}
        spans: dict[str, tuple[int, int]] = {}
        counts: list[int] = []
        messages = []
        pairs: dict[str, bool] = {}
        waits = {port.name for port in self.outputs if port.ready}
        cycles = mismatches = 0
        for line in done.stdout.splitlines():
            kind, *words = line.split()
            if kind == "CYCLES":
                cycles = int(words[0])
            elif kind == "IN":
                passed[words[0]] = int(words[1])
                pairs |= _pairs(words[0], int(words[2]), int(words[3]), pauses=True)
            elif kind == "OUT":
                came, wanted, wrong, first, last, met = map(int, words[1:])
                pairs |= _pairs(words[0], wanted, met, pauses=False) if words[0] in waits else {}
                passed[words[0]] = came
                spans[words[0]] = first, last
                mismatches += wrong + max(0, wanted - came)
            elif kind == "COUNT":
                counts.append(int(words[1]))
            else:
                messages.append(line)
        unmet = tuple(name for name, met in pairs.items() if not met)
        return StreamRun(cycles, passed, spans, mismatches, tuple(counts), tuple(messages), len(pairs), unmet)
