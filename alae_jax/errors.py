"""The one exception that means "the user can fix this"."""


class UserError(Exception):
    """A mistake in a command, config or file, told in one line.

    The entry points print the message without a traceback and exit with
    status 2, so it names the field, file or value and says what to do.
    """
