"""What became of a request, in one line that stands beside its flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everbearer.events import Exchanged


def caption(event: Exchanged, *, token: str, error: str, instead: str) -> str:
    """
    Return the line: profile, what was done, why, the rule.

    *token* is the state of the token that it went out with, *error* what the
    challenge of its 401 named, *instead* what the replay carried; each in words.
    """
    words = [event.profile, f"for {event.user}" if event.user else ""]
    if event.rejected:
        words.append(_rejected(event, error, instead))
    if event.probe:
        words.append("a question of everbearer's own")
    elif event.verdict == "refuse":
        words.append(f"refused: {event.reason} ({event.code})")
    elif event.verdict == "pass":
        words += [f"passed: {event.reason} ({event.code})", event.note]
    else:
        words += ["injected", token, event.note]
    words.append(f"rule {event.rule}" if event.rule else "")
    return in_one_line(words)


def in_one_line(words: list[str]) -> str:
    """Return what there is of *words*, as all our lines are put together."""
    return " · ".join(filter(None, words))


def _rejected(event: Exchanged, error: str, instead: str) -> str:
    steps = [f"401 {error}".rstrip()]
    if event.replayed:
        steps += [instead, "replayed"]
    return " → ".join(steps)
