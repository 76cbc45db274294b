"""No secret shows, wherever one looks."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mitmproxy.io import FlowReader

from canary import Canaries, written
from everbearer.broker import Broker
from everbearer.errors import EverbearerError
from everbearer.settings.load import load
from everbearer.stores.memory import MemoryStore
from harness import Answer, Place, Proxy, Sandbox
from needs import need_proc
from recorder import ME, Recorder, post

API = "https://api.box.com"
BACKUP = Path(__file__).with_name("backup_script.py")
OWN = "clients-own-token-0123456789-abcdef"
OWN_IN_QUERY = "clients-own-token-in-a-query-0123456789"
PROFILES = ("dev", "jwt", "ccg", "devtoken")


@pytest.fixture
def canaries(sandbox: Sandbox) -> Canaries:
    """Know the secrets of the sandbox, and two of a client."""
    return Canaries(sandbox, {"own": OWN, "own in query": OWN_IN_QUERY})


@pytest.fixture
def held(sandbox: Sandbox) -> Iterator[ThreadPoolExecutor]:
    """Run requests that the sandbox holds; they are let go in the end."""
    with ThreadPoolExecutor() as pool:
        yield pool
        sandbox.call("DELETE", "faults")


def revoke_everything(sandbox: Sandbox) -> None:
    """Make every access token invalid."""
    sandbox.call("POST", "tokens/revoke", {})


def client_credentials(sandbox: Sandbox) -> tuple[str, str]:
    """Return the id and the secret of the app of profile ccg."""
    toml = (sandbox.state / "client_credentials.toml").read_text()
    client_id = toml.split('client_id = "')[1].split('"')[0]
    return client_id, (sandbox.state / "ccg_client_secret.txt").read_text()


def test_the_search_finds_what_is_there(place: Place, sandbox: Sandbox):
    """Without redaction the saved flows have the token: the search does not sleep."""
    config = sandbox.config("open", "\n[proxy]\nredact = false\n")
    recorder = Recorder(place, config)
    assert recorder.ask("ccg").status == 200
    recorder.stop()

    found = Canaries(sandbox).in_files([recorder.flows, recorder.har])

    assert set(found) == {str(recorder.flows), str(recorder.har)}
    assert all("tokens[" in name for names in found.values() for name in names)


def test_a_days_work_leaves_no_secret(
    place: Place, sandbox: Sandbox, canaries: Canaries
):
    """
    Tokens are obtained, refused, replaced; clients bring and fetch their own.

    None is in the log at its most talkative, in flows, HAR, the store's folder or
    any other file, nor in what a refused client is told.
    """
    recorder = Recorder(place, sandbox.state / "all.toml")
    refused: list[Answer] = []
    for profile in PROFILES:
        assert recorder.ask(profile).status == 200
    revoke_everything(sandbox)
    for profile in ("dev", "jwt", "ccg"):
        assert recorder.ask(profile, "-d", "a=b", f"{API}/2.0/folders").status != 401
    refused.append(recorder.ask("devtoken"))
    # A client's own token, good or not, in the field and in the query.
    refused.append(recorder.ask("ccg", "-H", f"Authorization: Bearer {OWN}", ME))
    refused.append(recorder.ask("ccg", f"{ME}?access_token={OWN_IN_QUERY}&fields=id"))
    # A client's own exchange with the token endpoint, and the end of its token.
    client_id, client_secret = client_credentials(sandbox)
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
        "box_subject_type": "enterprise",
        "box_subject_id": "100001",
    }
    exchange = post(recorder, f"{API}/oauth2/token", form)
    assert exchange.status == 200
    own = exchange.json["access_token"]
    bearer = ("-H", f"Authorization: Bearer {own}")
    assert recorder.ask("ccg", *bearer, ME).status == 200
    revoked = {"client_id": client_id, "client_secret": client_secret, "token": own}
    assert post(recorder, f"{API}/oauth2/revoke", revoked).status == 200
    # The token endpoint itself fails, and quotes what it was sent.
    quoted = " ".join([client_secret, sandbox.call("GET", "secrets")["tokens"][0]])
    body = {"error": "invalid_grant", "error_description": quoted}
    sandbox.fault({"status": 400, "body": body}, path="/oauth2/token")
    revoke_everything(sandbox)
    refused += [recorder.ask(profile) for profile in ("dev", "jwt", "ccg")]
    recorder.stop()

    assert {answer.status for answer in refused} == {401, 502}
    for answer in refused:
        assert not canaries.in_bytes(answer.body + str(answer.fields).encode())
    assert "renewed (rejected)" in recorder.output
    assert not canaries.in_text(recorder.output)
    assert own in canaries.named().values()
    saved = recorder.saved()
    assert saved.count(b"[everbearer:") >= 16
    assert b"/oauth2/token" in saved
    assert not canaries.in_files(written(place))


@pytest.mark.parametrize("script", [(), ("-s", str(BACKUP))], ids=["", "edited"])
def test_a_clients_redeem_of_ours_leaves_no_secret(
    place: Place, sandbox: Sandbox, canaries: Canaries, script: tuple[str, ...]
):
    """
    Its form and its answer are held and read, and neither is kept anywhere.

    The current refresh token, an old one, and one of nobody's; answers that are
    good, in error, unreadable, too long; also where the flow is edited.
    """
    recorder = Recorder(place, sandbox.state / "all.toml", *script)
    toml = (sandbox.state / "refresh_token.toml").read_text()
    form = {
        "grant_type": "refresh_token",
        "client_id": toml.split('client_id = "')[1].split('"')[0],
        "client_secret": (sandbox.state / "dev_client_secret.txt").read_text(),
        "refresh_token": (sandbox.state / "refresh_token.txt").read_text().strip(),
    }
    old = dict(form)
    for _ in range(2):
        answer = post(recorder, f"{API}/oauth2/token", form)
        assert answer.status == 200
        form["refresh_token"] = answer.json["refresh_token"]
    assert recorder.ask("dev").status == 200
    assert post(recorder, f"{API}/oauth2/token", old).status == 400
    other = sandbox.call("POST", "refresh_tokens")["refresh_token"]
    other_form = form | {"refresh_token": other}
    assert post(recorder, f"{API}/oauth2/token", other_form).status == 200
    quoted = {"access_token": form["refresh_token"], "expires_in": form["client_id"]}
    for effect in (
        {"status": 200, "body": quoted},
        {"huge": 300_000},
        {"status": 400, "body": {"error": "invalid_grant", **quoted}},
    ):
        sandbox.fault(effect, path="/oauth2/token", times=1)
        post(recorder, f"{API}/oauth2/token", form)
    recorder.stop()

    assert recorder.output.count("the next one is saved") == 2
    assert "a refresh token that was replaced before" in recorder.output
    assert recorder.exchanges() >= 7
    assert not canaries.in_text(recorder.output)
    assert not canaries.in_files(written(place))


@pytest.mark.parametrize("script", [(), ("-s", str(BACKUP))], ids=["", "edited"])
def test_a_form_in_flight_at_the_stop_is_not_saved(
    place: Place,
    sandbox: Sandbox,
    canaries: Canaries,
    held: ThreadPoolExecutor,
    script: tuple[str, ...],
):
    """A client's exchange is under way: its flow is saved without the form."""
    recorder = Recorder(place, sandbox.state / "all.toml", *script)
    other = sandbox.call("POST", "refresh_tokens")["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": other}
    sandbox.hold(path="/oauth2/token")
    held.submit(post, recorder, f"{API}/oauth2/token", form)
    sandbox.wait(path="/oauth2/token")

    recorder.stop()

    assert recorder.exchanges(), "the flow was not saved"
    assert other in canaries.named().values()
    assert not canaries.in_files(written(place))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_request_in_flight_at_the_stop_is_saved_without_its_token(
    place: Place,
    sandbox: Sandbox,
    canaries: Canaries,
    held: ThreadPoolExecutor,
    how: int,
):
    """Active flows are saved when mitmproxy stops; the token is out by then."""
    recorder = Recorder(place, sandbox.state / "all.toml")
    assert recorder.ask("dev").status == 200
    sandbox.hold(path="/2.0/users/me")
    fields = ("-H", "X-Held: yes", "-d", "a=b")
    answer = held.submit(recorder.ask, "dev", *fields, "-X", "PUT", ME)
    sandbox.wait(path="/2.0/users/me", method="PUT")

    recorder.stop(how)

    # Cut off, or told by mitmproxy that its server is.
    assert answer.result().status in {0, 502}
    assert b"X-Held" in recorder.flows.read_bytes(), "the flow was not saved at all"
    assert not canaries.in_text(recorder.output)
    assert not canaries.in_files(written(place))


def test_a_request_that_gets_its_token_during_the_stop_does_not_leave(
    place: Place, sandbox: Sandbox, canaries: Canaries, held: ThreadPoolExecutor
):
    """
    The stop waits for a renewal, and a request for that renewal's token.

    What mitmproxy saves in the end was cleaned before: nobody gets a token after.
    """
    recorder = Recorder(place, sandbox.state / "all.toml")
    assert recorder.ask("ccg").status == 200
    sandbox.forget()
    token_request = sandbox.hold(path="/oauth2/token", grant_type="refresh_token")
    sandbox.hold(path="/2.0/users/me", method="PUT")
    put = ("-H", "X-Held: yes", "-d", "a=b", "-X", "PUT", ME)
    waiting = held.submit(recorder.ask, "dev", *put)
    sandbox.wait(path="/oauth2/token")
    stopped = held.submit(recorder.stop)
    # Others are refused as soon as the flows are cleaned: that moment is awaited.
    others = [0]
    while others[-1] in {0, 200} and len(others) < 50 and not stopped.done():
        others.append(recorder.ask("ccg").status)
    sandbox.release(token_request)
    stopped.result()

    assert waiting.result().status in {0, 503}
    assert not sandbox.requests(method="PUT")
    assert not canaries.in_files(written(place))


def test_the_state_before_an_edit_is_saved_without_the_token(
    place: Place, sandbox: Sandbox, canaries: Canaries
):
    """A flow that was edited is saved together with what it was before."""
    recorder = Recorder(place, sandbox.state / "all.toml", "-s", str(BACKUP))
    assert recorder.ask("ccg").status == 200
    assert recorder.ask("ccg", "-H", f"Authorization: Bearer {OWN}", ME).status == 401
    query = f"{ME}?access_token={OWN_IN_QUERY}"
    assert recorder.ask("ccg", query).status == 401
    recorder.stop()

    with recorder.flows.open("rb") as file:
        backups = [
            str(flow.get_state()["backup"])
            for flow in FlowReader(file).stream()
            if "everbearer.question" not in flow.metadata
        ]
    assert len(backups) == 3
    assert all("[everbearer:" in backup for backup in backups)
    assert not canaries.in_files(written(place))


def test_no_process_has_a_secret_among_its_arguments(place: Place, sandbox: Sandbox):
    """While secrets come from a program and requests run, `ps` shows none."""
    need_proc(Path("/proc/self/cmdline"))
    helper = place.root / "helper.sh"
    secret = sandbox.state / "ccg_client_secret.txt"
    seen = place.root / "seen"
    helper.write_text(
        f"tr '\\0' ' ' < /proc/$$/cmdline >> {seen}\n"
        f"tr '\\0' ' ' < /proc/$PPID/cmdline >> {seen}\n"
        f"cat {shlex.quote(str(secret))}\n"
    )
    config = sandbox.state / "helped.toml"
    text = (sandbox.state / "client_credentials.toml").read_text()
    command = json.dumps(["sh", str(helper)])
    config.write_text(
        text.replace('{ file = "ccg_client_secret.txt" }', f"{{ command = {command} }}")
    )
    config.chmod(0o600)
    proxy = Proxy(place, config, EVERBEARER_FULL_START="1")
    assert proxy.curl(ME).status == 200
    seen.write_text(seen.read_text() + "\n".join(arguments(proxy.process.child.pid)))
    for command in ("status", "renew", "token", "check"):
        done = place.everbearer(command, "-c", str(config), EVERBEARER_FULL_START="1")
        assert done.returncode == 0

    text = seen.read_text()
    assert "everbearer" in text
    assert text.count("helper.sh") >= 5
    assert not Canaries(sandbox).in_text(text)


def arguments(pid: int) -> list[str]:
    """Return the arguments of a process and of all its descendants."""
    own = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [own, *(text for child in children for text in arguments(int(child)))]


COMMANDS = [
    "check",
    "check --json",
    "explain GET https://api.box.com/2.0/users/me",
    f"explain --json -H 'Authorization: Bearer {OWN}' GET https://api.box.com/2.0/x",
    f"explain --json GET https://api.box.com/2.0/x?access_token={OWN_IN_QUERY}",
    "status",
    "status --json",
    "renew dev jwt ccg",
]


def test_commands_print_no_secret(place: Place, sandbox: Sandbox, canaries: Canaries):
    """Sound, with a broken configuration, with a dead grant: no command tells any."""
    good = sandbox.state / "all.toml"
    inline = sandbox.state / "inline.toml"
    _, client_secret = client_credentials(sandbox)
    toml = good.read_text().replace(
        '{ file = "ccg_client_secret.txt" }', json.dumps(client_secret)
    )
    inline.write_text(toml)
    broken = sandbox.state / "broken.toml"
    broken.write_text(toml.replace(f'"{client_secret}"', f'"{client_secret}', 1))
    odd = sandbox.state / "odd.toml"
    odd.write_text(
        toml.replace("client_secret = ", "client_secert = ", 1) + "\nx = 1\n"
    )
    for path in (inline, broken, odd):
        path.chmod(0o600)
    outputs: list[str] = []

    def run(line: str, config: Path) -> None:
        word, *rest = shlex.split(line)
        done = place.everbearer(word, "-c", str(config), *rest)
        assert "Traceback" not in done.stderr
        outputs.append(done.stdout + done.stderr)

    for line in COMMANDS:
        run(line, inline)
    for config in (broken, odd):
        for line in ("check", "check --json", "status", "status --json"):
            run(line, config)
    told = place.everbearer("token", "-c", str(good), "ccg")
    outputs.append(told.stderr)
    for effect in (
        {"status": 400, "body": {"error": "invalid_grant"}},
        {"status": 400, "body": {"error": client_secret}},
        {"status": 200, "body": {"access_token": OWN}},
        {"status": 200, "body": f'{{"access_token": "{OWN}'},
        {"status": 302, "fields": {"Location": f"https://x.test/?token={OWN}"}},
    ):
        sandbox.call("DELETE", "faults")
        sandbox.fault(effect, path="/oauth2/token")
        for line in ("renew dev jwt ccg", "status --json"):
            run(line, good)

    assert len(told.stdout.strip()) > 20
    assert told.stdout.strip() in canaries.named().values()
    for output in outputs:
        assert not canaries.in_text(output), output
    assert not canaries.in_files(set(written(place)) - {inline, broken, odd})


FAULTS: list[dict[str, object]] = [
    {"status": 400, "body": {"error": "invalid_grant"}},
    {"status": 400, "body": {"error": "invalid_client"}},
    {"status": 200, "body": f'{{"access_token": "{OWN}'},
    {"status": 200, "body": {"access_token": OWN, "expires_in": -1}},
    {"expires_in": -1},
    {"html": True, "status": 200},
    {"status": 503, "body": OWN, "retry_after": 120},
]


@pytest.mark.parametrize("profile", ["dev", "jwt", "ccg"])
async def test_exceptions_and_values_show_no_secret(
    sandbox: Sandbox, canaries: Canaries, profile: str
):
    """
    Neither what is raised, with its causes and every frame's values, nor any value.

    Settings, profiles, grants, records, events and credentials can be printed.
    """
    settings = load(sandbox.state / "all.toml", {})
    store, events, seen = MemoryStore(), [], []
    broker = Broker(settings, lambda: settings, store=store)
    broker.subscribe(events.append)
    try:
        credential = await broker.credential(profile)
        manager = broker.manager(profile)
        seen += [repr(credential), f"{credential}", repr(settings), repr(manager)]
        seen += [repr(await store.load(manager.profile.key)), repr(vars(manager))]
        for effect in FAULTS:
            sandbox.fault(effect, path="/oauth2/token")
            with pytest.raises(EverbearerError) as caught:
                await asyncio.wait_for(manager.renew(), 3)
            seen += chain(caught.value)
            sandbox.call("DELETE", "faults")
    finally:
        await broker.stop()

    assert len(events) > len(FAULTS)
    assert not canaries.in_text("\n".join([*seen, repr(events)]))


def chain(error: BaseException | None) -> list[str]:
    """Return everything that can be printed of an exception and of its causes."""
    if error is None:
        return []
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next  # a test's own values are no leak
    told = traceback.TracebackException(type(error), error, trace, capture_locals=True)
    more = [*chain(error.__cause__), *chain(error.__context__)]
    return [repr(error), str(error), repr(vars(error)), *told.format(), *more]
