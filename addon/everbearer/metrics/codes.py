"""The codes that become labels: no figure has more series than these."""

from __future__ import annotations

from typing import Final

from everbearer import errors

OTHER: Final = "other"
"""What is not known is counted as."""


def _codes(kind: type[errors.EverbearerError]) -> set[str]:
    return {kind.code}.union(*map(_codes, kind.__subclasses__()))


ERRORS: Final = frozenset(_codes(errors.EverbearerError))
"""Those of errors.py."""

REFUSALS: Final = ERRORS | {
    "ambiguous_path",
    "answer_too_long",
    "as_user_conflict",
    "body_not_kept",
    "browser_request",
    "destination_private",
    "destination_unchecked",
    "insecure_scheme",
    "invalid_field",
    "invalid_host",
    "invalid_path",
    "length_required",
    "loopback_only",
    "misdirected",
    "missing_host",
    "own_port",
    "profile_ambiguous",
    "profile_contradiction",
    "profile_not_allowed",
    "profile_not_of_user",
    "profile_unknown",
    "proxy_is_no_server",
    "redacted_token",
    "refused_by_rule",
    "replay_failed",
    "request_moved",
    "server_lost",
    "several_authorizations",
    "trace",
    "trailers",
    "unmatched_refused",
    "upstream_unverified",
    "user_gone",
    "user_malformed",
    "user_required",
    "user_wrong",
    "users_waiting",
    "wrong_port",
}
"""Why a request, or who sent it, was refused."""
