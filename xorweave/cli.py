"""The command line: it wires the commands, each loaded when it is used, and turns what goes wrong into one line."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import warnings
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from xorweave import __version__
from xorweave.cached_kernels import load_cached_kernels_alone
from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.extras import EXTRA_OF, install_advice
from xorweave.golden.base.printable import printable
from xorweave.guard import give_caches, run_guarded

#: The commands and what they do. A command is the function of its name in the module of its name.
COMMANDS = {
    "demo": "The whole flow on one real pruned layer: one table and a page.",
    "encode": "Encode the tensors of a file losslessly.",
    "merge": "Put the parts together that encode --shard wrote.",
    "verify": "Check every checksum of a container, and decode everything in it.",
    "decode": "Decode a container: bit for bit the weights that were encoded, pruned ones zero.",
    "inspect": "Print what a container holds.",
    "report": "Write one page about a model: bits against the bound, care bits, decoder, what was carried.",
    "generate": "Write a decoder in Verilog with golden vectors and a test bench that needs no Python.",
    "simulate": "Simulate a generated decoder and compare every word of every cycle with the golden model.",
    "synth": "Count a decoder's gates, prove its netlist, give area and clock.",
    "explore": "Measure many codes and decoders: overhead against gates.",
    "spmv": "Multiply each layer by a vector: simulated engines, processor, GPU where there is one.",
    "infer": "Run a pruned network on images, every layer through one simulated engine.",
    "codecs": "Store the same tensor in every format and compare.",
    "prune": "Prune a network in one shot and write the pruned weights.",
    "sparsity": "Count the connections that are kept, and those that are alive.",
    "reproduce": "Measure the paper's tables.",
}

#: No line of an error is longer, whatever names are in it.
LONGEST_LINE = 500
_INTERRUPTED = 128 + signal.SIGINT


class _Command(TyperCommand):
    """A command that is imported when it is run or its own help is asked for."""

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        module = importlib.import_module(f"xorweave.commands.{self.name}")
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        app.command(self.name)(getattr(module, str(self.name)))
        return typer.main.get_command(app).make_context(info_name, args, parent=parent, **extra)


class _Commands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        return _Command(cmd_name, callback=None, help=COMMANDS[cmd_name])


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: drawing it takes longer to load than all the rest
    help="Lossless fixed-to-fixed XOR codes for pruned neural-network weights, from encoder to gates.",
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"xorweave {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Options before a command."""


def main() -> None:
    """Run the command line; bad input ends with one line on standard error and status 2."""
    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal cannot show is shown by its escape; it is no reason to stop
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:
        # what a library warns its programmer of is no line for who runs a command; python -W shows it
        warnings.simplefilter("ignore")
    # a process that has loaded more than this file belongs to somebody else, who cannot be split
    if sys.argv[1:2] and sys.argv[1] in COMMANDS and "--help" not in sys.argv and "numpy" not in sys.modules:
        # loading makes objects that stay: looking through them again and again takes a tenth of a second
        gc.set_threshold(50_000, 20, 50)
        give_caches()
        load_cached_kernels_alone()
        run_guarded()
    sys.exit(_status())


def _status() -> int:
    """Run the command line and return its exit status."""
    try:
        status = int(app(standalone_mode=False) or 0)
        if status == _INTERRUPTED:
            _say("interrupted")
        sys.stdout.flush()
        return status
    except TyperException as error:
        # a usage error in one line; without any argument the message is the help itself
        if len(sys.argv) < 2:
            print(error.format_message(), file=sys.stderr)
        else:
            _say(f"{error.format_message().rstrip('. ')} (see xorweave --help)")
        return error.exit_code
    except ToolError as error:
        # a tool failed on input that was right: not the status of bad input
        _say(str(error))
        return 1
    except InputError as error:
        _say(str(error))
        return 2
    except BrokenPipeError:
        # nobody reads on; what Python still wants to write goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        _say(f"this needs the package {package}: {install_advice(EXTRA_OF[package])}")
        return 2
    except OSError as error:
        _say(_reason(error))
        return 2
    except MemoryError as error:
        _say(f"there is not enough memory for this{f': {error}' if str(error) else ''}")
        return 2
    except UnicodeError as error:
        _say(f"a name or a text must be valid text: {error}")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted")
        return _INTERRUPTED


def _reason(error: OSError) -> str:
    """Say what the system refused, and for which file."""
    files = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*files, error.strerror or str(error) or type(error).__name__])


def _say(message: str) -> None:
    """Print one line on standard error: control characters escaped, of bounded length."""
    line = printable(" ".join(message.split()))
    if len(line) > LONGEST_LINE:
        half = LONGEST_LINE // 2
        line = f"{line[:half]} ... {line[-half:]}"
    print(f"xorweave: {line}", file=sys.stderr)


if __name__ == "__main__":
    main()
