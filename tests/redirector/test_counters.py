"""The names of counters."""

from redirector.counters import campaigns_of, field
from tracking.clicks import Audience, Hour


def test_fields_name_their_campaigns() -> None:
    """Whatever else is among them, as in a spool that a later version wrote, is passed over."""
    fields = [field(7, Hour(500_000), Audience.HUMAN), "12:500000:later", "", "x:1", "-3:1:human"]
    assert campaigns_of(fields) == {7, 12}
