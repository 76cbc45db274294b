"""Which profile serves a request, and whose token that is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import Answer, Place, Proxy, Sandbox, curl
from hostile_stage import configuration
from ports import unused_port
from wrong_server import WrongServer

ME = "https://api.box.com/2.0/users/me"
LOGINS = {
    "dev": "olivia@example.com",
    "jwt": "AutomationUser_300001_1@boxdevedition.com",
    "ccg": "AutomationUser_300002_1@boxdevedition.com",
}
RULES = """
[[rules]]
hosts = ["api.box.com"]
paths = ["/2.0/users/*"]
profiles = ["dev", "jwt", "ccg"]

[[rules]]
hosts = ["api.box.com"]
paths = ["/2.0/folders/*"]
profiles = ["jwt", "ccg"]

[[rules]]
hosts = ["api.box.com"]
paths = ["/2.0/files/*"]
profiles = ["ccg"]
"""


def listeners(ports: dict[str, int]) -> str:
    """Return an explicit proxy and a reverse listener for each profile."""
    return '[[listeners]]\naddress = "127.0.0.1:8080"\n' + "".join(
        f'[[listeners]]\naddress = "127.0.0.1:{port}"\n'
        f'reverse = "https://api.box.com"\nprofile = "{name}"\n'
        for name, port in ports.items()
    )


@dataclass
class Stage:
    """A sandbox, and a proxy with three profiles and a listener for each."""

    place: Place
    sandbox: Sandbox
    proxy: Proxy
    ports: dict[str, int]

    def ask(self, asked: tuple[str, ...], url: str = ME) -> Answer:
        """Ask by the explicit proxy with Everbearer-Profile as given."""
        self.sandbox.forget()
        return self.proxy.curl(*_fields(asked), url)

    def ask_bound(self, listener: str, asked: tuple[str, ...]) -> Answer:
        """Ask by the reverse listener that is bound to a profile."""
        self.sandbox.forget()
        url = f"http://127.0.0.1:{self.ports[listener]}/2.0/users/me"
        return curl(*_fields(asked), url)


def _fields(asked: tuple[str, ...]) -> list[str]:
    return [word for name in asked for word in ("-H", f"Everbearer-Profile: {name}")]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start everything."""
    place = Place(tmp_path_factory.mktemp("profiles"))
    try:
        sandbox = Sandbox(place)
        ports = {name: unused_port() for name in LOGINS}
        config = sandbox.config("choice", RULES + listeners(ports))
        yield Stage(place, sandbox, Proxy(place, config), ports)
    finally:
        place.close()


def check_refused(stage: Stage, answer: Answer, status: int, code: str) -> None:
    """Check the refusal, and that nothing went out."""
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.json["hint"]
    assert stage.sandbox.requests(host="api.box.com", method="GET") == []


@pytest.mark.parametrize("name", LOGINS)
def test_profile_is_the_one_asked_for(stage: Stage, name: str):
    """Everbearer-Profile chooses among the rule's."""
    assert stage.ask((name,)).json["login"] == LOGINS[name]


@pytest.mark.parametrize("name", LOGINS)
def test_listener_binds_its_profile(stage: Stage, name: str):
    """Plain curl at a reverse listener is served as its profile, with each grant."""
    assert stage.ask_bound(name, ()).json["login"] == LOGINS[name]
    assert stage.ask_bound(name, (name,)).json["login"] == LOGINS[name]


def test_default_serves_who_asks_for_none(stage: Stage):
    """Without a word the default profile serves."""
    assert stage.ask(()).json["login"] == LOGINS["dev"]


def test_only_one_serves_where_the_default_may_not(stage: Stage):
    """Where the rule names one profile that one serves."""
    answer = stage.ask((), "https://api.box.com/2.0/files/1")
    assert answer.status == 404
    [entry] = stage.sandbox.requests(path="/2.0/files/1")
    labels = {t["label"]: t["profile"] for t in stage.sandbox.call("GET", "tokens")}
    assert labels[entry["token_label"]] == "ccg"


@pytest.mark.parametrize(
    ("asked", "url", "status", "code"),
    [
        (("nobody",), ME, 400, "profile_unknown"),
        (("DEV",), ME, 400, "profile_unknown"),
        (("dev, jwt",), ME, 400, "profile_unknown"),
        (("dev", "jwt"), ME, 400, "profile_ambiguous"),
        (("none", "jwt"), ME, 400, "profile_ambiguous"),
        ((), "https://api.box.com/2.0/folders/0", 400, "profile_ambiguous"),
        (("dev",), "https://api.box.com/2.0/folders/0", 403, "profile_not_allowed"),
        (("jwt",), "https://api.box.com/2.0/files/1", 403, "profile_not_allowed"),
        (("devtoken",), ME, 403, "profile_not_allowed"),
    ],
)
def test_unfit_profile_is_refused(
    stage: Stage, asked: tuple[str, ...], url: str, status: int, code: str
):
    """Unknown, contradictory, of another rule, or one of several: never guessed."""
    check_refused(stage, stage.ask(asked, url), status, code)


def test_listener_and_field_that_contradict_are_refused(stage: Stage):
    """A bound listener serves no other profile than its own."""
    answer = stage.ask_bound("jwt", ("ccg",))
    check_refused(stage, answer, 403, "profile_contradiction")


def test_empty_field_is_refused(stage: Stage):
    """A field without a name is no wish for the default."""
    stage.sandbox.forget()
    answer = stage.proxy.curl("-H", "Everbearer-Profile;", ME)
    check_refused(stage, answer, 400, "profile_unknown")


@pytest.mark.parametrize("listener", ["", "jwt"])
def test_none_sends_the_request_as_it_is(stage: Stage, listener: str):
    """`none` asks for no token, at a bound listener too; Box's 401 comes back."""
    asked = ("none",)
    answer = stage.ask_bound(listener, asked) if listener else stage.ask(asked)
    assert answer.status == 401
    [entry] = stage.sandbox.requests(path="/2.0/users/me")
    assert entry["authorization_count"] == 0


@dataclass
class Seen:
    """A proxy that leads to a server which keeps all that it is sent."""

    proxy: Proxy
    server: WrongServer

    def by(self, *arguments: str) -> bytes:
        """Return what came to the server when curl asked."""
        before = len(self.server.received())
        answer = self.proxy.curl("-H", "X-Mark: here", *arguments)
        assert answer.fields["server"] == "wrong", answer
        return self.server.received()[before:].lower()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Start both, with a developer token, which needs no token endpoint."""
    place = Place(tmp_path_factory.mktemp("field"))
    try:
        sandbox, server = Sandbox(place), WrongServer(place.root)
        config = configuration(
            sandbox,
            server,
            unused_port(),
            '[proxy]\nunmatched_hosts = "inspect"\n',
            source="developer_token",
        )
        head, _, rest = config.read_text().partition("[network.connect_to]\n")
        _, _, rest = rest.partition("\n[[listeners]]")
        names = ("api.box.com:443", "evil.test:443", "evil.test:80")
        leads = "".join(f'"{name}" = "127.0.0.1:{server.port}"\n' for name in names)
        config.write_text(f"{head}[network.connect_to]\n{leads}\n[[listeners]]{rest}")
        yield Seen(Proxy(place, config), server)
        server.close()
    finally:
        place.close()


@pytest.mark.parametrize("name", ["Everbearer-Profile", "EVERBEARER-PROFILE"])
@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("devtoken", ME),
        ("none", ME),
        ("none", "https://api.box.com/oauth2/token"),
        ("devtoken", "https://api.box.com/elsewhere"),
        ("devtoken", "https://evil.test/"),
        ("devtoken", "http://evil.test/"),
    ],
)
def test_the_field_never_reaches_a_server(seen: Seen, name: str, value: str, url: str):
    """Injected, passed or unmatched: a request that we read loses the field."""
    received = seen.by("-H", f"{name}: {value}", "-H", f"{name}: {value}", url)
    assert b"x-mark: here" in received
    assert b"everbearer" not in received
    assert (b"authorization: bearer" in received) == (url == ME and value != "none")


# -- records belong to grants -----------------------------------------------------


def project(sandbox: Sandbox, name: str, profile: str, source: str) -> Path:
    """Write the configuration of a project, in the sandbox's one store."""
    config = sandbox.config(name, source=source)
    old = re.search(r"\[profiles\.(\w+)\]", config.read_text())
    assert old
    config.write_text(config.read_text().replace(old[0], f"[profiles.{profile}]"))
    return config


def test_profiles_of_the_same_name_share_no_record(place: Place, sandbox: Sandbox):
    """Two projects in one store, each with a profile `main`: each gets its own."""
    sources = ("refresh_token", "jwt_bearer", "client_credentials")
    logins = []
    for _ in range(2):
        for source in sources:
            config = project(sandbox, f"{source}-project", "main", source)
            proxy = Proxy(place, config)
            logins.append(proxy.curl(ME).json["login"])
            proxy.process.stop()

    assert logins == [*LOGINS.values()] * 2
    # The second round had its records: nothing was mixed up, nothing asked anew.
    assert len(sandbox.token_requests()) == len(sources)


def test_subjects_of_one_app_share_no_record(place: Place, sandbox: Sandbox):
    """The same app for the enterprise and for a user: two grants, two tokens."""
    service = project(sandbox, "service", "main", "client_credentials")
    user = project(sandbox, "user", "main", "client_credentials")
    text = user.read_text()
    subject = re.search(r"subject = .*", text)
    assert subject
    user.write_text(
        text.replace(subject[0], 'subject = { type = "user", id = "200001" }')
    )

    logins = [Proxy(place, config).curl(ME).json["login"] for config in (service, user)]

    assert logins == [LOGINS["ccg"], LOGINS["dev"]]


def test_the_same_grant_is_one_record_under_any_name(place: Place, sandbox: Sandbox):
    """Two projects that name one grant differently have one token between them."""
    for name in ("alice", "bob"):
        config = project(sandbox, name, name, "client_credentials")
        assert Proxy(place, config).curl(ME).status == 200
    assert len(sandbox.token_requests()) == 1


def test_changed_seed_is_a_new_grant(place: Place, sandbox: Sandbox):
    """While the seed is the same the record wins; a new seed is redeemed."""
    config = sandbox.state / "refresh_token.toml"
    seed = sandbox.state / "refresh_token.txt"

    first = Proxy(place, config)
    assert first.curl(ME).status == 200
    first.process.stop()
    second = Proxy(place, config)
    assert second.curl(ME).status == 200
    assert len(sandbox.token_requests()) == 1

    seed.write_text(sandbox.call("POST", "refresh_tokens")["refresh_token"])
    second.process.wait_for("refresh_token.toml is in force")
    assert second.curl(ME).status == 200
    assert len(sandbox.token_requests()) == 2

    second.process.stop()
    assert Proxy(place, config).curl(ME).status == 200
    assert len(sandbox.token_requests()) == 2


def test_one_seed_in_two_profiles_is_a_mistake(place: Place, sandbox: Sandbox):
    """Whichever profile redeems it first would leave the other with nothing."""
    text = (sandbox.state / "refresh_token.toml").read_text()
    start = text.index("[profiles.dev]")
    table = text[start : text.index("[store]")].replace("profiles.dev", "profiles.two")
    config = sandbox.config("twice", table, "refresh_token")

    done = place.everbearer("check", "-c", str(config))

    assert done.returncode == 2
    assert 'the profiles "dev" and "two" have the same refresh token' in done.stderr
