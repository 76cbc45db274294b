"""One tree of errors, each of which knows what it means to whom."""

import re

import pytest

from everbearer import errors
from everbearer.errors import (
    ConfigError,
    EverbearerError,
    GrantError,
    Problem,
    ReauthorizationRequired,
    StoreConflict,
    StoreError,
    TokenEndpointUnavailable,
    TokenRequestRejected,
    TokenResponseMalformed,
)


def _tree(cls):
    """Return a class and all below it."""
    return [cls, *(sub for child in cls.__subclasses__() for sub in _tree(child))]


HERE = [cls for cls in _tree(EverbearerError) if cls.__module__ == errors.__name__]


@pytest.mark.parametrize(
    ("cls", "code", "status", "exit_code", "retryable"),
    [
        (EverbearerError, "internal_error", 500, 1, False),
        (ConfigError, "configuration_error", 500, 2, False),
        (StoreError, "store_error", 500, 3, False),
        (StoreConflict, "store_conflict", 500, 3, True),
        (GrantError, "grant_error", 502, 4, False),
        (ReauthorizationRequired, "reauthorization_required", 502, 4, False),
        (TokenRequestRejected, "token_request_rejected", 502, 4, False),
        (TokenResponseMalformed, "token_response_malformed", 502, 4, True),
        (TokenEndpointUnavailable, "token_endpoint_unavailable", 503, 5, True),
    ],
)
def test_meaning(cls, code, status, exit_code, retryable):
    """Programs, HTTP clients and shells are told the same by each class."""
    assert (cls.code, cls.status, cls.exit_code) == (code, status, exit_code)
    assert cls.retryable is retryable


def test_tree_is_as_drawn():
    """The drawing at the top of the module is the tree, level by level."""
    drawn = {}
    path = {}
    for line in errors.__doc__.splitlines():
        if match := re.match(r"    ([\u2500-\u257f ]*)([A-Z]\w+)", line):
            depth = len(match[1]) // 4
            path[depth] = match[2]
            drawn[match[2]] = path[depth - 1] if depth else "Exception"
    assert drawn == {cls.__name__: cls.__bases__[0].__name__ for cls in HERE}


def test_codes_tell_apart():
    """No two classes share a code."""
    assert len({cls.code for cls in HERE}) == len(HERE)


@pytest.mark.parametrize("cls", [cls for cls in HERE if cls is not ConfigError])
def test_hint(cls):
    """Every error says what to do next: its own hint, or that of its class."""
    assert cls("it broke").message == str(cls("it broke")) == "it broke"
    assert cls("it broke").hint == cls.default_hint != ""
    assert cls("it broke", hint="mend it").hint == "mend it"


def test_problem():
    """A problem reads as place, mistake, corrected form; what is missing is left."""
    whole = Problem("rules[0].hosts", "a port is given", 'use "api.box.com"')
    assert str(whole) == 'rules[0].hosts: a port is given; use "api.box.com"'
    assert str(Problem("", "no such file")) == "no such file"


def test_config_error_tells_every_problem():
    """All problems are in the error, as values and as lines."""
    problems = (Problem("a", "one"), Problem("b", "two", "three"))
    error = ConfigError(*problems)
    assert error.problems == problems
    assert str(error) == "a: one\nb: two; three"
    assert error.hint == "run: everbearer check"
    assert ConfigError(*problems, hint="other").hint == "other"


def test_unavailable_tells_when():
    """The wait is known, and nothing is made up."""
    assert TokenEndpointUnavailable("down").retry_after is None
    error = TokenEndpointUnavailable("down", hint="wait", retry_after=7.0)
    assert (error.retry_after, error.hint) == (7.0, "wait")
