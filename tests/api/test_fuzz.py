"""Whatever comes in a body, the answer is the contract's: never a 500, never a wrong shape."""

import json
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.conftest import Organizer, Served

FIELDS = {
    "campaigns": ["code", "description", "external_target", "id", "click_count"],
    "categories": ["name", "internal_name", "description", "position", "is_addon"],
}

# Lone surrogates too, which JSON can escape and neither SQL nor UTF-8 can hold.
texts = st.text(st.characters(codec=None)) | st.sampled_from(
    ["", " ", "\0", "\ud800", "true", "7", "7.0", "-0", "1e5", "http://a.example/", "http://[", "@"]
)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(texts | st.sampled_from(["en", "de"]), inner),
    max_leaves=8,
)


def _bodies(resource: str) -> st.SearchStrategy[object]:
    return st.dictionaries(st.sampled_from(FIELDS[resource]) | texts, values) | values


@pytest.fixture(scope="module")
def client(served: Served, organizer: Organizer) -> Iterator[httpx.Client]:
    """A client of an event that the tests of this module share."""
    with httpx.Client(
        base_url=f"{served.url}/api/v1/organizers/{organizer.slug}/events/winter/",
        headers={"Authorization": f"Token {organizer.full}", "Content-Type": "application/json"},
        timeout=30,
        verify=False,
    ) as client:
        yield client


@pytest.fixture(scope="module")
def items(client: httpx.Client) -> dict[str, str]:
    """The path of an item of each resource."""
    paths = {}
    for resource in FIELDS:
        made = client.post(f"{resource}/", json={"name": "x", "description": "x"})
        paths[resource] = f"{resource}/{made.json()['id']}/"
    return paths


@pytest.mark.parametrize("resource", FIELDS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_json_gets_a_proper_answer(
    client: httpx.Client, items: dict[str, str], resource: str, method: str, data: st.DataObject
) -> None:
    """It is stored and reads back alike, or it is a 400 with messages for known fields."""
    body = data.draw(_bodies(resource))
    path = f"{resource}/" if method == "POST" else items[resource]
    response = client.request(method, path, content=json.dumps(body))
    answer = response.json()
    if response.status_code == 400:
        assert set(answer) <= {*FIELDS[resource], "non_field_errors"}
        assert all(isinstance(message, str) for messages in answer.values() for message in messages)
    else:
        assert response.status_code == (201 if method == "POST" else 200)
        assert client.get(f"{resource}/{answer['id']}/").json() == answer
        if method == "POST":
            assert client.delete(f"{resource}/{answer['id']}/").status_code == 204


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"],
)
@settings(max_examples=50, deadline=None)
@given(content=st.binary() | st.binary().map(lambda part: b"--b\r\n" + part + b"\r\n--b--\r\n"))
def test_any_bytes_get_a_proper_answer(
    client: httpx.Client, content_type: str, content: bytes
) -> None:
    """Bytes that are no body of their type are a 400."""
    response = client.post("campaigns/", content=content, headers={"Content-Type": content_type})
    assert response.status_code == 400
    assert response.json()
