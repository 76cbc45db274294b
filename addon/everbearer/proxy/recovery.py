"""What a 401 leads to: a renewal and one replay, or the 401 itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from everbearer.errors import EverbearerError
from everbearer.events import Replayed
from everbearer.oauth.challenge import bearer_error
from everbearer.oauth.challenge_words import in_words
from everbearer.policy.verdict import Pass
from everbearer.proxy.exchanged import shown_view
from everbearer.proxy.fields import AnswerFields
from everbearer.proxy.hopeless import Hopeless, Place, place
from everbearer.proxy.refusal import Refusal, answer, from_error
from everbearer.proxy.replay import cannot_replay
from everbearer.proxy.replay_connection import AnswerTooLarge, ReplayFailed
from everbearer.recent import Recent
from everbearer.schemes.contract import Accept, Again, Answer, GiveBack, Renew

if TYPE_CHECKING:
    from everbearer.broker import Broker
    from everbearer.proxy.authorize import Authorizer
    from everbearer.proxy.notes import Note
    from everbearer.proxy.replay import Replays
    from everbearer.schemes.contract import Credential, Outcome

logger = logging.getLogger(__name__)

_UNAUTHORIZED: Final = 401
_REJECTED_MEMORY: Final = 4096
_OWN: Final = (
    "the client's own token was rejected: send none, or set "
    'existing_authorization to "heal" or "replace"'
)


class Recovery:
    """Decides nothing by itself: the scheme says what an answer means."""

    def __init__(
        self, broker: Broker, authorizer: Authorizer, replays: Replays
    ) -> None:
        self._broker = broker
        self._authorizer = authorizer
        self._replays = replays
        self._hopeless = Hopeless()
        self._rejected = Recent[tuple[str, str, str], None](_REJECTED_MEMORY)

    def rejected_for(self, client: str, token: str) -> frozenset[str]:
        """Return the profiles for which this token of this client was rejected."""
        if not self._rejected:
            return frozenset()
        return frozenset(
            profile
            for (who, profile, which) in self._rejected
            if who == client and which == token
        )

    def wants(self, note: Note) -> bool:
        """Look at an answer's head: tell whether another may have to replace it."""
        response, verdict = note.flow.response, note.verdict
        if response is None:
            return False
        if isinstance(verdict, Pass):
            return verdict.heal is not None and response.status_code == _UNAUTHORIZED
        if note.credential is None or note.changes is None:
            return False
        self._judge(note)
        if isinstance(note.outcome, Accept):
            self._hopeless.note_accepted(
                note.credential.profile, note.credential.token.fingerprint
            )
        return isinstance(note.outcome, Renew | Again)

    def _judge(self, note: Note) -> None:
        """Ask the scheme what the answer means, and keep what it learned from it."""
        assert note.credential is not None
        assert note.changes is not None
        assert note.view is not None
        profile = note.credential.profile
        scheme = self._broker.scheme(profile)
        note.outcome = scheme.answered(note.view, _answer(note), note.changes)
        if isinstance(note.outcome, Again):
            self._authorizer.learn(note.view, profile, note.outcome.learned)

    def has_work(self, note: Note) -> bool:
        """Tell whether `recover` may have anything to do."""
        if note.is_replay or note.refusal is not None:
            return False
        accepted = note.outcome is None or isinstance(note.outcome, Accept)
        return isinstance(note.verdict, Pass) or not accepted

    async def recover(self, note: Note) -> None:
        """
        Put a healed answer in the place of a 401, where one can be had.

        What the scheme makes of that answer is done as well: at most one renewal
        and one `Again` for a request.
        """
        _remember(note)
        if isinstance(note.verdict, Pass):
            if note.verdict.heal is not None:
                await self._heal(note)
            elif _own_was_rejected(note):
                note.remark = _OWN
            return
        done: set[type[Outcome]] = set()
        while (
            isinstance(note.outcome, Renew | Again) and type(note.outcome) not in done
        ):
            done.add(type(note.outcome))
            if not await self._act(note):
                return
        if isinstance(note.outcome, GiveBack):
            note.remark = note.outcome.reason
        elif isinstance(note.outcome, Renew):
            self._note_hopeless(note)

    async def _act(self, note: Note) -> bool:
        """Do what the outcome asks for; tell whether another answer came of it."""
        assert note.credential is not None
        if isinstance(note.outcome, Renew):
            return await self._renew(note, note.credential)
        return await self._replay(note, note.credential)

    def _note_hopeless(self, note: Note) -> None:
        """Remember that a renewed credential was refused as well."""
        assert note.credential is not None
        token = note.credential.token
        # One that another had obtained before may have been dead as well.
        if token.issued_at <= note.started:
            return
        now = self._broker.clock.now()
        if _says_invalid(note):
            self._hopeless.note_stillborn(
                note.credential.profile, token.fingerprint, now
            )
        else:
            self._hopeless.note_hopeless(_place(note), token.fingerprint, now)

    async def _renew(self, note: Note, failed: Credential) -> bool:
        profile, fingerprint = failed.profile, failed.token.fingerprint
        if self._hopeless.hopeless(_place(note), fingerprint, self._broker.clock.now()):
            note.remark = "renewing did not help before: given back"
            return False
        if not self._broker.can_renew(profile) and not _says_invalid(note):
            # Nothing else can be had, and the token may be good elsewhere.
            note.remark = "not usable here, and this profile has no other token"
            return False
        why = _cannot_replay(note)
        if why:
            note.remark = f"not replayed: {why}"
            self._broker.recover_later(profile, fingerprint)
            return False
        credential = await self._other(note, failed)
        return credential is not None and await self._replay(note, credential)

    async def _heal(self, note: Note) -> None:
        """Replace a client's own token that was rejected, where that is healed."""
        response, verdict = note.flow.response, note.verdict
        if response is None or response.status_code != _UNAUTHORIZED:
            return
        assert isinstance(verdict, Pass)
        assert verdict.heal is not None
        assert note.view is not None
        if _challenge_error(note) not in {None, "invalid_token"}:
            return
        client = note.flow.client_conn.peername[0]
        token = note.view.authorization.fingerprint
        self._rejected[client, verdict.heal, token] = None
        why = _cannot_replay(note)
        if why:
            note.remark = f"not replayed: {why}"
            return
        try:
            credential = await self._in_place_of(note, verdict.heal)
        except EverbearerError as error:
            note.remark = f"not healed: {error.message}"
            return
        if await self._replay(note, credential) and isinstance(note.outcome, Again):
            await self._replay(note, credential)

    async def _in_place_of(self, note: Note, profile: str) -> Credential:
        assert note.view is not None
        own = note.view.authorization
        if profile in own.issued_for:
            # What the client got by our refresh token is what we have as well.
            return await self._broker.recover(profile, own.fingerprint)
        return await self._broker.credential(profile)

    async def _other(self, note: Note, failed: Credential) -> Credential | None:
        try:
            return await self._broker.recover(failed.profile, failed.token.fingerprint)
        except EverbearerError as error:
            note.refusal = from_error(error, failed.profile)
            answer(note.flow, note.refusal, self._broker.standing)
            return None

    async def _replay(self, note: Note, credential: Credential) -> bool:
        began = self._broker.clock.now()
        why = _cannot_replay(note)
        if why:
            note.remark = f"not replayed: {why}"
            return False
        try:
            response = await self._replays.send(note, credential)
        except AnswerTooLarge:
            note.remark = "the replay's answer is too long to hold: try again"
            return False
        except ReplayFailed as error:
            note.refusal = Refusal(
                502,
                "replay_failed",
                f"the server was lost while the request was sent again: {error}",
                "send the request again",
                credential.profile,
            )
            answer(note.flow, note.refusal, self._broker.standing)
            return False
        note.flow.response = response.copy()
        note.flow.response.stream = False
        note.replayed, learned = True, isinstance(note.outcome, Again)
        self._judge(note)
        view = shown_view(note)
        assert view is not None
        self._broker.publish(
            Replayed(
                at=self._broker.clock.wall(),
                profile=credential.profile,
                method=view.method,
                host=view.host,
                path=view.path,
                status=response.status_code,
                duration=self._broker.clock.now() - began,
                learned=learned,
                id=note.flow.id,
            )
        )
        return True


def _remember(note: Note) -> None:
    """Note what the 401 was for and says: its answer may be replaced."""
    response = note.flow.response
    if response is None or response.status_code != _UNAUTHORIZED:
        return
    if note.credential is not None:
        note.rejected = note.credential.token.fingerprint
    elif note.view is not None:
        note.rejected = note.view.authorization.fingerprint
    note.complaint = _challenge_error(note) or ""
    note.challenge = in_words(_answer(note).fields.get("www-authenticate", ()))


def _own_was_rejected(note: Note) -> bool:
    response, verdict = note.flow.response, note.verdict
    return (
        response is not None
        and response.status_code == _UNAUTHORIZED
        and isinstance(verdict, Pass)
        and verdict.code == "client_token"
    )


def _answer(note: Note) -> Answer:
    response = note.flow.response
    assert response is not None
    return Answer(response.status_code, AnswerFields(response.headers.fields))


def _cannot_replay(note: Note) -> str:
    response = note.flow.response
    if response is not None and response.stream:
        return cannot_replay(note) or "its answer is already on its way"
    return cannot_replay(note)


def _place(note: Note) -> Place:
    assert note.credential is not None
    assert note.view is not None
    return place(note.credential.profile, note.view.method, note.view.path)


def _challenge_error(note: Note) -> str | None:
    """Return what the Bearer challenge says is wrong (RFC 6750 §3.1)."""
    return bearer_error(_answer(note).fields.get("www-authenticate", ()))


def _says_invalid(note: Note) -> bool:
    return _challenge_error(note) == "invalid_token"
