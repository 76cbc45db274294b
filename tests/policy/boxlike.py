"""A small set of rules shaped like Box's, and a request that they inject."""

from dataclasses import replace

from everbearer.policy.hosts import HostPattern
from everbearer.policy.paths import PathPattern
from everbearer.policy.rules import Action, ExistingPolicy, Rule, RuleSet
from everbearer.policy.view import Authorization, Existing, ListenerView, RequestView

TRUSTED = "https://tools.example"


def rule(label, hosts, paths=(), **rest):
    """Make a rule of texts."""
    return Rule(
        label,
        tuple(map(HostPattern.parse, hosts)),
        tuple(map(PathPattern.parse, paths)),
        **rest,
    )


TOKEN_ENDPOINT = rule(
    "box:oauth2", ["api.box.com"], ["/oauth2/*"], action=Action.PASS, private=True
)
SIGNED = rule(
    "box:signed", ["dl.boxcloud.com"], ["/d/*"], action=Action.PASS, capability=True
)
NO_DELETE = rule(
    "user:1",
    ["api.box.com"],
    ["/2.0/users/*"],
    methods=frozenset({"DELETE"}),
    action=Action.REFUSE,
)
BOTH = ("dev", "prod")
API = rule("box:api", ["api.box.com"], ["/2.0/*", "/2.0"], profiles=BOTH)
UPLOAD = rule(
    "box:upload",
    ["upload.box.com", "upload.app.box.com", "upload-*.app.box.com"],
    ["/api/2.0/*"],
    profiles=("dev",),
)
DOWNLOAD = rule("box:download", ["dl.boxcloud.com"], ["/api/2.0/*"], profiles=("dev",))

RULES = RuleSet(
    rules=(TOKEN_ENDPOINT, SIGNED, NO_DELETE, API, UPLOAD, DOWNLOAD),
    profiles=("dev", "prod", "other"),
    default_profile="dev",
    browser_origins=frozenset({TRUSTED}),
    as_user={"prod": "1234"},
)

REQUEST = RequestView(
    scheme="https",
    host="api.box.com",
    port=443,
    verified_name="api.box.com",
    method="GET",
    path="/2.0/users/me",
    authorities=("api.box.com",),
    sni="api.box.com",
    connect_name="api.box.com",
)

LISTENER = ListenerView(
    address="127.0.0.1:8082",
    reverse="api.box.com",
    own_authorities=frozenset({"127.0.0.1:8082", "localhost:8082", "[::1]:8082"}),
)

REVERSE = replace(
    REQUEST,
    listener=LISTENER,
    authorities=("127.0.0.1:8082",),
    sni=None,
    connect_name=None,
)


def request(**changes):
    """Return the request that is injected, but for *changes*."""
    return replace(REQUEST, **changes)


def to(host, **changes):
    """Return a request all of whose names are *host*, but for *changes*."""
    names = {
        "host": host,
        "verified_name": host,
        "authorities": (host,),
        "sni": host,
        "connect_name": host,
    }
    return replace(REQUEST, **(names | changes))


def plain(**changes):
    """Return a request of the plain proxy kind, absolute form and no TLS."""
    bare = {"scheme": "http", "port": 80, "verified_name": "", "sni": None}
    return replace(REQUEST, **({"connect_name": None} | bare | changes))


def by_listener(**changes):
    """Return a request that a reverse listener took and that is injected."""
    return replace(REVERSE, **changes)


def sent(kind, *, rejected_for=(), redeemed_for=()):
    """Return the client's own credential of a kind; one of ours is for dev."""
    return Authorization(
        Existing[kind],
        "0123456789ab",
        frozenset(rejected_for),
        issued_for=frozenset({"dev"} if kind == "OURS" else redeemed_for),
    )


def with_existing(policy):
    """Return the rules with *policy* for the client's own credentials."""
    api = replace(API, existing=ExistingPolicy[policy])
    return replace_rules(TOKEN_ENDPOINT, api)


def replace_rules(*rules, **changes):
    """Return a set of rules of its own."""
    given = {"profiles": RULES.profiles, "default_profile": "dev"}
    return RuleSet(rules=rules, **(given | changes))
