"""What core functions raise. Theirs carries a code and a sentence; ours is any other exception."""


class Refused(Exception):  # noqa: N818  it is an answer, not an error
    """A request that cannot be granted: who asks did something they can change.

    Each subclass has one HTTP status (`server.web.refusals` maps it) and its message is shown as it is.
    """

    code = "E-REFUSED"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code


class NotSignedIn(Refused):
    """401."""

    code = "E-SIGN-IN"


class NotAllowed(Refused):
    """403."""

    code = "E-NOT-ALLOWED"


class NotFound(Refused):
    """404, also for what belongs to another team."""

    code = "E-NOT-FOUND"


class Conflict(Refused):
    """409: the thing is not in a state for this."""

    code = "E-CONFLICT"


class StaleToken(Conflict):
    """409: the job belongs to a later attempt, or to nobody."""

    code = "E-STALE"


class TooLarge(Refused):
    """413."""

    code = "E-TOO-LARGE"


class LengthRequired(Refused):
    """411."""

    code = "E-LENGTH"


class Invalid(Refused):
    """422: a value that cannot be used."""

    code = "E-INVALID"


class OverQuota(Refused):
    """429: no tries left, or one already waits."""

    code = "E-QUOTA"


class NoRoom(Refused):
    """507: nothing that who asks did, and nothing of it is kept."""

    code = "E-NO-ROOM"


class Closed(Refused):
    """403: before the opening or after the deadline."""

    code = "E-CLOSED"
