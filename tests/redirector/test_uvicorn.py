"""What the express lane relies on inside uvicorn, which may change with any of its versions."""

import ast
import inspect
from importlib.metadata import version
from textwrap import dedent

import h11
import pytest
from h11._receivebuffer import ReceiveBuffer
from uvicorn.protocols.http import h11_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from redirector.http.protocol import ExpressCycle

CHANGED = (
    f"uvicorn {version('uvicorn')} differs from the one that serving/protocol.py was written "
    "for: read its h11_impl.py, adapt both lanes, then this test"
)

# What uvicorn's protocol does with the request under way, in whichever method.
USES_OF_THE_CYCLE = {
    "connection_lost": {"response_complete", "disconnected", "message_event"},
    "handle_events": {"run_asgi", "body", "more_body", "message_event"},
    "shutdown": {"response_complete", "keep_alive"},
}
# Of these, body and end of a message only concern a request that came through h11.
USES_OF_AN_EXPRESS_CYCLE = {"response_complete", "disconnected", "message_event", "keep_alive"}

SIGNATURES = {
    "__init__": ["self", "config", "server_state", "app_state", "_loop"],
    "connection_made": ["self", "transport"],
    "connection_lost": ["self", "exc"],
    "data_received": ["self", "data"],
    "handle_events": ["self"],
    "on_response_complete": ["self"],
    "send_400_response": ["self", "msg"],
    "shutdown": ["self"],
    "pause_writing": ["self"],
    "resume_writing": ["self"],
    "_should_upgrade": ["self"],
}
ATTRIBUTES = {
    "access_log", "access_logger", "client", "conn", "connections", "cycle", "flow",
    "limit_concurrency", "logger", "root_path", "server_state", "timeout_keep_alive", "transport",
}  # fmt: skip

# What an answered request does to its connection: serving/protocol.py does the same, but without a
# timer for each, and reads on only when what came before is read.
ON_RESPONSE_COMPLETE = """
self.server_state.total_requests += 1
if self.transport.is_closing():
    return
self._unset_keepalive_if_required()
self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
self.flow.resume_reading()
if self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE:
    self.conn.start_next_cycle()
    self.handle_events()
"""  # noqa: E501 - as ast.unparse writes it


def methods(of: type) -> dict[str, ast.FunctionDef]:
    """A class's methods, parsed."""
    module = ast.parse(inspect.getsource(h11_impl))
    [parsed] = [
        node for node in module.body if isinstance(node, ast.ClassDef) and node.name == of.__name__
    ]
    return {node.name: node for node in parsed.body if isinstance(node, ast.FunctionDef)}


def attributes_of(method: ast.FunctionDef, owner: str) -> set[str]:
    """The attributes that a method reads or sets on an expression like `self.cycle`."""
    return {
        node.attr
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == owner
    }


def test_uses_of_the_cycle() -> None:
    """uvicorn asks nothing of a cycle that an `ExpressCycle` has not."""
    uses = {
        name: attributes_of(method, "self.cycle") | attributes_of(method, "existing_cycle")
        for name, method in methods(H11Protocol).items()
    }
    assert {name: used for name, used in uses.items() if used} == USES_OF_THE_CYCLE, CHANGED
    [init] = ast.parse(dedent(inspect.getsource(ExpressCycle.__init__))).body
    assert isinstance(init, ast.FunctionDef)
    assert attributes_of(init, "self") >= USES_OF_AN_EXPRESS_CYCLE, CHANGED


@pytest.mark.parametrize(("name", "expected"), SIGNATURES.items(), ids=SIGNATURES)
def test_methods(name: str, expected: list[str]) -> None:
    """The methods that are overridden or called take what they took."""
    method = getattr(H11Protocol, name, None)
    assert method is not None, CHANGED
    assert list(inspect.signature(method).parameters) == expected, CHANGED


def test_attributes() -> None:
    """The attributes that are read are still there."""
    missing = ATTRIBUTES - attributes_of(methods(H11Protocol)["__init__"], "self")
    assert not missing, f"{missing} missing; {CHANGED}"
    state = vars(ServerState())
    assert {"total_requests", "connections", "tasks", "default_headers"} <= set(state), CHANGED
    assert "self.write_paused" in inspect.getsource(FlowControl), CHANGED
    # Each may be called when it has nothing to do.
    for name, condition in (
        ("pause", "if not self.read_paused:"),
        ("resume", "if self.read_paused:"),
    ):
        method = getattr(FlowControl, f"{name}_reading", None)
        assert method is not None, CHANGED
        assert condition in inspect.getsource(method), CHANGED


def test_a_lost_connection() -> None:
    """What waited for SQL must not go to Starlette then; the cycle says so."""
    lost = ast.unparse(methods(H11Protocol)["connection_lost"])
    assert "self.cycle.disconnected = True" in lost, CHANGED


def test_whoever_reads_a_request_asks_about_upgrades() -> None:
    """So the protocol learns that a head is there."""
    assert "if self._should_upgrade():" in ast.unparse(methods(H11Protocol)["handle_events"]), (
        CHANGED
    )


def test_the_buffer_of_h11() -> None:
    """serving/connection.py looks into it, and marks a connection as broken as h11 does."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET /")
    assert connection._receive_buffer._data == bytearray(b"GET /"), CHANGED
    connection._receive_buffer = ReceiveBuffer()
    assert connection.trailing_data == (b"", False), CHANGED
    connection._process_error(h11.CLIENT)
    assert connection.their_state is h11.ERROR, CHANGED


def test_what_a_response_does_at_its_end() -> None:
    """The last steps of an answer are the ones that the express lane calls."""
    steps = methods(H11Protocol)["on_response_complete"].body
    assert "\n".join(map(ast.unparse, steps)) == ON_RESPONSE_COMPLETE.strip(), CHANGED
    send = inspect.getsource(RequestResponseCycle.send)
    assert """'%s - "%s %s HTTP/%s" %d',""" in send, CHANGED
