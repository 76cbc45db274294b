"""What is put into mitmproxy's place gives what it gave."""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from mitmproxy import hooks
from mitmproxy.addons.asgiapp import ASGIApp
from mitmproxy.addons.onboarding import Onboarding
from mitmproxy.connection import Client, Server
from mitmproxy.http import Headers, MessageData, Request, Response
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpRequestHook, HttpResponseHook
from mitmproxy.proxy.server_hooks import ServerConnectHook, ServerConnectionHookData
from mitmproxy.test import tflow
from mitmproxy.utils import asyncio_utils

from everbearer.proxy.speed import parts
from proxy.mitmproxys_own import OWN

MESSAGES = [tflow.tflow(resp=True).request.data, tflow.tflow(resp=True).response.data]


@pytest.mark.parametrize(
    "event",
    [
        HttpRequestHook(tflow.tflow()),
        HttpResponseHook(tflow.tflow(resp=True)),
        ServerConnectHook(ServerConnectionHookData(None, None)),  # type: ignore[arg-type]
        hooks.ConfigureHook({"mode"}),
        hooks.DoneHook(),
        hooks.UpdateHook([tflow.tflow()]),
    ],
    ids=lambda event: event.name,
)
def test_an_event_carries_the_same(event: hooks.Hook):
    """The very values, in their order, in a list of the caller's own."""
    given = parts.args(event)

    assert given is not parts.args(event)
    assert len(given) == len(hooks.Hook.args(event))
    pairs = zip(given, hooks.Hook.args(event), strict=True)
    assert all(a is b for a, b in pairs)


def test_options_read_the_same():
    """Every one of mitmproxy's, at its default and changed, copied where it can be."""
    options = Options()
    options.update(listen_port=8080, mode=["regular@1"], listen_host="::1")
    options.update(add_upstream_certs_to_client_chain=True, http2=False)
    for option in options._options.values():
        given = parts.current(option)

        assert given == option.current()
        assert type(given) is type(option.current())
        if isinstance(given, list):
            assert given is not parts.current(option)


def test_a_fork_has_the_same():
    """Client, options, server; the layers in a list of its own."""
    client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
    context = Context(client, Options())
    context.server = Server(address=("api.box.com", 443))
    context.layers.append(object())  # type: ignore[arg-type]
    mine, theirs = parts.fork(context), Context.fork(context)

    assert type(mine) is type(theirs)
    assert vars(mine) == vars(theirs)
    assert mine.server is context.server
    assert mine.layers is not context.layers


@pytest.mark.parametrize("data", MESSAGES, ids=lambda data: type(data).__name__)
@pytest.mark.parametrize(
    "value", [None, b"x", "x", 1, 1.5, True, Headers(), [], tflow.tflow()], ids=repr
)
def test_messages_are_checked_the_same(data: Any, value: Any):
    """Whatever is in whichever place, both take it or both refuse it alike."""
    for name in vars(data):
        other = object.__new__(type(data))
        vars(other).update(vars(data) | {name: value})

        theirs = judged(MessageData.__post_init__, other)
        assert (name, judged(parts.check_types, other)) == (name, theirs)


def judged(check: Any, data: Any) -> str | None:
    """Return what is found wrong."""
    try:
        check(data)
    except TypeError as error:
        return str(error)
    return None


NAMES = st.sampled_from(["Host", "host", b"HOST", "X-A", "x-\u00e4", b"\xff", ""])
FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"Host", b"HOST", b"x-a", "X-\u00e4".encode(), b"\xff", b""]),
        st.sampled_from([b"", b"a", b"b, c", b"\xff\x00"]),
    ),
    max_size=5,
)


@given(FIELDS, NAMES)
def test_fields_are_found_the_same(fields: list[tuple[bytes, bytes]], name: Any):
    """However they are asked for: all values, one line, a default, or whether."""
    theirs, mine = Headers(fields), Headers(fields)

    for method, args in {"get_all": (), "get": ("none",), "__contains__": ()}.items():
        ours = getattr(parts, method.strip("_"))(mine, name, *args)
        assert ours == OWN[Headers, method](theirs, name, *args)
    assert parts.get(mine, name) == OWN[Headers, "get"](theirs, name)


class Masked(Headers):
    """Somebody's: shows a field otherwise, and takes _ for -."""

    def __getitem__(self, key: str | bytes) -> str:
        if key == "secret":
            raise KeyError(key)
        return f"<{super().__getitem__(key)}>"

    @staticmethod
    def _kconv(key: Any) -> Any:
        return key.lower().replace(b"_", b"-")


@pytest.mark.parametrize("key", ["x-a", "X_A", "secret", "none"])
def test_a_scripts_own_kind_of_headers_is_asked(key: str):
    """What it overrides is in force for `get` and `in` as well."""
    headers: Any = Masked([(b"X-A", b"1"), (b"x_a", b"2"), (b"secret", b"s")])
    theirs = [OWN[Headers, name](headers, key) for name in ("get_all", "get")]
    found = OWN[Headers, "__contains__"](headers, key)
    parts.replace_all()

    assert [headers.get_all(key), headers.get(key)] == theirs
    assert (key in headers) is found
    assert headers.get(key=key, default="d") == (theirs[1] or "d")


def test_what_is_no_field_name_is_refused_the_same():
    """A number is an error, as it was."""
    with pytest.raises(TypeError) as theirs:
        OWN[Headers, "get_all"](Headers(), 7)
    with pytest.raises(TypeError) as mine:
        parts.get_all(Headers(), 7)  # type: ignore[arg-type]

    assert str(mine.value) == str(theirs.value)


@pytest.mark.parametrize("host", ["mitm.it", "MITM.it", "api.box.com", "xmitm.it", ""])
@pytest.mark.parametrize("field", ["mitm.it", "mitm.it:80", "api.box.com", "x", None])
@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("app", ["mitm.it", ""])
def test_mitm_it_is_served_the_same(
    host: str, field: str | None, taken: bool, app: str
):
    """By the name that mitmproxy goes by, and only where nobody has answered."""
    flow = tflow.tflow(resp=taken)
    flow.request.data.host = host
    flow.request.headers.pop("host", None)
    if field is not None:
        flow.request.headers["host"] = field
    onboarding = Onboarding()
    onboarding.host = app

    theirs = OWN[ASGIApp, "should_serve"](onboarding, flow)

    assert parts.should_serve(onboarding, flow) is theirs
    waiting = parts.onboard(onboarding, flow)
    assert (waiting is not None) is theirs
    if waiting is not None:
        waiting.close()  # type: ignore[attr-defined]


async def test_a_task_that_lasts_has_its_name():
    """Only one that was over at once goes without."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    end = asyncio.Event()
    parts.replace_all()
    lasting = asyncio_utils.create_task(
        end.wait(), name="waits", keep_ref=False, client=("::1", 1)
    )
    end.set()

    assert "[::1]:1: waits" in asyncio_utils.task_repr(lasting)
    await lasting


def test_all_of_them_are_put_in_place():
    """From then on mitmproxy itself goes by them."""
    parts.replace_all()

    assert HttpRequestHook.args is parts.args
    assert Options()._options["mode"].current.__func__ is parts.current
    assert Context.fork is parts.fork
    assert asyncio_utils.set_task_debug_info is parts.set_task_debug_info
    with pytest.raises(TypeError, match="for reason"):
        Response.make().data.__class__(
            **(vars(Response.make().data) | {"reason": "text"})
        )
    assert Request.make("GET", "https://api.box.com/").host == "api.box.com"
