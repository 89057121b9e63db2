"""The commands wired up, each loaded when it is used; what goes wrong becomes one line."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from xorweave import __version__
from xorweave.commands import COMMANDS
from xorweave.commands.console import tell
from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.extras import EXTRA_OF, install_advice

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


def run_command() -> int:
    """Run the command line and return its exit status."""
    try:
        status = int(app(standalone_mode=False) or 0)
        if status == _INTERRUPTED:
            tell("interrupted")
        sys.stdout.flush()
        return status
    except TyperException as error:
        # a usage error in one line; without any argument the message is the help itself
        if len(sys.argv) < 2:
            print(error.format_message(), file=sys.stderr)
        else:
            tell(f"{error.format_message().rstrip('. ')} (see xorweave --help)")
        return error.exit_code
    except ToolError as error:
        # a tool failed on input that was right: not the status of bad input
        tell(str(error))
        return 1
    except InputError as error:
        tell(str(error))
        return 2
    except BrokenPipeError:
        # nobody reads on; what Python still wants to write goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        tell(f"this needs the package {package}: {install_advice(EXTRA_OF[package])}")
        return 2
    except OSError as error:
        tell(_reason(error))
        return 2
    except MemoryError as error:
        tell(f"there is not enough memory for this{f': {error}' if str(error) else ''}")
        return 2
    except UnicodeError as error:
        tell(f"a name or a text must be valid text: {error}")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        tell("interrupted")
        return _INTERRUPTED


def _reason(error: OSError) -> str:
    """Say what the system refused, and for which file."""
    files = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*files, error.strerror or str(error) or type(error).__name__])
