"""The one exception that means "the input is wrong", as opposed to a defect of ours."""


class InputError(ValueError):
    """Bad input: the message is one line that names what is wrong and what would be right.

    The command line prints the message and exits with status 2; library users may catch it as ``ValueError``.
    """
