"""The rotation of refresh tokens, without a server."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from everbearer.sandbox.rotation import (
    Chain,
    Pair,
    Rejection,
    SettleOn,
    redeem,
    use,
)

NOW = 1000.0
BOTH = st.sampled_from(SettleOn)


def _pair(name: str, access_expires_at: float = 2000.0) -> Pair:
    return Pair(f"at-{name}", f"rt-{name}", access_expires_at, 9000.0)


def _redeemed(chain, refresh_token, fresh, now=NOW, *, strict=False, settle_on=None):
    return redeem(
        chain,
        refresh_token,
        fresh,
        now,
        strict=strict,
        settle_on=settle_on or SettleOn.ACCESS_TOKEN,
    )


def test_pending_pair_is_repeated():
    """The same redeem gives the same pair, and both refresh tokens stay good."""
    chain, first = _redeemed(Chain(_pair("0")), "rt-0", _pair("1"))
    chain, again = _redeemed(chain, "rt-0", _pair("2"))
    assert first == again == _pair("1")
    assert chain.refresh_tokens() == ("rt-0", "rt-1")


def test_pending_pair_is_replaced_once_its_access_token_has_died():
    """A pair that nobody used in time is not handed out dead."""
    chain, _ = _redeemed(
        Chain(_pair("0")), "rt-0", _pair("1", access_expires_at=1500.0)
    )
    chain, later = _redeemed(chain, "rt-0", _pair("2"), now=1500.0)
    assert later == _pair("2")
    assert chain.refresh_tokens() == ("rt-0", "rt-2")


def test_first_use_retires_what_came_before():
    """Using the new access token leaves nothing but the new pair."""
    chain, _ = _redeemed(Chain(_pair("0")), "rt-0", _pair("1"))
    chain = use(chain, "at-1")
    assert chain.access_tokens() == ("at-1",)
    assert chain.refresh_tokens() == ("rt-1",)
    assert _redeemed(chain, "rt-0", _pair("2"))[1] is Rejection.UNKNOWN
    # A server that turns strict meanwhile recognises the reuse.
    assert _redeemed(chain, "rt-0", _pair("2"), strict=True)[0].revoked


def test_using_the_old_access_token_retires_nothing():
    """Requests in flight with the old token do not end the new pair."""
    chain, _ = _redeemed(Chain(_pair("0")), "rt-0", _pair("1"))
    assert use(chain, "at-0") is chain


def test_new_refresh_token_settles_the_access_token_only_if_so_chosen():
    """Box's word and a user's differ on what retires the old access token."""
    chain, _ = _redeemed(Chain(_pair("0")), "rt-0", _pair("1"))
    by_access, _ = _redeemed(chain, "rt-1", _pair("2"))
    assert by_access.access_tokens() == ("at-0", "at-1", "at-2")
    assert use(by_access, "at-1").access_tokens() == ("at-1", "at-2")
    either, _ = _redeemed(chain, "rt-1", _pair("2"), settle_on=SettleOn.EITHER)
    assert either.access_tokens() == ("at-1", "at-2")
    assert by_access.refresh_tokens() == either.refresh_tokens() == ("rt-1", "rt-2")


def test_strict_redeem_spends_at_once_and_reuse_revokes():
    """RFC 9700 §4.14.2: a second redeem of the same token ends the grant."""
    chain, _ = _redeemed(Chain(_pair("0")), "rt-0", _pair("1"), strict=True)
    assert chain.refresh_tokens() == ("rt-1",)
    chain, result = _redeemed(chain, "rt-0", _pair("2"), strict=True)
    assert result is Rejection.UNKNOWN
    assert chain.access_tokens() == chain.refresh_tokens() == ()
    assert _redeemed(chain, "rt-1", _pair("3"), strict=True)[1] is Rejection.UNKNOWN


def test_expired_refresh_token_is_told_from_an_unknown_one():
    """Box has a text for each."""
    assert _redeemed(Chain(_pair("0")), "rt-0", _pair("1"), now=9000.0)[1] is (
        Rejection.EXPIRED
    )
    assert _redeemed(Chain(_pair("0")), "rt-9", _pair("1"))[1] is Rejection.UNKNOWN


@given(
    steps=st.lists(st.tuples(st.sampled_from(["redeem", "use"]), st.integers(0, 30))),
    strict=st.booleans(),
    settle_on=BOTH,
)
def test_laws_hold_after_any_steps(steps, strict, settle_on):
    """At most two refresh tokens live, none revives, the newest use settles."""
    names = count(1)
    chain = Chain(_pair("0"))
    issued = [_pair("0")]
    dead_access: set[str] = set()
    dead_refresh: set[str] = set()
    for step, which in steps:
        chosen = issued[which % len(issued)]
        if step == "use" and chosen.access_token in chain.access_tokens():
            newest = chain.pending
            chain = use(chain, chosen.access_token)
            if chosen == newest:
                assert chain.access_tokens() == (chosen.access_token,)
                assert chain.refresh_tokens() == (chosen.refresh_token,)
        elif step == "redeem":
            was_good = chosen.refresh_token in chain.refresh_tokens()
            chain, result = redeem(
                chain,
                chosen.refresh_token,
                _pair(str(next(names))),
                NOW,
                strict=strict,
                settle_on=settle_on,
            )
            assert isinstance(result, Pair) == was_good
            if isinstance(result, Pair):
                assert result.access_token in chain.access_tokens()
                assert result.refresh_token in chain.refresh_tokens()
                issued.append(result)
        assert len(chain.refresh_tokens()) <= (1 if strict else 2)
        assert not dead_access & set(chain.access_tokens())
        assert not dead_refresh & set(chain.refresh_tokens())
        dead_access |= {p.access_token for p in issued} - set(chain.access_tokens())
        dead_refresh |= {p.refresh_token for p in issued} - set(chain.refresh_tokens())
