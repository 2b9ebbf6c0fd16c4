"""`make mutations`: that each can be made, which takes no time; what they show takes minutes."""

import pytest

from loadtest.process import ROOT
from tests.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.mechanism)
def test_a_mutation_can_be_made(mutation: Mutation) -> None:
    """What it takes away stands in its file once, and the test that must fail is there."""
    assert (ROOT / mutation.file).read_text().count(mutation.text) == 1
    file, _, test = mutation.test.partition("::")
    assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text()
