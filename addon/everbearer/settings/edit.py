"""
The text of a configuration with one profile more, or with one changed.

Pure: text in, text out. Everything else stays as it stands, comments and line
ends included; what comes out is parsed and compared, so that a doubt about an
unusual way of writing ends in a Mistake and never in a changed meaning.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from typing import TYPE_CHECKING, Any, Final

import tomli
import tomlkit
import tomlkit.items

from everbearer.settings.problems import Mistake, spell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

type Value = str | list[str] | Mapping[str, Value]
"""What a key of a profile is set to: a string, strings, or a table of such."""

CREDENTIALS: Final = (
    "provider",
    "grant",
    "access_token",
    "client_id",
    "client_secret",
    "refresh_token",
    "jwt",
    "subject",
)
"""The keys that say who a profile is; new credentials replace them all."""

_MASK: Final = "****"
_ADDRESSES: Final = frozenset(
    {"token_url", "authorize_url", "revoke_url", "redirect_uri"}
)
"""The keys whose string is no secret where it has nothing but host and path."""
_TOLD: Final = frozenset({*CREDENTIALS, *_ADDRESSES, "as_user", "default_profile"})
_OPEN: Final = frozenset(
    {
        *("provider", "grant", "client_id", "as_user", "default_profile"),
        *("key_id", "type", "id"),  # in jwt, in subject
        *("env", "file", "keyring"),  # where a secret comes from
    }
)
"""The keys whose string is no secret."""
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_HEADER: Final = re.compile(r"\s*\[[A-Za-z0-9_.\"-]+\]\s*\Z")


def profiles_in(text: str) -> list[str]:
    """Return the names of the profiles."""
    profiles = tomli.loads(text).get("profiles", {})
    return list(profiles) if isinstance(profiles, dict) else []


def default_in(text: str) -> str:
    """Return the default profile, "" where the text names none."""
    return str(tomli.loads(text).get("default_profile", ""))


def sources_in(text: str) -> set[str]:
    """Return the files and entries of the keyring that secrets come from."""
    return set(_sources(tomli.loads(text)))


def with_profile(
    text: str, name: str, keys: Mapping[str, Value], comment: str = ""
) -> str:
    """
    Return the text with another profile at its end, under a comment.

    Where there was one profile, and nothing said so, that one stays the default.
    """
    end = _line_end(text)
    before = tomli.loads(text)
    lines = [f"# {comment}"] if comment else []
    lines += [f"[{spell(('profiles', name))}]"]
    lines += [f"{key} = {_rendered(value)}" for key, value in keys.items()]
    gap = end if text.strip() else ""
    text += "" if not text or text.endswith(end) else end
    after = text + gap + end.join(lines) + end
    expected = copy.deepcopy(before)
    try:
        others = list(expected.setdefault("profiles", {}))
        expected["profiles"][name] = _plain(keys)
    except (AttributeError, TypeError):
        raise _by_hand() from None
    if len(others) == 1 and not before.get("default_profile"):
        expected["default_profile"] = others[0]
        after = _with_default(after, others[0], end)
    return _checked(after, expected)


def keys_like(text: str, model: str) -> dict[str, Value]:
    """
    Return the keys of a profile for another person's login.

    What belongs to the one who is logged in stays behind; raises KeyError where
    there is no such profile.
    """
    keys = tomli.loads(text)["profiles"][model]
    return {key: keys[key] for key in keys if key not in {"refresh_token", "as_user"}}


def with_credentials(text: str, name: str, keys: Mapping[str, Value]) -> str:
    """Return the text with new credentials in a profile that is there."""
    end = _line_end(text)
    expected = tomli.loads(text)
    try:
        profile = expected["profiles"][name]
        kept = {key: value for key, value in profile.items() if key not in CREDENTIALS}
        expected["profiles"][name] = kept | _plain(keys)
        document = tomlkit.parse(text)
        _set(document["profiles"][name], keys, end)
        after = tomlkit.dumps(document)
    except Exception:  # noqa: BLE001 - whatever it stumbles over, it is a way of writing
        raise _by_hand() from None
    return _checked(after, expected)


def shown(before: str, after: str, comment: str = "") -> str:
    """
    Return the lines that differ, as `diff -U0`, without a secret in them.

    What stands around them is left out, since comments may hold what they like,
    but for *comment*, which is known to be no secret. A key is told with its value
    where that is as it is written here, and says no more than where a secret comes
    from; all else is told by its key, if it is one of ours. No line is told that
    holds a line of any secret in either text: it may stand within a string of
    several lines.
    """
    old, new = before.splitlines(), after.splitlines()
    theirs, known = set(old), f"# {comment}"
    headers = {f"[{spell(('profiles', name))}]" for name in profiles_in(after)}
    secrets = {*_secret_lines(before), *_secret_lines(after)}

    def told(line: str) -> str:
        sign, rest = line[0], line[1:]
        # One of theirs that moved may hold what it likes.
        new_comment = rest.startswith("#") and (rest not in theirs or rest == known)
        if not rest.strip() or (
            ((sign == "+" and new_comment) or rest in headers or _is_open(rest))
            and not any(each in rest or rest.strip() in each for each in secrets)
        ):
            return line
        key = _KEY.match(rest)
        return f"{sign}{f'{key[1]} = ' if key and key[1] in _TOLD else ''}{_MASK}"

    lines = list(difflib.unified_diff(old, new, lineterm="", n=0))[2:]
    return "\n".join(line if line.startswith("@@") else told(line) for line in lines)


def _is_open(line: str) -> bool:
    """Tell whether a line is a header, or a key as written here, with no secret."""
    if _HEADER.match(line):
        return True
    try:
        ((key, value),) = tomli.loads(line).items()
        written = line == f"{key} = {_rendered(value)}"
    except (ValueError, AttributeError):
        return False
    return written and key in _TOLD and not [*_secrets({key: value})]


def _secret_lines(text: str) -> Iterator[str]:
    """Return what may be secret in the profiles, by lines."""
    for secret in _secrets(tomli.loads(text).get("profiles")):
        yield from filter(None, map(str.strip, secret.splitlines()))


def _secrets(value: object) -> Iterator[str]:
    """Return the strings that may be secret, for they are of no key that cannot."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _secrets(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(each, str) or not _says_no_secret(key, each):
                yield from _secrets(each)


def _says_no_secret(key: str, value: str) -> bool:
    return key in _OPEN or (key in _ADDRESSES and not set("@?#;") & set(value))


def _set(table: Any, keys: Mapping[str, Value], end: str) -> None:
    """Set the credentials of a table, in their places where they have one."""
    more = dict(keys)
    freed = ""
    for key in dict.fromkeys((*CREDENTIALS, *keys)):
        if key not in table:
            continue
        if isinstance(table[key], tomlkit.items.Table):
            freed += _tail(table[key])
            del table[key]
        elif key in keys:
            table[key] = tomlkit.value(_rendered(more.pop(key)))
        else:
            del table[key]
    if isinstance(table, tomlkit.items.InlineTable):
        for key, value in more.items():
            table[key] = tomlkit.value(_rendered(value))
        return
    # Behind the last key: what follows it may be a comment on the next table.
    last = [
        item
        for key, item in table.value.body
        if key is not None and not isinstance(item, tomlkit.items.Table)
    ][-1]
    lines = (f"{key} = {_rendered(value)}{end}" for key, value in more.items())
    if not last.trivia.trail.endswith(end):
        last.trivia.trail += end
    last.trivia.trail += "".join(lines) + freed


def _tail(table: tomlkit.items.Table) -> str:
    """Return what follows a table's last key: it may be about the next table."""
    tail = ""
    for key, item in table.value.body:
        tail = "" if key is not None else tail + item.as_string()
    return tail


def _with_default(text: str, name: str, end: str) -> str:
    """Put `default_profile` above all tables, below the comment that heads a file."""
    line = f"default_profile = {_rendered(name)}{end}"
    head = re.match(rf"(?:#[^\n]*\n)+(?:[ \t]*{end})+", text)
    at = head.end() if head else 0
    return f"{text[:at]}{line}{end}{text[at:]}"


def _rendered(value: Value) -> str:
    if isinstance(value, str | list):
        # JSON's escapes are TOML's; DEL, which JSON lets through, TOML forbids.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    inner = (f"{key} = {_rendered(each)}" for key, each in value.items())
    return f"{{ {', '.join(inner)} }}"


def _plain(value: Mapping[str, Value]) -> dict[str, Any]:
    return {
        key: each if isinstance(each, str | list) else _plain(each)
        for key, each in value.items()
    }


def _checked(after: str, expected: Mapping[str, Any]) -> str:
    try:
        if tomli.loads(after) == expected:
            return after
    except tomli.TOMLDecodeError:
        pass
    raise _by_hand()


def _by_hand() -> Mistake:
    return Mistake(
        "the profiles are written in a way that cannot be edited here",
        "write each as [profiles.NAME], with one key a line, and try again",
    )


def _sources(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _sources(each)
    elif isinstance(value, dict):
        for kind, each in value.items():
            if kind in {"file", "keyring"} and isinstance(each, str):
                yield f"{kind} {each}"
            yield from _sources(each)


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
