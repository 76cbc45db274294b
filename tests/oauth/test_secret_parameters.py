"""A form with a secret is known by the names of its parameters."""

from __future__ import annotations

import pytest

from everbearer.oauth.client_form import FORM_LIMIT
from everbearer.oauth.secret_parameters import SECRETS, holds_secret


@pytest.mark.parametrize(
    "form",
    [
        b"client_secret=x",
        b"a=b&refresh_token=x&c=d",
        b"a=b&client%5Fsecret=x",
        b"a=b&%63ode=x",
        b"a=b&Client_Secret=x",
        b"a=b&+code=x",
        b"token",
        b"\xff=\xfe&token=x",
        b"a=" + b"b" * FORM_LIMIT,
    ],
)
def test_a_secret_is_found_however_it_is_spelt(form: bytes):
    """A form too long to be looked at counts as one."""
    assert holds_secret(form, SECRETS)


@pytest.mark.parametrize("form", [b"", b"a=b", b"a=code&b=token", b"%=&&%zz=%f"])
def test_other_forms_have_none(form: bytes):
    """Values count for nothing, and what is no form raises nothing."""
    assert not holds_secret(form, SECRETS)
