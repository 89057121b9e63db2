"""The exceptions that mean "the input is wrong" and "a tool failed", as opposed to a defect of ours."""


class InputError(ValueError):
    """Bad input: the message is one line that names what is wrong and what would be right.

    The command line prints the message and exits with status 2; library users may catch it as ``ValueError``.
    """


class ToolError(RuntimeError):
    """A tool (compiler, simulator, Yosys) failed on input that was right; the message is its own last error line.

    The command line prints the message and exits with status 1.
    """
