"""The one way a rule says no, and how an unexpected error is named in a log."""

import traceback
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


class Refused(Exception):
    """A verb refuses: `code` for programs, `sentence` for people (spec §3, house §2).

    `field` names the input that caused it, where one did.
    """

    def __init__(self, code: str, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.field = field


class NotAllowed(Refused):
    """The caller's role or scope does not permit the action."""

    def __init__(self, sentence: str = "Your role does not allow this. Ask an admin.") -> None:
        super().__init__("not_allowed", sentence)


def trail(error: BaseException) -> list[str]:
    """The lines of this package that an error came through, innermost last, such as `drivers/workflow.py:12`.

    Its words stay out of logs: a database's refusal quotes the row, and with it somebody's number (spec §11).
    """
    frames = traceback.extract_tb(error.__traceback__)
    return [
        f"{Path(frame.filename).relative_to(PACKAGE)}:{frame.lineno}"
        for frame in frames
        if Path(frame.filename).is_relative_to(PACKAGE)
    ]
