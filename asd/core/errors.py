"""The one kind of error that a user can cause and mend."""


class UserError(Exception):
    """What is wrong, where, and what to do, in one line.

    Stages and commands print it as ``asd: <message>`` on stderr and exit with 2, without a traceback.
    """
