"""Who asks for what: what the door found out, for whoever answers."""

from dataclasses import dataclass

from tracking.access.sessions import Session
from tracking.access.users import Membership, Role, User
from tracking.campaigns import Campaign
from tracking.organizers import Event


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is signed in.

    Attributes:
        csrf_key: what their forms' tokens are made with (`csrf.py`).
        memberships: by organizers' slugs.
    """

    session: Session
    csrf_key: str
    memberships: tuple[Membership, ...]

    @property
    def user(self) -> User:
        """Who it is."""
        return self.session.user

    @property
    def author(self) -> str:
        """Who writes, for the log of changes."""
        return f"user {self.user.id}"

    def membership(self, organizer: str) -> Membership | None:
        """Their role for the organizer with this slug; None = it is none of theirs."""
        return next((each for each in self.memberships if each.organizer == organizer), None)

    def is_admin_anywhere(self) -> bool:
        """Whether there is anything for them to set."""
        return any(each.role is Role.ADMIN for each in self.memberships)


@dataclass(frozen=True, slots=True)
class OrganizerVisit(Visit):
    """To what belongs to an organizer of theirs."""

    organizer: Membership

    def may(self, role: Role) -> bool:
        """Whether their role allows what needs this one."""
        return self.organizer.role.allows(role)

    @property
    def may_edit(self) -> bool:
        """Whether they make and change links."""
        return self.may(Role.EDITOR)

    @property
    def may_manage(self) -> bool:
        """Whether they manage users, tokens and events."""
        return self.may(Role.ADMIN)


@dataclass(frozen=True, slots=True)
class EventVisit(OrganizerVisit):
    """To an event, or what belongs to it."""

    event: Event


@dataclass(frozen=True, slots=True)
class CampaignVisit(EventVisit):
    """To a campaign of the event."""

    campaign: Campaign
