"""Why a CRM did not do what it was asked. The texts name nobody."""


class CrmError(Exception):
    """A CRM did not do what it was asked; the text says why."""


class Unavailable(CrmError):
    """It may do it later: it is away, slow, asks for peace, or does not let us in. Not before `wait_s`, as far as it is
    known."""

    def __init__(self, cause: str, wait_s: float = 0.0) -> None:
        super().__init__(cause)
        self.wait_s = wait_s


class NotLetIn(Unavailable):
    """It does not know us: somebody has to mend the credentials."""


class Rejected(CrmError):
    """It will not do this, however often it is asked. `is_answer`: it said so itself, and so it let us in."""

    def __init__(self, cause: str, *, is_answer: bool = False) -> None:
        super().__init__(cause)
        self.is_answer = is_answer


class NotOffered(CrmError):
    """Its connector has no such operation."""
