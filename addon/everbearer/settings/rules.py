"""`[[rules]]`, between the presets' exclusions and their injecting rules."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.policy.hosts import HostPattern
from everbearer.policy.paths import PathPattern
from everbearer.policy.rules import Action, ExistingPolicy, Rule, RuleSet
from everbearer.settings.problems import listing, nearest, quote, spell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from everbearer.providers.contract import Preset
    from everbearer.settings.document import RuleTable
    from everbearer.settings.model import Settings
    from everbearer.settings.problems import Problems, Where

# RFC 9110 §5.6.2, without the lower-case letters: methods are case-sensitive
# (§9.1) and the registered ones are upper case.
_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]+\Z")


def build_rules(
    tables: Sequence[RuleTable], profiles: Iterable[str], problems: Problems
) -> tuple[Rule, ...]:
    """Return the user's rules that are sound; notes what is wrong with others."""
    names = tuple(profiles)
    built = (
        _rule(("rules", position), table, names, problems)
        for position, table in enumerate(tables)
    )
    return tuple(rule for rule in built if rule)


def with_presets(
    rules: tuple[Rule, ...],
    providers: Mapping[str, str | None],
    presets: Mapping[str, Preset],
) -> tuple[Rule, ...]:
    """
    Return the user's rules between those of the presets in use.

    `providers` has the provider of each profile. A profile that one of the
    user's rules names is no longer served by its preset's.
    """
    used = [preset for name, preset in presets.items() if name in providers.values()]
    exclusions = [rule for preset in used for rule in preset.exclusions]
    named = {name for rule in rules for name in rule.profiles}
    injecting: list[Rule] = []
    for preset in used:
        left = tuple(
            name
            for name, provider in providers.items()
            if provider == preset.name and name not in named
        )
        if left:
            injecting += [replace(rule, profiles=left) for rule in preset.injecting]
    return (*exclusions, *rules, *injecting)


def unserved(rules: Iterable[Rule], profiles: Iterable[str]) -> list[str]:
    """Return a warning for each profile that no rule names."""
    named = {name for rule in rules for name in rule.profiles}
    return [
        f"{spell(('profiles', name))}: no rule names it, so no request can have it"
        for name in profiles
        if name not in named
    ]


def _rule(
    where: Where, table: RuleTable, names: tuple[str, ...], problems: Problems
) -> Rule | None:
    if table.hosts is None:
        problems.missing((*where, "hosts"), table.example("hosts"))
    hosts = _patterns((*where, "hosts"), table.hosts, HostPattern.parse, problems)
    paths = _patterns((*where, "paths"), table.paths, PathPattern.parse, problems)
    methods = _methods((*where, "methods"), table.methods, problems)
    _check_outcome(where, table, problems)
    _check_profiles((*where, "profiles"), table.profiles, names, problems)
    if problems.about(*where, "hosts"):
        return None
    return Rule(
        label=spell(where),
        hosts=hosts,
        paths=paths,
        methods=methods,
        action=Action(table.action) if table.action else Action.INJECT,
        profiles=tuple(table.profiles or ()),
        existing=ExistingPolicy(table.existing_authorization or "fill"),
    )


def _patterns[Pattern](
    where: Where,
    texts: list[str] | None,
    parse: Callable[[str], Pattern],
    problems: Problems,
) -> tuple[Pattern, ...]:
    _refuse_empty(where, texts, problems)
    built: list[Pattern] = []
    for position, text in enumerate(texts or ()):
        try:
            built.append(parse(text))
        except ValueError as error:  # its message has the corrected form
            problems.add((*where, position), str(error))
    return tuple(built)


def _methods(
    where: Where, texts: list[str] | None, problems: Problems
) -> frozenset[str]:
    _refuse_empty(where, texts, problems)
    for position, text in enumerate(texts or ()):
        if not _METHOD.match(text):
            upper = text.strip().upper()
            better = upper if _METHOD.match(upper) else "GET"
            problems.add(
                (*where, position),
                "a method is one word in upper case",
                f"write: {quote(better)}",
            )
    return frozenset(texts or ())


def _check_outcome(where: Where, table: RuleTable, problems: Problems) -> None:
    """Note a rule that does not say who may serve, or what happens instead."""
    if table.profiles is not None and table.action is not None:
        problems.add(
            (*where, "action"),
            "the rule has profiles and an action",
            "keep one of the two",
        )
    elif (
        table.profiles is None
        and table.action is None
        and not problems.about(*where, "profiles")
        and not problems.about(*where, "action")
    ):
        problems.add(
            where,
            "the rule has neither profiles nor an action",
            f"write: {table.example('profiles')}, or action = {_ACTIONS}",
        )
    elif table.action is not None and table.existing_authorization is not None:
        problems.add(
            (*where, "existing_authorization"),
            "has no meaning with an action: nothing is injected",
            "remove it",
        )


_ACTIONS: Final = listing(["refuse", "pass"])


def _check_profiles(
    where: Where, given: list[str] | None, names: tuple[str, ...], problems: Problems
) -> None:
    _refuse_empty(where, given, problems)
    for position, name in enumerate(given or ()):
        check_profile((*where, position), name, names, problems)


def check_profile(
    where: Where, name: str, names: Iterable[str], problems: Problems
) -> None:
    """Note a name that no profile has."""
    known = tuple(names)
    if name in known or problems.lost("profiles"):
        return
    meant = nearest(name, known)
    choice = listing([meant] if meant else known) if known else "a profile's name"
    problems.add(where, "there is no such profile", f"write: {choice}")


def _refuse_empty(where: Where, texts: list[str] | None, problems: Problems) -> None:
    if texts == []:
        # Nothing, or everything? A rule about tokens is not guessed at.
        problems.add(where, "is empty", "remove it, or name something")


def rule_set(settings: Settings) -> RuleSet:
    """Return what the policy decides by, for one whole configuration."""
    return RuleSet(
        rules=settings.rules,
        profiles=tuple(settings.profiles),
        default_profile=settings.default_profile,
        browser_origins=settings.proxy.browser_origins,
        unmatched=settings.proxy.unmatched_hosts.value,
        as_user={p.name: p.as_user for p in settings.profiles.values() if p.as_user},
        guarded=bool(settings.proxy.users),
    )
