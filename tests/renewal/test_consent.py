"""Login and logout: what came or went is in the store before anybody is told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace

import pytest

from everbearer.errors import (
    ConfigError,
    ReauthorizationRequired,
    StoreError,
    TokenEndpointUnavailable,
)
from everbearer.events import Renewed, SaveFailed
from everbearer.oauth.authorization import Code, Login
from everbearer.oauth.token_response import TokenAnswer
from everbearer.providers.contract import Who
from everbearer.renewal.consent import Consent, LoggedOut
from everbearer.renewal.exchange import Exchange
from everbearer.secret import Secret
from everbearer.settings.model import Endpoints
from everbearer.stores.contract import Intent, Record, TroubleKind
from renewal.bench import TOKEN_URL, Bench, client_grant, refresh_grant
from renewal.model_server import Fault
from renewal.virtual_time import virtual

REVOKE_URL = "https://api.box.com/oauth2/revoke"
WHO = Who("https://api.box.com/2.0/users/me", lambda body: body.decode())
LOGIN = Login("client", "https://a/", "http://127.0.0.1/", Secret("s"), Secret("v"))
CODE = Code(Secret("c0de"))


@dataclass
class Server:
    """An endpoint that answers every form of its kind the same, and notes them."""

    clock: object
    token: tuple[int, bytes] = (
        200,
        json.dumps(
            {"access_token": "new", "expires_in": 3600, "refresh_token": "rt"}
        ).encode(),
    )
    revoke: tuple[int, bytes] = (200, b"")
    who: tuple[int, bytes] = (200, b"Ada")
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, url: str, form: object) -> Exchange:
        """Take a form."""
        shown = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in form
        }
        self.asked.append((url, shown))
        status, body = self.revoke if url == REVOKE_URL else self.token
        sent = self.clock.now()
        await asyncio.sleep(0.1)
        wall = self.clock.wall()
        answer = TokenAnswer(status, {}, body)
        return Exchange(answer, sent, wall, self.clock.now(), None)

    async def ask(self, url: str, token: Secret) -> TokenAnswer:
        """Take a GET."""
        self.asked.append((url, {"token": token.reveal()}))
        if self.who[0] == 0:
            raise TokenEndpointUnavailable("away")
        return TokenAnswer(self.who[0], {}, self.who[1])


class Desk:
    """A bench whose profile can be logged in and out."""

    def __init__(self, grant=None, record: Record | None = None, **endpoints) -> None:
        self.bench = Bench(grant or refresh_grant())
        given = {"revoke_url": REVOKE_URL, "who": WHO} | endpoints
        self.profile = replace(self.bench.profile, endpoints=Endpoints(**given))
        self.server = Server(self.bench.clock)
        self.seen_saved: list[Record | None] = []
        self.consent = Consent(
            self.profile,
            store=self.bench.store,
            endpoint=self.server,
            clock=self.bench.clock,
            publish=self._told,
        )
        self.record = record
        self.told_to_wait = 0

    async def begin(self) -> None:
        """Put the record into the store."""
        if self.record is not None:
            await self.bench.store.inner.save(self.profile.key, self.record)

    def waits(self) -> None:
        """Note that a person is told what is waited for."""
        self.told_to_wait += 1

    def _told(self, event: object) -> None:
        self.bench.events.append(event)
        self.seen_saved.append(self.bench.record)


OLD = Record(
    access_token=Secret("old"),
    issued_at=1.0,
    expires_at=2.0,
    refresh_token=Secret("old-rt"),
    refresh_issued_at=1.0,
)


@virtual
async def test_what_came_is_saved_and_then_told():
    """The pair is in the store when the event is published; the code was sent once."""
    desk = Desk()
    token = await desk.consent.log_in(LOGIN, CODE, desk.waits)

    assert token.value == Secret("new")
    assert [event.cause for event in desk.bench.told(Renewed)] == ["login"]
    assert desk.seen_saved[-1].refresh_token == Secret("rt")
    assert desk.bench.record.access_token == Secret("new")
    assert [(url, form["code"]) for url, form in desk.server.asked] == [
        (TOKEN_URL, "c0de")
    ]


@virtual
async def test_a_login_replaces_a_dead_grant():
    """Old tokens, trouble and intent go; an emergency copy of the old chain too."""
    desk = Desk(record=replace(OLD, intent=Intent(1.0, "x")))
    await desk.begin()
    await desk.bench.store.rescue(desk.profile.key, replace(OLD, version=1))
    await desk.consent.log_in(LOGIN, CODE, desk.waits)

    record = desk.bench.record
    assert (record.access_token, record.refresh_token) == (Secret("new"), Secret("rt"))
    assert (record.intent, record.trouble) == (None, None)
    assert (await desk.bench.store.rescued(desk.profile.key)).copies == ()


@virtual
async def test_a_code_that_is_too_old_changes_nothing():
    """`invalid_grant`: the record is as it was."""
    desk = Desk(record=OLD)
    await desk.begin()
    desk.server.token = (400, b'{"error": "invalid_grant"}')
    with pytest.raises(ReauthorizationRequired):
        await desk.consent.log_in(LOGIN, CODE, desk.waits)

    assert desk.bench.record == replace(OLD, version=1)


@virtual
async def test_a_store_that_fails_for_a_while_is_waited_for():
    """The code is spent: the pair is saved again and again, with a copy meanwhile."""
    desk = Desk()
    desk.bench.store.failing_saves = 3
    await desk.consent.log_in(LOGIN, CODE, desk.waits)

    assert desk.bench.record.refresh_token == Secret("rt")
    assert [event.rescued for event in desk.bench.told(SaveFailed)] == ["memory"]
    assert (await desk.bench.store.rescued(desk.profile.key)).copies == ()


@virtual
async def test_a_store_that_cannot_be_read_is_known_before_the_browser_opens():
    """`check` raises where what comes could not be kept."""
    desk = Desk()
    desk.bench.store.failing_loads = 1
    with pytest.raises(StoreError):
        await desk.consent.check()


@virtual
async def test_a_running_proxy_goes_on_with_the_login():
    """A manager that was told `invalid_grant` serves the new token by itself."""
    desk = Desk()
    refusal = Fault("refused", 400, b'{"error": "invalid_grant"}')
    desk.bench.server.faults.append(refusal)
    with pytest.raises(ReauthorizationRequired):
        await desk.bench.manager.credential()
    await desk.consent.log_in(LOGIN, CODE, desk.waits)

    assert (await desk.bench.manager.credential()).value == Secret("new")
    assert desk.bench.calls == 1


@virtual
@pytest.mark.parametrize(
    ("answer", "revoked"),
    [((200, b""), True), ((400, b'{"error": "invalid_token"}'), False)],
)
async def test_a_logout_revokes_and_deletes(answer, revoked):
    """The refresh token takes both away; what is left says who did it."""
    desk = Desk(record=OLD)
    await desk.begin()
    desk.server.revoke = answer
    outcome = await desk.consent.log_out(desk.waits, ask=True)

    assert outcome == LoggedOut(known=True, revoked=revoked)
    assert [(url, form["token"]) for url, form in desk.server.asked] == [
        (REVOKE_URL, "old-rt")
    ]
    record = desk.bench.record
    assert (record.access_token, record.refresh_token) == (None, None)
    assert record.trouble.kind is TroubleKind.REAUTHORIZE
    assert record.trouble.message == "logged out"


@virtual
async def test_nothing_is_deleted_while_the_server_is_away():
    """A token that may be good is not forgotten by accident."""
    desk = Desk(record=OLD)
    await desk.begin()
    desk.server.revoke = (503, b"")
    with pytest.raises(TokenEndpointUnavailable):
        await desk.consent.log_out(desk.waits, ask=True)

    assert desk.bench.record == replace(OLD, version=1)


@virtual
async def test_forgetting_asks_nobody():
    """With `ask` false the tokens are deleted here alone."""
    desk = Desk(record=OLD, revoke_url="")
    await desk.begin()
    outcome = await desk.consent.log_out(desk.waits, ask=False)

    assert outcome == LoggedOut(known=True, revoked=False)
    assert desk.server.asked == []
    assert desk.bench.record.refresh_token is None


@virtual
async def test_a_seed_that_was_revoked_is_not_redeemed():
    """A seed that nobody redeemed is revoked, and dead for every process."""
    desk = Desk()
    await desk.consent.log_out(desk.waits, ask=True)

    assert desk.server.asked[0][1]["token"] == "refresh-0"
    with pytest.raises(ReauthorizationRequired, match="logged out"):
        await desk.bench.manager.credential()
    assert desk.bench.calls == 0


@virtual
async def test_a_second_logout_has_nothing_to_do():
    """Nobody is asked about tokens that are gone."""
    desk = Desk(record=OLD)
    await desk.begin()
    await desk.consent.log_out(desk.waits, ask=True)
    again = await desk.consent.log_out(desk.waits, ask=True)

    assert again == LoggedOut(known=False)
    assert len(desk.server.asked) == 1


@virtual
async def test_a_newer_refresh_token_in_an_emergency_copy_is_the_one_revoked():
    """What could not be saved is the live one: forgetting it would leave it good."""
    desk = Desk(record=OLD)
    await desk.begin()
    copy = replace(
        OLD,
        version=1,
        refresh_token=Secret("newer-rt"),
        intent=Intent(1.0, Secret("old-rt").fingerprint()),
    )
    await desk.bench.store.rescue(desk.profile.key, copy)
    unknown = replace(copy, refresh_token=Secret("unknown"), intent=None)
    await desk.bench.store.rescue(desk.profile.key, unknown)
    await desk.consent.log_out(desk.waits, ask=True)

    assert desk.server.asked[0][1]["token"] == "newer-rt"
    assert (await desk.bench.store.rescued(desk.profile.key)).copies == ()


@virtual
async def test_a_grant_that_needs_nobody_leaves_no_trouble():
    """The next request obtains a token again: nothing stands in its way."""
    desk = Desk(client_grant(), record=replace(OLD, refresh_token=None))
    await desk.begin()
    await desk.consent.log_out(desk.waits, ask=True)

    assert desk.server.asked[0][1]["token"] == "old"
    assert desk.bench.record.trouble is None
    assert (await desk.consent.log_out(desk.waits, ask=True)) == LoggedOut(known=False)


@virtual
async def test_a_running_proxy_lets_go_of_a_token_that_was_revoked():
    """A token known to be dead is never sent: within a second, no 401 needed."""
    desk = Desk()
    await desk.bench.manager.credential()
    await desk.consent.log_out(desk.waits, ask=True)
    await desk.bench.clock.sleep(1.0)

    assert desk.bench.manager.ready(desk.bench.clock.now()) is None
    with pytest.raises(ReauthorizationRequired, match="logged out"):
        await desk.bench.manager.credential()


@virtual
async def test_without_an_address_nobody_is_asked():
    """A token endpoint of the user's own: the preset's server gets no secret."""
    desk = Desk(record=OLD, revoke_url="")
    await desk.begin()
    with pytest.raises(ConfigError, match="revoke_url"):
        await desk.consent.log_out(desk.waits, ask=True)

    assert desk.bench.record == replace(OLD, version=1)


@virtual
async def test_a_developer_token_is_no_login():
    """It belongs to the developer console."""
    bench = Bench()
    profile = replace(bench.profile, grant=None, access_token=Secret("dev"))
    with pytest.raises(ConfigError, match="developer token"):
        Consent(
            profile,
            store=bench.store,
            endpoint=bench.server,
            clock=bench.clock,
            publish=bench.events.append,
        )


@virtual
@pytest.mark.parametrize(
    ("answer", "who"),
    [((200, b"Ada"), "Ada"), ((200, b"a" * 999), "a" * 200), ((401, b"Ada"), "")],
)
async def test_who_it_is_is_asked_with_the_new_token(answer, who):
    """A failure to tell is none of the login."""
    desk = Desk()
    token = await desk.consent.log_in(LOGIN, CODE, desk.waits)
    desk.server.who = answer

    assert await desk.consent.who(token) == who
    assert desk.server.asked[-1] == (WHO.url, {"token": "new"})


@virtual
async def test_who_it_is_stays_open_without_an_answer():
    """Nobody to ask, or nobody who answers: no name, and no error."""
    desk = Desk(who=None)
    token = await desk.consent.log_in(LOGIN, CODE, desk.waits)
    assert await desk.consent.who(token) == ""

    desk = Desk()
    desk.server.who = (0, b"")
    assert await desk.consent.who(token) == ""
