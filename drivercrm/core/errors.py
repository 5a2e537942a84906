"""The one way a rule says no."""


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
