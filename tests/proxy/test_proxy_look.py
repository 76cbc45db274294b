"""A flow as the policy sees it: what will really be sent, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons

from everbearer.policy.query import has_query_token
from everbearer.policy.view import Authorization, ListenerView
from everbearer.proxy.look import body_length, listener_of, look
from proxy.flows import HOST, asked


@pytest.fixture
async def context() -> AsyncIterator[taddons.context]:
    """Give mitmproxy's options, on an event loop that is closed afterwards."""
    with taddons.context() as context:
        yield context


def view_of(flow, listener: ListenerView | None = None, *, direct: bool = False):
    """Look at a flow."""
    return look(flow, listener or ListenerView(), Authorization(), direct=direct)


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ({}, 0),
        ({"content_length": "0"}, 0),
        ({"content_length": "12"}, 12),
        ({"transfer_encoding": "chunked"}, None),
    ],
)
def test_the_length_of_a_body_in_http_1(fields: dict[str, str], length: int | None):
    """RFC 9112 §6.3: no field is no body; chunks have no length."""
    assert body_length(asked("POST", **fields)) == length


@pytest.mark.parametrize(
    ("method", "fields", "length"),
    [
        ("GET", {}, 0),
        ("DELETE", {}, 0),
        ("POST", {}, None),
        ("PUT", {}, None),
        ("PROPFIND", {}, None),
        ("POST", {"content_length": "12"}, 12),
        ("GET", {"content_length": "12"}, 12),
        ("POST", {"content_length": "twelve"}, None),
        ("POST", {"content_length": "-1"}, None),
        ("POST", {"content_length": "²"}, None),
    ],
)
def test_the_length_of_a_body_in_http_2(
    method: str, fields: dict[str, str], length: int | None
):
    """Nothing in the head tells of a body: unknown, but for methods without one."""
    assert body_length(asked(method, http2=True, **fields)) == length


@pytest.mark.parametrize(
    "query",
    [
        "access_token=x",
        "a=b&access_token=x",
        "access_token",
        "access_token=",
        "access%5Ftoken=x",
        "%61%63cess_token=x",
        "a&&access_token=x&access_token=y",
    ],
)
def test_a_token_in_the_query_is_seen(query: str, context):
    """However it is spelt (RFC 6750 §2.3)."""
    assert has_query_token(query)
    assert view_of(asked(path=f"/2.0/x?{query}")).query_token


@pytest.mark.parametrize(
    "query",
    ["", "a=access_token", "my_access_token=x", "access_token_x=1", "access+token=x"],
)
def test_what_is_no_token_is_not_taken_for_one(query: str, context):
    """Values, and other names."""
    assert not has_query_token(query)
    assert not view_of(asked(path=f"/2.0/x?{query}")).query_token


def test_in_a_tunnel_the_servers_name_is_what_its_certificate_is_checked_for(context):
    """Its SNI, else the client's, else its address; host and name are those dialled."""
    flow = asked()
    view = view_of(flow)
    assert (view.host, view.port, view.scheme) == (HOST, 443, "https")
    assert (view.verified_name, view.sni, view.connect_name) == (HOST, HOST, HOST)
    flow.server_conn.sni = "other.test"
    assert view_of(flow).verified_name == "other.test"
    flow.server_conn.sni, flow.client_conn.sni = None, "third.test"
    view = view_of(flow)
    assert (view.verified_name, view.sni) == ("third.test", "third.test")
    flow.client_conn.sni = None
    assert view_of(flow).verified_name == HOST


def test_the_host_field_never_names_the_destination(context):
    """`pretty_host` would: a forged Host is an authority and nothing else."""
    flow = asked(host="evil.test")
    view = view_of(flow)
    assert view.host == HOST
    assert view.authorities == ("evil.test",)


def test_every_authority_is_shown(context):
    """Both Host fields and `:authority`."""
    flow = asked(http2=True)
    flow.request.headers.add("Host", "second.test")
    flow.request.authority = "third.test"
    assert view_of(flow).authorities == (HOST, "second.test", "third.test")


def test_an_absolute_form_names_its_destination_itself(context):
    """A proxy request over a connection that has no server yet."""
    flow = asked()
    flow.server_conn.address = None
    flow.request.data.host = "elsewhere.test"
    flow.request.scheme = "http"
    view = view_of(flow)
    assert (view.host, view.connect_name, view.sni) == ("elsewhere.test", None, None)
    assert view.verified_name == ""


def test_a_replay_by_a_person_is_checked_for_the_name_that_mitmproxy_checks(context):
    """Host decides there: a saved flow with a forged one must not look like ours."""
    flow = asked(host="evil.test")
    flow.is_replay = "request"
    assert view_of(flow).verified_name == "evil.test"


def test_a_plain_request_has_no_verified_name(context):
    """Over http no certificate is checked."""
    flow = asked()
    flow.request.scheme = "http"
    assert view_of(flow).verified_name == ""


def test_checks_that_are_off_are_seen(context):
    """`ssl_insecure`: the policy refuses by this."""
    assert view_of(asked()).upstream_verified
    context.options.ssl_insecure = True
    assert not view_of(asked()).upstream_verified


def test_fields_are_seen_with_all_their_values(context):
    """In any case, each as often as it is there."""
    flow = asked(
        Origin="https://a.test", SEC_FETCH_SITE="none", as_user="1", TRAILER="x"
    )
    flow.request.headers.add("everbearer-profile", "dev")
    flow.request.headers.add("Everbearer-Profile", "prod")
    flow.request.headers.add("AS-USER", "2")
    view = view_of(flow)
    assert view.origins == ("https://a.test",)
    assert view.sec_fetch_site == ("none",)
    assert view.profile_fields == ("dev", "prod")
    assert view.as_user == ("1", "2")
    assert view.trailers


@pytest.mark.parametrize("value", [b"a\rb", b"a\r\n b", b"a\nb", b"a\0b"])
def test_a_line_break_in_a_field_is_seen(value, context):
    """Whatever its name: servers do not agree where such a field ends."""
    flow = asked(x_other="a\tb \u00e4")
    assert not view_of(flow).broken_fields
    flow.request.headers.fields += ((b"x", value),)
    assert view_of(flow).broken_fields


@pytest.mark.parametrize(
    ("method", "fields", "preflight"),
    [
        ("OPTIONS", {"origin": "x", "access_control_request_method": "PUT"}, True),
        ("OPTIONS", {"origin": "x"}, False),
        ("OPTIONS", {"access_control_request_method": "PUT"}, False),
        ("GET", {"origin": "x", "access_control_request_method": "PUT"}, False),
    ],
)
def test_a_cors_preflight_is_known(method, fields, preflight, context):
    """All three signs of it (Fetch §3.2.2), or it is none."""
    assert view_of(asked(method, **fields)).cors_preflight is preflight


def test_the_path_has_no_query(context):
    """It is raw otherwise: normalising is the policy's."""
    assert view_of(asked(path="/2.0/../x%2f?a=b?c")).path == "/2.0/../x%2f"


def test_the_server_connections_protocol_counts_when_it_is_open(context):
    """A closed connection may come back with another one."""
    flow = asked(http2=True)
    flow.server_conn.alpn = b"h2"
    flow.server_conn.timestamp_start = None
    assert view_of(flow).http2
    assert view_of(flow).server_http2 is flow.server_conn.connected


def test_an_explicit_listener_has_its_address_and_profile():
    """IPv6 in brackets, as the configuration spells it."""
    client = asked().client_conn
    assert listener_of(client, {"127.0.0.1:8080": "dev"}) == ListenerView(
        "127.0.0.1:8080",
        profile="dev",
        own_authorities=frozenset({"127.0.0.1:8080", "localhost:8080"}),
    )
    client.sockname = ("::1", 8080, 0, 0)
    assert listener_of(client, {"[::1]:8080": "dev"}).profile == "dev"


def test_a_reverse_listener_knows_its_own_names():
    """Its address, and localhost with its port: nothing else is answered."""
    client = asked().client_conn
    client.proxy_mode = ProxyMode.parse("reverse:https://api.box.com@127.0.0.1:8082")
    client.sockname = ("127.0.0.1", 8082)
    listener = listener_of(client, {})
    assert listener.reverse == HOST
    assert listener.own_authorities == {"127.0.0.1:8082", "localhost:8082"}


def test_behind_a_reverse_listener_there_is_no_connect_name(context):
    """The client has named no server."""
    flow = asked()
    assert view_of(flow, ListenerView("127.0.0.1:1", HOST)).connect_name is None


@pytest.mark.parametrize("origin_form", [False, True])
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("tunnel", [False, True])
@pytest.mark.parametrize("reverse", ["", HOST])
@pytest.mark.usefixtures("context")
def test_who_takes_the_proxy_for_a_server(origin_form, tls, scheme, tunnel, reverse):
    """In origin form, or https asked of the proxy itself over TLS; never a tunnel."""
    flow = asked()
    flow.request.scheme, flow.client_conn.tls = scheme, tls
    if not tunnel:
        flow.server_conn.address = None
    view = view_of(flow, ListenerView(reverse=reverse), direct=origin_form)
    expected = origin_form or (tls and scheme == "https" and not tunnel)
    assert view.direct == (expected and not reverse)
