"""Whatever a request looks like, a token goes out only under every condition."""

import posixpath
import re
from dataclasses import fields, replace
from urllib.parse import unquote

from boxlike import LISTENER, REQUEST, RULES, TRUSTED, by_listener, request
from hypothesis import event, given, settings
from hypothesis import strategies as st

from everbearer.policy.decide import decide
from everbearer.policy.verdict import Inject, Pass, Refuse
from everbearer.policy.view import (
    Authorization,
    Existing,
    ListenerView,
    RequestView,
    UserView,
)

NAMES = st.sampled_from(
    [
        "api.box.com", "API.box.com.", "upload-x.app.box.com", "evil.test",
        "api.box.com:443", "api.box.com:8443", "127.0.0.1:8082", "\uff41pi.box.com",
        "api.box.com..", "x@api.box.com", "evil-api.box.com", "", "127.0.0.1",
    ]
)  # fmt: skip
PIECES = st.sampled_from(
    [
        "2.0", "oauth2", "OAuth2", "token", "users", "..", ".", "%2e%2e", "..;", "",
        "%6fauth2", "..%2foauth2", "..%5coauth2", "%252e%252e", "a%20b", "..\\oauth2",
    ]
)  # fmt: skip
PATHS = st.lists(PIECES, max_size=6).map(lambda pieces: "/" + "/".join(pieces))
AUTHORIZATIONS = st.builds(
    Authorization,
    kind=st.sampled_from(Existing),
    rejected_for=st.frozensets(st.sampled_from(["dev", "prod"])),
)
CHANGES = {
    "scheme": st.sampled_from(["https", "http", "HTTPS", ""]),
    "host": NAMES,
    "port": st.sampled_from([443, 80, 8443, 0]),
    "verified_name": NAMES,
    "method": st.sampled_from(["GET", "get", "OPTIONS", "DELETE", "CONNECT"]),
    "path": PATHS,
    "authorities": st.lists(NAMES, max_size=2).map(tuple),
    "sni": st.none() | NAMES,
    "connect_name": st.none() | NAMES,
    "upstream_verified": st.booleans(),
    "http2": st.booleans(),
    "server_http2": st.booleans(),
    "listener": st.sampled_from([ListenerView(), LISTENER]),
    "profile_fields": st.lists(
        st.sampled_from(["dev", "prod", "other", "none", ""]), max_size=2
    ).map(tuple),
    "user": st.none()
    | st.builds(
        UserView,
        name=st.just("alice"),
        profiles=st.sampled_from([(), ("dev",), ("prod",), ("prod", "other")]),
    ),
    "origins": st.lists(
        st.sampled_from([TRUSTED, "https://evil.test", "null", ""]), max_size=2
    ).map(tuple),
    "sec_fetch_site": st.lists(
        st.sampled_from(["none", "cross-site", "same-origin", ""]), max_size=2
    ).map(tuple),
    "cors_preflight": st.booleans(),
    "body_length": st.sampled_from([0, 5, None]),
    "control_characters": st.booleans(),
    "broken_fields": st.booleans(),
    "trailers": st.booleans(),
    "direct": st.booleans(),
    "authorization": AUTHORIZATIONS,
    "query_token": st.booleans(),
    "as_user": st.lists(st.sampled_from(["1234", "99", ""]), max_size=2).map(tuple),
}


@st.composite
def near_requests(draw):
    """Draw a request that differs in up to three things from an injected one."""
    view = draw(st.sampled_from([REQUEST, by_listener()]))
    names = draw(st.sets(st.sampled_from(sorted(CHANGES)), max_size=3))
    return replace(view, **{name: draw(CHANGES[name]) for name in sorted(names)})


TEXTS = st.lists(st.text(), max_size=3).map(tuple)
ANY_REQUEST = st.builds(
    RequestView,
    scheme=st.text(),
    host=st.text(),
    port=st.integers(),
    verified_name=st.text(),
    method=st.text(),
    path=st.text(),
    authorities=TEXTS,
    sni=st.none() | st.text(),
    connect_name=st.none() | st.text(),
    http2=st.booleans(),
    direct=st.booleans(),
    listener=st.builds(ListenerView, reverse=st.text(), profile=st.text()),
    profile_fields=TEXTS,
    origins=TEXTS,
    sec_fetch_site=TEXTS,
    authorization=AUTHORIZATIONS,
    as_user=TEXTS,
)


def test_every_part_of_a_view_is_varied():
    """The strategy leaves out no field of the view."""
    assert set(CHANGES) == {field.name for field in fields(RequestView)}


@given(ANY_REQUEST)
def test_any_request_has_a_verdict(view):
    """`decide` never raises, and gives every verdict a code and a reason."""
    verdict = decide(view, RULES)
    assert isinstance(verdict, Pass | Inject | Refuse)
    assert re.fullmatch(r"[a-z_]+", verdict.code)
    assert verdict.reason


@given(NAMES | st.text(), PATHS | st.text(), st.text())
def test_ruled_hosts_have_a_verdict_for_any_path(host, path, text):
    """The same for requests whose names agree and whose path and fields are odd."""
    view = replace(
        REQUEST,
        host=host,
        verified_name=host,
        authorities=(host,),
        sni=host,
        connect_name=host,
        path=path,
        profile_fields=(text,),
    )
    assert isinstance(decide(view, RULES), Pass | Inject | Refuse)


@settings(max_examples=500)
@given(near_requests())
def test_inject_implies_every_condition(view):
    """A token goes out only if nothing at all speaks against it."""
    verdict = decide(view, RULES)
    event(type(verdict).__name__)
    if not isinstance(verdict, Inject):
        return
    assert _sure_of_destination(view)
    assert _sure_of_path(view.path)
    assert _sure_of_client(view)
    rule = next(rule for rule in RULES.rules if rule.label == verdict.rule)
    assert verdict.profile in rule.profiles
    assert set(map(str.strip, view.profile_fields)) <= {verdict.profile}
    assert verdict.profile != "prod" or set(view.as_user) <= {"1234"}
    assert view.authorization.kind is not Existing.SEVERAL
    assert view.authorization.kind is not Existing.FOREIGN
    assert not view.query_token


@settings(max_examples=300)
@given(near_requests())
def test_inject_implies_a_user_where_there_are_users(view):
    """Nobody else gets anything but a refusal, and a user only what he may use."""
    guarded = replace(RULES, guarded=True)
    verdict = decide(view, guarded)
    if view.user is None:
        assert isinstance(verdict, Refuse)
        assert verdict.status in {401, 403, 407}
    elif isinstance(verdict, Inject) and view.user.profiles:
        assert verdict.profile in view.user.profiles


def _sure_of_destination(view):
    own = view.listener.own_authorities
    names = [view.host, view.verified_name]
    if view.listener.reverse:
        assert set(view.authorities) <= own
        assert view.connect_name in {None, "127.0.0.1"}
        assert view.sni in {None, "127.0.0.1"}
        names.append(view.listener.reverse)
    else:
        names += [n for n in (view.sni, view.connect_name) if n is not None]
        names += [name.removesuffix(":443") for name in view.authorities]
    (name,) = {name.lower().removesuffix(".") for name in names}
    assert name in {"api.box.com", "upload-x.app.box.com"}
    assert view.authorities
    assert view.scheme == "https"
    assert view.port == 443
    assert not view.direct
    return view.upstream_verified


def _sure_of_path(path):
    for text in (path, unquote(path), unquote(unquote(path))):
        for cut in (text, re.sub(r";[^/]*", "", text)):
            slashes = cut.replace("\\", "/")
            assert posixpath.normpath(slashes).startswith("/2.0")
            assert posixpath.normpath(re.sub("/+", "/", slashes)).startswith("/2.0")
    return True


def _sure_of_client(view):
    assert not view.control_characters
    assert not view.broken_fields
    assert not view.cors_preflight
    if not view.origins:
        assert set(view.sec_fetch_site) <= {"none"}
    assert not view.trailers or (view.http2 and view.server_http2)
    assert view.body_length is not None or not view.http2 or view.server_http2
    return set(view.origins) <= {TRUSTED}


@given(PATHS)
def test_no_token_where_any_server_reads_an_exclusion(path):
    """A path that some server takes for the token endpoint's gets no token."""
    text = unquote(unquote(path)).replace("\\", "/")
    read = posixpath.normpath(re.sub(r"//+", "/", re.sub(r";[^/]*", "", text)))
    if read.lower().startswith("/oauth2/"):
        verdict = decide(request(path=path), RULES)
        assert isinstance(verdict, Pass | Refuse)
