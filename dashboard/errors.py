"""What can't be shown or done: the only place that knows these answers' statuses and words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:  # the door raises these
    from dashboard.access.visit import Visit


class PageError(Exception):
    """An answer that is a page saying what is wrong.

    Args:
        visit: who asked, when they are signed in.
        title: what is wrong, in a few words.
        text: what can be done about it.
    """

    def __init__(
        self,
        status: int,
        visit: "Visit | None",
        title: str,
        text: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, title)
        self.status = status
        self.visit = visit
        self.title = title
        self.text = text
        self.headers = dict(headers or {})

    @classmethod
    def not_found(cls, visit: "Visit | None") -> Self:
        """Nothing here, or nothing of theirs: nobody learns which."""
        text = "It may be misspelt, or deleted, or not yours to see."
        return cls(404, visit, "There is nothing here", text)

    @classmethod
    def forbidden(cls, visit: "Visit | None") -> Self:
        """Theirs to see, and not to do."""
        text = "Your role does not allow this. An admin of the organizer can change your role."
        return cls(403, visit, "This is not yours to do", text)

    @classmethod
    def not_our_form(cls, visit: "Visit | None") -> Self:
        """A form that no page of ours can have sent, or an old one."""
        text = (
            "Nothing was changed. The page was open for too long, or another site sent you here. "
            "Go back, reload the page and try again."
        )
        return cls(403, visit, "This form is out of date", text)

    @classmethod
    def method_not_allowed(cls, visit: "Visit | None", methods: list[str]) -> Self:
        """Nothing that can be asked of this address."""
        allow = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
        title = "That can\u2019t be done here"
        return cls(405, visit, title, "Go back and try again.", {"Allow": allow})

    @classmethod
    def too_large(cls, visit: "Visit | None", limit: int) -> Self:
        """A form of more bytes than anything needs."""
        text = f"A form may have {limit // 1024:,} KiB here. Nothing was changed."
        return cls(413, visit, "That is too much at once", text)

    @classmethod
    def unreadable(cls, visit: "Visit | None") -> Self:
        """A body that is no form."""
        return cls(400, visit, "This form can\u2019t be read", "Nothing was changed.")

    @classmethod
    def not_shared(cls) -> Self:
        """A shared address that shows nothing, or not any more: nobody learns which."""
        text = "This address shows nothing, or not any more. Ask who gave it to you for another."
        return cls(404, None, "Nothing is shared here", text)

    @classmethod
    def wrong_range(cls, visit: "Visit | None", text: str) -> Self:
        """An address that asks for days that can't be meant."""
        return cls(400, visit, "These days can\u2019t be shown", text)

    @classmethod
    def unforeseen(cls) -> Self:
        """A fault of this program."""
        text = "This is a fault of the program, and in its log. Links go on working."
        return cls(500, None, "Something went wrong", text)

    @classmethod
    def unavailable(cls) -> Self:
        """SQL can't be used."""
        text = "The database can\u2019t be used right now. Links go on working. Please try again."
        return cls(503, None, "One moment, please", text, {"Retry-After": "5"})
