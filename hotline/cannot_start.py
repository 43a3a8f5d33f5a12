"""Why the server does not start, in words for whoever started it."""

import os
import ssl


class CannotStart(RuntimeError):
    """The server cannot start; the text says why and what mends it."""


def cause(error: OSError) -> str:
    """Return the system's words alone: uvloop hides them behind its own, `create_server` repeats the address."""
    if isinstance(error, ssl.SSLError):  # its errno is OpenSSL's, and means something else to the system
        return error.reason or str(error)
    if error.errno is None and isinstance(error.__cause__, OSError):
        error = error.__cause__
    return os.strerror(error.errno) if error.errno else str(error)
