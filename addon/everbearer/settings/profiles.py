"""`[profiles]`: one identity each, and the grant that obtains its tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from everbearer.policy.hosts import HTTPS_PORT, normalise_host
from everbearer.settings.authorization import build_grant
from everbearer.settings.endpoints import build_endpoints
from everbearer.settings.model import Profile
from everbearer.settings.network import split_url
from everbearer.settings.problems import listing, nearest
from everbearer.stores.contract import GrantKey

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from everbearer.oauth.grants.contract import Grant
    from everbearer.providers.contract import Preset
    from everbearer.secret import Secret
    from everbearer.settings.document import ProfileTable
    from everbearer.settings.model import NetworkSettings
    from everbearer.settings.problems import Where
    from everbearer.settings.secrets import SecretReader

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_RESERVED: Final = "none"  # Everbearer-Profile: none sends a request as it is
_DECIMAL: Final = re.compile(r"[0-9]+\Z")
_ANY_PROFILE: Final = frozenset({"provider", "grant", "as_user", "token_url"})
_ANY_GRANT: Final = frozenset({"client_id", "client_secret", "revoke_url"})


def build_profiles(
    tables: Mapping[str, ProfileTable],
    reader: SecretReader,
    presets: Mapping[str, Preset],
    grants: Mapping[str, type[Grant]],
    network: NetworkSettings,
) -> dict[str, Profile]:
    """Return the profiles that are sound, by name; notes what is wrong with others."""
    if not tables and not reader.problems.about("profiles"):
        reader.problems.add(
            ("profiles",),
            "there is no profile",
            'write, for example: [profiles.dev] with provider = "box"',
        )
    builder = _Builder(reader, presets, grants, network)
    built = {name: builder.build(name, table) for name, table in tables.items()}
    builder.note_shared_seeds()
    return {name: profile for name, profile in built.items() if profile}


@dataclass(slots=True)
class _Builder:
    reader: SecretReader
    presets: Mapping[str, Preset]
    grants: Mapping[str, type[Grant]]
    network: NetworkSettings
    seeds: dict[Secret, list[str]] = field(default_factory=dict)

    def build(self, name: str, table: ProfileTable) -> Profile | None:
        where = ("profiles", name)
        self._check_name(where, name)
        preset = self._preset(where, table)
        token_url, dial = self._token_url(where, table, preset)
        self._check_as_user(where, table)
        grant = self._grant(where, table)
        token = self.reader.token((*where, "access_token"), table.access_token)
        if preset is None or (grant is None and token is None):
            return None
        return Profile(
            name=name,
            provider=preset.name,
            token_url=token_url,
            key=_key(name, token_url, dial, grant, token),
            grant=grant,
            access_token=token,
            as_user=table.as_user or "",
            scheme=preset.scheme,
            default_expires_in=preset.default_expires_in,
            refresh_token_life=preset.refresh_token_life
            if grant is not None and grant.rotates
            else None,
            endpoints=build_endpoints(where, table, preset, token_url, self.reader),
        )

    def note_shared_seeds(self) -> None:
        """One redeem retires the token: a second profile would find it dead."""
        for names in self.seeds.values():
            if len(names) > 1:
                self.reader.problems.add(
                    ("profiles", names[-1], "refresh_token"),
                    f"the profiles {listing(names, 'and')} have the same refresh token",
                    "obtain one for each, or use one profile for both",
                )

    def _check_name(self, where: Where, name: str) -> None:
        if name == _RESERVED:
            self.reader.problems.add(
                where,
                '"none" is no name: it asks for a request without a profile',
                "write, for example: [profiles.dev]",
            )
        elif not _NAME.match(name):
            better = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")[:64] or "dev"
            self.reader.problems.add(
                where,
                "a name has letters, digits, '-', '_' and '.', 64 at most",
                f"write, for example: [profiles.{better}]",
            )

    def _preset(self, where: Where, table: ProfileTable) -> Preset | None:
        name = table.provider
        if name is None:
            example = table.example("provider")
            self.reader.problems.missing((*where, "provider"), example)
            return None
        if name in self.presets:
            return self.presets[name]
        meant = self._correct((*where, "provider"), name, self.presets)
        return self.presets.get(meant)

    def _token_url(
        self, where: Where, table: ProfileTable, preset: Preset | None
    ) -> tuple[str, str]:
        """Return the token endpoint and where `connect_to` leads it, "" for nowhere."""
        default = preset.token_url if preset else ""
        url = default if table.token_url is None else table.token_url
        parts = split_url(url)
        # RFC 6749 §3.2: no fragment, and TLS.
        if parts is None or parts.scheme != "https" or parts.fragment:
            if url or table.token_url is not None:
                self.reader.problems.add(
                    (*where, "token_url"),
                    "expected an https address without user information",
                    f'write, for example: token_url = "{default or _EXAMPLE}"',
                )
            return default, ""
        host = normalise_host(parts.hostname or "")
        dial = self.network.dialled(host, parts.port or HTTPS_PORT)
        return url, str(dial or "")

    def _check_as_user(self, where: Where, table: ProfileTable) -> None:
        if table.as_user is not None and not _DECIMAL.match(table.as_user):
            self.reader.problems.add(
                (*where, "as_user"),
                "expected the decimal id of a user",
                'write, for example: as_user = "1234567"',
            )

    def _grant(self, where: Where, table: ProfileTable) -> Grant | None:
        problems = self.reader.problems
        name = table.grant
        if name is None:
            if table.access_token is not None:
                self._refuse_unused(where, table, frozenset({"access_token"}))
            elif not problems.about(*where, "grant") and not problems.about(
                *where, "access_token"
            ):
                problems.add(
                    (*where, "grant"),
                    "there is neither a grant nor an access_token",
                    f"write: grant = {listing(self.grants)}",
                )
            return None
        if name not in self.grants:
            name = self._correct((*where, "grant"), name, self.grants)
        if name not in self.grants:
            return None
        kind = self.grants[name]
        self._refuse_unused(where, table, _ANY_GRANT | kind.uses)
        grant = build_grant(kind, where, table, self.reader)
        if grant is not None and grant.seed:
            self.seeds.setdefault(grant.seed, []).append(str(where[-1]))
        return grant

    def _correct(self, where: Where, name: str, known: Collection[str]) -> str:
        """Note an unknown name; return the one to go on with, "" where none is near."""
        meant = nearest(name, known)
        choice = listing([meant] if meant else known)
        self.reader.problems.add(
            where, f"unknown {where[-1]}", f"write: {where[-1]} = {choice}"
        )
        return meant or ""

    def _refuse_unused(
        self, where: Where, table: ProfileTable, keys: frozenset[str]
    ) -> None:
        means = "access_token" if table.grant is None else f'grant = "{table.grant}"'
        for key in table.model_fields_set - keys - _ANY_PROFILE:
            self.reader.problems.add(
                (*where, key), f"has no meaning with {means}", "remove it"
            )


_EXAMPLE: Final = "https://api.box.com/oauth2/token"


def _key(
    name: str, token_url: str, dial: str, grant: Grant | None, token: Secret | None
) -> GrantKey:
    if grant is None:
        assert token is not None
        return GrantKey(token_url, "", "access_token", token.fingerprint(), dial)
    # A login has no seed: it belongs to the profile that was logged in.
    identity = grant.identity or f"profile {name}"
    return GrantKey(token_url, grant.client_id, grant.name, identity, dial)
