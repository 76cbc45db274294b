"""What people are told of a profile's token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.errors import TokenRequestRejected
from everbearer.oauth.freshness import freshness
from everbearer.oauth.refresh_life import ends_soon
from everbearer.renewal.copies import KEPT_HINT, kept, nothing_lost, taken_in
from everbearer.renewal.held import token_of
from everbearer.stores.contract import Record, TroubleKind

if TYPE_CHECKING:
    from everbearer.errors import StoreError
    from everbearer.renewal.held import Held
    from everbearer.secret import Secret
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Rescued, Trouble


_UNSAVED_HINT: Final = (
    "make room on the disk and see that the store can be written: a running everbearer"
    " saves the token by itself, else the next one that needs it does"
)
_ONLY_HERE_HINT: Final = (
    "make room on the disk and see that the store can be written, before everbearer is"
    " stopped: nothing else has the new refresh token"
)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know and do."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ProfileStatus:
    """
    The state of one profile, without anything secret.

    `state` is "fresh", "stale", "expired", "dead" (refused by the server) or
    "none"; `expires_in` is in seconds, None where there is no token, `inf` where
    nobody knows the end. The other times are seconds since the epoch, None for
    never: `refresh_ends_at` is when the grant dies unless it is renewed, and
    `refresh_hint` what to do if that is in 14 days or less.
    """

    name: str
    grant: str
    state: str
    token: str = ""  # fingerprint
    expires_in: float | None = None
    renewed_at: float | None = None
    refresh_issued_at: float | None = None
    refresh_ends_at: float | None = None
    refresh_hint: str = ""
    trouble: Trouble | None = None
    notices: tuple[Notice, ...] = ()


def notices_of(
    record: Record | None,
    seed: Secret | None,
    rescued: Rescued,
    unsaved: StoreError | None,
) -> tuple[Notice, ...]:
    """Tell of a new token that is not in the store, and of copies that stay."""
    stored = record or Record()
    notices = [Notice(error.message, error.hint) for error in rescued.unreadable]
    why = f": {unsaved.message}" if unsaved else ""
    newer = [c for c in rescued.copies if taken_in(stored, c.record, seed)]
    if newer:
        message = f"a new token is not in the store but in {newer[0].where}{why}"
        notices.append(Notice(message, _UNSAVED_HINT))
    elif unsaved is not None:
        notices.append(Notice(f"a new token is not on disk{why}", _ONLY_HERE_HINT))
    older = (copy for copy in rescued.copies if copy not in newer)
    notices.extend(
        Notice(kept(copy.where), KEPT_HINT)
        for copy in older
        if not nothing_lost(stored, copy.record)
    )
    return tuple(notices)


def status_of(
    profile: Profile,
    held: Held,
    record: Record | None,
    now: float,
    wall: float,
    notices: tuple[Notice, ...] = (),
) -> ProfileStatus:
    """Return the status by what is in memory, else by what is in the store."""
    token = held.alive(now) or token_of(record, now, wall)
    state = freshness(token, now).value if token else "none"
    known = token.value if token else profile.access_token
    if known is not None and held.is_dead(known.fingerprint()):
        state = "dead"
    ends_at = refresh_ends_at(profile, record)
    soon = ends_at is not None and ends_soon(ends_at, wall)
    return ProfileStatus(
        name=profile.name,
        grant=profile.grant.name if profile.grant else "access_token",
        state=state,
        token=token.fingerprint if token else "",
        expires_in=max(0.0, token.expires_at - now) if token else None,
        renewed_at=(record.issued_at or None) if record else None,
        refresh_issued_at=(record.refresh_issued_at or None) if record else None,
        refresh_ends_at=ends_at,
        refresh_hint=ends_hint(profile, ends_at, wall) if soon else "",
        trouble=_of_this_configuration(profile, record),
        notices=notices,
    )


def refresh_ends_at(profile: Profile, record: Record | None) -> float | None:
    """Return when the grant dies unless it is renewed; None: never, or not known."""
    life = profile.refresh_token_life
    if life is None or record is None or not record.refresh_issued_at:
        return None
    return record.refresh_issued_at + life


def ends_hint(profile: Profile, ends_at: float | None, wall: float) -> str:
    """Return what a person does about a grant that dies at *ends_at*."""
    if ends_at is not None and wall >= ends_at and profile.grant is not None:
        return profile.grant.reauthorize_hint(profile.name, "")
    return f"run: everbearer renew {profile.name}"


def trouble_hint(profile: Profile, trouble: Trouble) -> str:
    """Return what a person does about *trouble*, the command to run in it."""
    match trouble.kind:
        case TroubleKind.REAUTHORIZE if profile.grant is not None:
            return profile.grant.reauthorize_hint(profile.name, trouble.message)
        case TroubleKind.CONFIGURATION:
            return trouble.hint or TokenRequestRejected.default_hint
    return f"run: everbearer renew {profile.name}"


def _of_this_configuration(profile: Profile, record: Record | None) -> Trouble | None:
    """Return the record's trouble unless the configuration has changed since."""
    if record is None or record.trouble is None or profile.grant is None:
        return None
    trouble = record.trouble
    return trouble if trouble.grant == profile.grant.fingerprint else None
