"""Which destinations a token is for: rules, indexed by host."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from everbearer.policy.hosts import possible_names, split_authority

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.policy.hosts import HostPattern
    from everbearer.policy.paths import PathPattern


class Action(Enum):
    """What a rule does with what it matches."""

    INJECT = "inject"
    PASS = "pass"  # noqa: S105 - not a password
    REFUSE = "refuse"


class ExistingPolicy(Enum):
    """What becomes of a credential that the client sent itself."""

    FILL = "fill"
    HEAL = "heal"
    REPLACE = "replace"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One rule; `label` is what logs, `explain` and refusals call it.

    Empty `paths` or `methods` match all. `private` is for exclusions whose
    bodies hold tokens, `capability` for those whose path is the credential.
    """

    label: str
    hosts: tuple[HostPattern, ...]
    paths: tuple[PathPattern, ...] = ()
    methods: frozenset[str] = frozenset()
    action: Action = Action.INJECT
    profiles: tuple[str, ...] = ()
    existing: ExistingPolicy = ExistingPolicy.FILL
    private: bool = False
    capability: bool = False

    def matches(self, method: str, reading: str) -> bool:
        """
        Tell whether a method and one reading of a path are meant.

        A rule that injects matches what it says. One that withholds the token
        matches more: letters of any case, since to some servers they are one.
        """
        if self.action is Action.INJECT:
            return (not self.methods or method in self.methods) and (
                not self.paths or any(p.matches(reading) for p in self.paths)
            )
        return (not self.methods or method.upper() in self.methods) and (
            not self.paths or any(p.matches_any_case(reading) for p in self.paths)
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RuleSet:
    """
    All rules in order of precedence, and what else a decision goes by.

    `unmatched` is "tunnel", "refuse" or "inspect"; `as_user` has the user that
    a profile acts for; `guarded` tells that there are proxy users.
    Raises ValueError for a rule that injects without naming a profile, and for
    names of profiles that there are not.
    """

    rules: tuple[Rule, ...]
    profiles: tuple[str, ...]
    default_profile: str = ""
    browser_origins: frozenset[str] = frozenset()
    unmatched: str = "tunnel"
    as_user: Mapping[str, str] = field(default_factory=dict)
    guarded: bool = False
    _exact: Mapping[str, tuple[Rule, ...]] = field(init=False, repr=False)
    _wild: Mapping[str, tuple[tuple[HostPattern, int, Rule], ...]] = field(
        init=False, repr=False
    )

    def __post_init__(self) -> None:
        self._check()
        origins = frozenset(origin.lower() for origin in self.browser_origins)
        wild: dict[str, list[tuple[HostPattern, int, Rule]]] = {}
        exact: dict[str, dict[int, Rule]] = {}
        for rank, rule in enumerate(self.rules):
            for pattern in rule.hosts:
                if pattern.parent:
                    wild.setdefault(pattern.parent, []).append((pattern, rank, rule))
                else:
                    exact.setdefault(pattern.text, {})[rank] = rule
        set_field = object.__setattr__  # the dataclass is frozen for others
        set_field(self, "browser_origins", origins)
        set_field(self, "as_user", MappingProxyType(dict(self.as_user)))
        set_field(self, "_wild", {parent: tuple(w) for parent, w in wild.items()})
        # Wildcards are merged in now, so that a look-up of a name is just that.
        merged = {
            host: _in_order(by_rank | self._matching_wild(host))
            for host, by_rank in exact.items()
        }
        set_field(self, "_exact", merged)

    def _check(self) -> None:
        known = {*self.profiles, ""}
        for rule in self.rules:
            if rule.action is Action.INJECT and not rule.profiles:
                raise ValueError(f"rule {rule.label} injects and names no profile")
            if not known.issuperset(rule.profiles):
                raise ValueError(f"rule {rule.label} names an unknown profile")
        if not known.issuperset({self.default_profile, *self.as_user}):
            raise ValueError("default_profile or as_user names an unknown profile")

    def for_host(self, host: str) -> tuple[Rule, ...]:
        """Return the rules that name a normalised host, in order of precedence."""
        rules = self._exact.get(host)
        return _in_order(self._matching_wild(host)) if rules is None else rules

    def covers(self, host: str) -> bool:
        """Tell whether any rule names a normalised host."""
        return host in self._exact or bool(self._matching_wild(host))

    def covers_raw(self, raw: str) -> bool:
        """
        Tell whether any spelling of a name or authority could reach a ruled host.

        Never raises. Case, ports, trailing dots, escapes, user information and
        what IDNA maps to ASCII do not hide a name; where that is in doubt the
        answer is True.
        """
        try:
            host, _ = split_authority(raw)
        except ValueError:
            return any(map(self.covers, possible_names(raw)))
        return self.covers(host)

    def _matching_wild(self, host: str) -> dict[int, Rule]:
        candidates = self._wild.get(host.partition(".")[2], ())
        return {
            rank: rule for pattern, rank, rule in candidates if pattern.matches(host)
        }


def _in_order(by_rank: dict[int, Rule]) -> tuple[Rule, ...]:
    return tuple(by_rank[rank] for rank in sorted(by_rank))
