"""Which tokens are known for ours."""

from __future__ import annotations

from everbearer.renewal.issued import KnownTokens


def test_a_token_is_known_with_all_its_profiles():
    """Profiles of one grant share a token; a foreign one is nobody's."""
    issued = KnownTokens()
    issued.note("a", "dev")
    issued.note("a", "dev-as-carl")
    issued.note("a", "dev")
    assert issued.profiles("a") == {"dev", "dev-as-carl"}
    assert issued.profiles("b") == frozenset()


def test_memory_is_bounded():
    """The token noted longest ago is forgotten first, one in use is not."""
    issued = KnownTokens()
    for number in range(5000):
        issued.note("in use", "dev")
        issued.note(str(number), "dev")
    assert issued.profiles("in use") == {"dev"}
    assert issued.profiles("0") == frozenset()
    assert issued.profiles("4999") == {"dev"}
