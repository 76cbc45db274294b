"""What a preset tells of a provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everbearer.policy.rules import Rule


@dataclass(frozen=True, slots=True)
class Preset:
    """
    Endpoints, hosts, exclusions and quirks of one provider.

    `exclusions` come before every rule of the user; `injecting` are the rules
    of profiles that no rule of the user names (their `profiles` are filled in).
    `refresh_token_life` is in seconds, None where unused ones do not end.
    """

    name: str
    token_url: str
    exclusions: tuple[Rule, ...]
    injecting: tuple[Rule, ...]
    default_expires_in: float
    refresh_token_life: float | None = None
    scheme: str = "bearer"
