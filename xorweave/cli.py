"""The command line: it wires the commands and turns bad input into one line and exit status 2."""

from __future__ import annotations

import sys

import typer
from typer.exceptions import TyperException

from xorweave import __version__
from xorweave.commands.codecs import codecs
from xorweave.commands.decode import decode
from xorweave.commands.demo import demo
from xorweave.commands.encode import encode
from xorweave.commands.explore import explore
from xorweave.commands.generate import generate
from xorweave.commands.inspect import inspect
from xorweave.commands.prune import prune
from xorweave.commands.reproduce import reproduce
from xorweave.commands.simulate import simulate
from xorweave.commands.sparsity import sparsity
from xorweave.commands.spmv import spmv
from xorweave.commands.synth import synth
from xorweave.commands.verify import verify
from xorweave.golden.base.errors import InputError
from xorweave.synth.flow.tool_process import ToolError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Lossless fixed-to-fixed XOR codes for pruned neural-network weights, from encoder to gates.",
)
for command in (
    demo, encode, verify, decode, inspect, generate, simulate, synth, explore, spmv, codecs, prune, sparsity, reproduce,
):  # fmt: skip
    app.command()(command)


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
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except TyperException as error:
        # a usage error in one line; without any argument the message is the help itself
        if len(sys.argv) < 2:
            print(error.format_message(), file=sys.stderr)
        else:
            line = " ".join(error.format_message().split()).rstrip(".")
            print(f"xorweave: {line} (see xorweave --help)", file=sys.stderr)
        sys.exit(error.exit_code)
    except InputError as error:
        print(f"xorweave: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except ToolError as error:
        # a tool failed on input that was right: one line, but not the status of bad input
        print(f"xorweave: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        print("xorweave: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)


if __name__ == "__main__":
    main()
