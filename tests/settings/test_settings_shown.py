"""What is told of an edited configuration, for people to read, holds no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.settings.edit import keys_like, shown, with_credentials, with_profile
from settings.test_settings_edit import NEW, PIECES

PEM = (
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
    "QUJDREVGdGhlVGFpbA==\n-----END PRIVATE KEY-----\n"
)
SPELLINGS = [
    '{0} = "{1}"',
    "{0} = '{1}'",
    "{0}='{1}'",
    '{0}="{1}"  # from the console',
    '  {0}\t=  "{1}"',
    '{0} = """{1}"""',
    "{0} = '''\n{1}\n'''",
    '{0} = """\n{1}\n"""',
    '"{0}" = "{1}"',
]
TRAPS = [
    "[{}]",
    "client_id = '{}'",
    "provider = '{}'",
    "[profiles.{}]",
    "{}==",
    "# {}",
    "{}",
    "x\n[{}]\n\ny",
]


@st.composite
def texts(draw):
    """Return a configuration with secrets in any spelling, and the words in them."""
    words = ["Hush0Word", "Hush1Word", "Hush2Word", "Hush3Word"]

    def line(key, word):
        trap = draw(st.sampled_from(TRAPS)).format(word)
        how = draw(st.sampled_from(SPELLINGS))
        if "\n" in trap or "'" in trap:
            how = '{0} = """\n{1}\n"""'
        return how.format(key, trap)

    keys = ["client_secret", "refresh_token", "access_token"]
    lines = [
        line(*each) for each in zip(draw(st.permutations(keys)), words, strict=False)
    ]
    lines.insert(draw(st.integers(0, 3)), 'provider = "box"')
    jwt = ["[profiles.dev.jwt]", 'key_id = "k"', line("private_key", words[3])]
    return "\n".join(["[profiles.dev]", *lines, *jwt, ""]), words


@given(texts(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_no_secret_of_either_text_is_shown(made, end, another):
    """However it is spelled, and whatever its lines look like."""
    text, words = made
    text = text.replace("\n", end)
    after = (
        with_profile(text, "other", keys_like(text, "dev"))
        if another
        else with_credentials(text, "dev", NEW)
    )
    for told in (shown(text, after), shown(after, text), shown("", text)):
        assert not [word for word in words if word in told], told
        assert told


def test_a_copied_secret_is_told_by_its_key():
    """A profile made like another that has its secret in the file itself."""
    text = "[profiles.dev]\nprovider = 'box'\nclient_secret='s3cret' # here\n"
    told = shown(text, with_profile(text, "other", keys_like(text, "dev")))
    assert told.endswith('[profiles.other]\n+provider = "box"\n+client_secret = ****')


def test_a_line_of_a_key_is_not_told():
    """Base64 may end like the beginning of a TOML key."""
    text = (
        '[profiles.dev]\nprovider = "box"\nclient_id = "old"\n[profiles.dev.jwt]\n'
        f'key_id = "k"\nprivate_key = """\n{PEM}"""\n'
    )
    told = shown(text, with_credentials(text, "dev", NEW))
    assert not [part for part in ("MIIEvQ", "QUJDREVG", "PRIVATE") if part in told]
    assert '-client_id = "old"\n' in told


@pytest.mark.parametrize(
    "secret",
    [
        '"s3cret"',
        "'s3cret'",
        '"s3\\u0063ret"',
        '"""\ns3cret\nmore-s3cret"""',
        '{ command = ["echo", "s3cret"] }',
    ],
)
def test_no_secret_is_shown(secret):
    """What goes is told by its key alone, however it is written."""
    before = (
        f'# s3cret\n[profiles.dev]\nprovider = "box"\naccess_token = {secret}\n'
        '# s3cret\ntoken_url = "https://x/"\n'
    )
    told = shown(before, with_credentials(before, "dev", NEW))
    assert "s3" not in told
    assert "-access_token = ****" in told
    assert '+client_secret = { file = "secrets/x" }' in told


@pytest.mark.parametrize(
    "before",
    [
        'profiles.dev = { provider = "box", access_token = "s3cret" }\n',
        '[profiles]\ndev = { provider = "box", access_token = "s3cret" }\n',
        'profiles = { dev = { provider = "box" }, b = { access_token = "s3cret" } }\n',
        '[profiles.dev]\nprovider = "box" # s3cret\nclient_secret = "x" # s3cret\n',
        (
            '[profiles.dev] # s3cret\nprovider = "box"\n[profiles.dev.jwt]\n'
            "# s3cret\n[profiles.b]\n"
        ),
    ],
)
def test_no_line_of_others_is_shown(before):
    """A changed line that holds more than what was written is told by its key."""
    told = shown(before, with_credentials(before, "dev", NEW))
    assert "s3cret" not in told
    assert "+" in told


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# s3cret\nx = 1\ny = 2\n", "x = 1\ny = 2\n# s3cret\n"),
        ("", 'dev = { access_token = "s3cret" }\n'),
        ("", 'client_secret = { file = "x" } # s3cret\n'),
        ('client_secret = "s3cret"\n', ""),
    ],
)
def test_a_line_that_is_not_ours_is_hidden(before, after):
    """A line that moved, or has more than a key of ours and its value, is not told."""
    told = shown(before, after)
    assert "****" in told
    assert "s3cret" not in told


def test_what_is_written_is_shown():
    """A new profile is shown as it stands in the file, line by line."""
    before = "".join(PIECES)
    after = with_profile(before, "new", NEW, "Made for a test.")
    told = shown(before, after)
    assert "****" not in told
    added = [line[1:] for line in told.splitlines() if line.startswith("+")]
    assert "\n".join(["", *added[-7:]]) == after[after.rindex("\n# Made") :].rstrip()
    assert 'default_profile = "dev"' in added


def test_a_comment_of_ours_is_shown_again():
    """The second import writes the same comment as the first, and is no secret."""
    comment = "Made for a test."
    before = with_profile("", "one", NEW, comment)
    told = shown(before, with_profile(before, "two", NEW, comment), comment)
    assert f"+# {comment}" in told.splitlines()
    assert "****" not in told


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("https://box.example/oauth2/authorize", True),
        ("https://me:s3cret@box.example/authorize", False),
        ("https://box.example/authorize?key=s3cret", False),
        ("https://box.example/authorize;key=s3cret", False),
    ],
)
def test_an_address_is_shown_unless_it_may_hold_a_secret(url, is_told):
    """Host and path are told; user information and a query are not."""
    text = f'[profiles.dev]\nprovider = "box"\nauthorize_url = "{url}"\n'
    told = shown(text, with_profile(text, "other", keys_like(text, "dev")))
    assert ("****" not in told) == (url in told) == is_told
    assert "s3cret" not in told
    assert "+authorize_url = " in told
