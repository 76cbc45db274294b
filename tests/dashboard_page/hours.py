"""The state of a proxy after some hours, for the dashboard's page."""

from __future__ import annotations

from typing import Any

from canned import HOUR, document, life, mark, row


def busy(now: float) -> dict[str, Any]:
    """Return the state after some hours in which everything happened once."""
    requests = [
        row(
            number,
            now - 13 * (300 - number),
            profile=("dev", "dev", "dev", "jwt")[number % 4],
            ms=40 + (number * 37) % 190,
        )
        for number in range(300)
    ]
    last = requests[-1]["at"]
    healing = row(301, last + 1, replayed=True, ms=431.0)
    foreign = {"profile": "", "verdict": "pass", "token": "", "rule": ""}
    requests += [
        healing,
        row(
            302,
            last + 2,
            method="POST",
            host="upload.app.box.com",
            path="/api/2.1/files/content",
            verdict="refuse",
            code="profile_ambiguous",
            reason="several profiles could serve this request: dev, jwt",
            status=400,
            ms=0.7,
            profile="",
        ),
        row(
            303,
            last + 3,
            host="dl.boxcloud.com",
            path="/d/1/****/download",
            code="passed_by_rule",
            reason="rule box: pre-signed downloads lets this request pass"
            " without a token",
            **foreign | {"rule": "box: pre-signed downloads"},
        ),
        row(304, last + 4, path="/2.0/files/77", status=404, user="carl"),
    ]
    begin = now - 5 * HOUR
    lives = [
        life("dev", "11aa22bb", begin, ended_at=begin + HOUR - 225, end="replaced"),
        life(
            "dev",
            "51be07aa",
            begin + HOUR - 225,
            ended_at=begin + 1.5 * HOUR,
            end="rejected",
        ),
        life(
            "dev",
            "99cc00dd",
            now - 1.2 * HOUR,
            ended_at=now - 2400,
            end="rejected",
        ),
        life("dev", "8f3ac21d", now - 1200),
        life("jwt", "77ee77ee", now - 1.3 * HOUR, ended_at=now - 1800, end="revoked"),
        life("jwt", "b07e11d9", now - 1200),
    ]
    marks = [
        mark("dev", now - 2400, "rejected", "answered 401: Bearer", "r301"),
        mark("dev", now - 2399, "renewed", "the last one was answered 401"),
        mark("dev", now - 2398, "replayed", "sent once more with a new token: 200"),
        mark("jwt", now - 1800, "revoked", "the tokens are revoked and deleted"),
        mark("jwt", now - 1200, "renewed", "the first token"),
        mark("dev", now - 1300, "failed", "token_endpoint_unavailable: no answer"),
        mark("dev", now - 1200, "renewed", "the last one was about to end"),
        *(
            mark("dev", now - 600 + n, "replayed", "sent once more: 200", "r301")
            for n in range(12)
        ),
    ]
    return document(
        now,
        requests=requests[::-1],
        lives=lives,
        marks=sorted(marks, key=lambda each: each["at"]),
    )
