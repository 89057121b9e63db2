"""Where the program begins: as little as possible is loaded before a signal finds somebody who answers it."""

from __future__ import annotations

import os
import signal
import sys

from xorweave.commands import COMMANDS


def main() -> None:
    """Run the command line; bad input ends with one line on standard error and status 2."""
    _open_standard_streams()
    # a process that has loaded more than this file belongs to somebody else, who cannot be split
    if sys.argv[1:2] and sys.argv[1] in COMMANDS and "--help" not in sys.argv and "numpy" not in sys.modules:
        _split()
    import warnings

    from xorweave.command_line import run_command

    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal cannot show is shown by its escape; it is no reason to stop
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:
        # what a library warns its programmer of is no line for who runs a command; python -W shows it
        warnings.simplefilter("ignore")
    sys.exit(run_command())


def _open_standard_streams() -> None:
    """Open what the caller closed: else the first file that is written would be standard output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _split() -> None:
    """Go on in a process that is guarded. Until it is, Ctrl-C ends this one without a word of Python's."""
    interrupts = signal.getsignal(signal.SIGINT)
    if interrupts is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    import gc

    from xorweave.guard import give_caches, run_guarded

    # loading makes objects that stay: looking through them again and again takes a tenth of a second
    gc.set_threshold(50_000, 20, 50)
    give_caches()
    guarded = run_guarded()
    if not guarded:
        signal.signal(signal.SIGINT, interrupts)
    from xorweave.cached_kernels import load_cached_kernels_alone

    load_cached_kernels_alone()


if __name__ == "__main__":
    main()
