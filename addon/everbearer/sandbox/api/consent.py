"""The authorize page: where a person grants an app access, or denies it."""

from html import escape
from urllib.parse import urlencode, urlsplit

from everbearer.sandbox import shapes
from everbearer.sandbox.accounts import CODE, OWNER, App
from everbearer.sandbox.message import Answer, Refused
from everbearer.sandbox.world import Call

# DOC `oauth2/oauth2-setup.md`: http only for these, with any port.
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
_KEPT = ("client_id", "redirect_uri", "state", "scope", "code_challenge")


def page(call: Call) -> Answer:
    """GET account.box.com/api/oauth2/authorize."""
    given = {
        name: call.request.parameter(name) or "" for name in ("response_type", *_KEPT)
    }
    app, redirect_uri = _client(call, given)
    if given["response_type"] != "code":
        return _back(
            redirect_uri, {"error": "unsupported_response_type"}, given["state"]
        )
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(given[name])}">'
        for name in _KEPT
    )
    text = (
        "<!doctype html><title>Box (sandbox)</title><h1>NOT THE REAL BOX</h1>"
        f"<p>{escape(OWNER.name)}, grant the app {escape(app.profile)} access?</p>"
        f'<form method="post" action="/api/oauth2/authorize">{hidden}'
        '<button name="decision" value="grant">Grant access to Box</button>'
        '<button name="decision" value="deny">Deny access to Box</button></form>'
    )
    return shapes.html(200, text, (("Cache-Control", "no-store"),))


def decide(call: Call) -> Answer:
    """POST of that page's form: back to the app with a code, or with a refusal."""
    form = dict.fromkeys(_KEPT, "") | call.request.form()
    app, redirect_uri = _client(call, form)
    if form.get("decision") != "grant":
        denied = {
            "error": "access_denied",
            "error_description": "The user denied access to your application",
        }
        return _back(redirect_uri, denied, form["state"])
    code = call.world.authorization.issue_code(
        app, OWNER, redirect_uri, form["code_challenge"]
    )
    return _back(redirect_uri, {"code": code}, form["state"])


def _client(call: Call, given: dict[str, str]) -> tuple[App, str]:
    """Return who asks and where the answer goes; never redirects anywhere else."""
    app = call.world.accounts.app(given["client_id"])
    if app is None or CODE not in app.grant_types:
        raise _wrong("invalid_client_id")
    redirect_uri = given["redirect_uri"]
    if not redirect_uri:
        raise _wrong("redirect_uri_missing")
    parts = urlsplit(redirect_uri)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK_HOSTS or parts.fragment:
        raise _wrong("redirect_uri_mismatch")
    return app, redirect_uri


def _wrong(error: str) -> Refused:
    return Refused(shapes.html(400, f"<!doctype html><h1>{error}</h1>"))


def _back(redirect_uri: str, answer: dict[str, str], state: str) -> Answer:
    query = urlencode(answer | ({"state": state} if state else {}))
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return Answer(302, fields=(("Location", f"{redirect_uri}{joint}{query}"),))
