"""What is right and wrong, judged without looking at the machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from everbearer.doctor import api, authority, proxies, versions
from everbearer.doctor.advisories import ADVISORIES, AS_OF, Use
from everbearer.doctor.result import Level, exit_code, failed, ok, skip, warn
from everbearer.doctor.server import judge_clock
from everbearer.doctor.tools import TOOLS
from everbearer.doctor.trust import _briefly
from everbearer.errors import ConfigError, GrantError, Problem, StoreError
from everbearer.oauth.token_response import TokenAnswer
from everbearer.policy.hosts import HostPattern
from everbearer.settings.model import Address, Listener

HERE = (
    Listener(Address("127.0.0.1", 8082), reverse="api.box.com"),
    Listener(Address("127.0.0.1", 8080)),
)
HOSTS = tuple(map(HostPattern.parse, ["api.box.com", "upload-*.app.box.com"]))
OURS = "http://127.0.0.1:8080"


def test_the_code_is_the_first_failures():
    """Neither a warning nor a skipped check is a failure."""
    store, grant = failed("s", StoreError("no")), failed("g", GrantError("no"))
    assert exit_code([ok("a", ""), warn("b", ""), skip("c", "")]) == 0
    assert exit_code([warn("b", ""), *grant, *store]) == 4
    assert exit_code([*store, *grant]) == 3


def test_each_mistake_of_a_configuration_is_a_line():
    """With its place and its own way out."""
    error = ConfigError(Problem("a.b", "is wrong", "write c"), Problem("", "no", "do"))

    first, second = failed("configuration", error)

    assert (first.detail, first.fix, first.exit_code) == ("a.b: is wrong", "write c", 2)
    assert (second.detail, second.fix) == ("no", "do")


@pytest.mark.parametrize(
    ("behind", "signs", "level"),
    [
        (0.4, True, Level.OK),
        (-15, True, Level.OK),
        (25, True, Level.WARN),
        (-25, True, Level.WARN),
        (25, False, Level.OK),
        (-200, False, Level.WARN),
    ],
)
def test_a_clock_matters_where_assertions_are_signed(behind, signs, level):
    """Their life is 30 seconds; nothing else minds a minute."""
    judged = judge_clock(behind, "api.box.com", signs=signs)
    assert judged.level is level
    assert bool(judged.fix) is (level is Level.WARN)


def test_the_clock_is_told_by_its_side():
    """A person knows which way to turn it."""
    assert (
        "3600 s behind api.box.com" in judge_clock(3600, "api.box.com", signs=1).detail
    )
    assert "300 s ahead of" in judge_clock(-300, "api.box.com", signs=True).detail
    assert "in step" in judge_clock(1.2, "api.box.com", signs=True).detail


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HTTPS_PROXY": ""},
        {"HTTPS_PROXY": OURS, "NO_PROXY": "localhost,127.0.0.1,.example.com,x.org"},
        {"https_proxy": "localhost:8080", "HTTPS_PROXY": "http://localhost:8080/"},
        {"HTTP_PROXY": "http://corp:3128"},  # https does not go there
        {"NO_PROXY": "*"},  # and there is no proxy to go past
    ],
)
def test_an_environment_that_leads_here_or_nowhere_is_well(environ):
    """No proxy for https, or ours."""
    (result,) = proxies.judge(environ, HERE, HOSTS)
    assert result.level is Level.OK


@pytest.mark.parametrize(
    ("environ", "said", "fix"),
    [
        (
            {"HTTPS_PROXY": "http://corp:3128"},
            "HTTPS_PROXY is http://corp:3128: tools go there",
            'eval "$(everbearer env)"',
        ),
        ({"all_proxy": "socks5://127.0.0.1:1080"}, "socks5://127.0.0.1:1080", "exec"),
        ({"HTTPS_PROXY": "http://127.0.0.1:8082"}, "not to everbearer", "exec"),
        ({"HTTPS_PROXY": "http://[oops"}, "not to everbearer", "exec"),
        ({"HTTPS_PROXY": OURS, "NO_PROXY": "a,.box.com"}, ".box.com", "unset NO_PROXY"),
        ({"HTTPS_PROXY": OURS, "no_proxy": "*"}, "past everbearer", "unset no_proxy"),
        ({"HTTPS_PROXY": OURS, "NO_PROXY": "api.box.com:443"}, "past", "take api.box"),
        ({"HTTPS_PROXY": OURS, "NO_PROXY": "a,x.com"}, "x.com: some", "take x.com"),
        (
            {"HTTPS_PROXY": OURS, "NO_PROXY": "upload-las.app.box.com"},
            "past",
            "take upload-las",
        ),
        ({"http_proxy": OURS}, "https goes by HTTPS_PROXY", "export HTTPS_PROXY=http"),
    ],
)
def test_an_environment_that_leads_elsewhere_is_told(environ, said, fix):
    """Which variable, where it leads, and the command that mends it."""
    (result,) = proxies.judge(environ, HERE, HOSTS)
    assert result.level is Level.WARN
    assert said in result.detail
    assert fix in result.fix


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_listener_on_every_interface_is_ours(host):
    """Tools of this machine find it on loopback."""
    here = (Listener(Address(host, 8080)),)
    (result,) = proxies.judge({"HTTPS_PROXY": OURS}, here, HOSTS)
    assert result.level is Level.OK


def test_the_password_of_a_proxy_is_not_told():
    """Neither by the warning nor by the hint for the configuration."""
    environ = {"HTTPS_PROXY": "http://me:c4nary@corp:3128/?c4nary"}
    (result,) = proxies.judge(environ, HERE, HOSTS)
    assert "c4nary" not in repr(result)
    assert proxies.foreign_proxy(environ, HERE) == "http://corp:3128"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("http://user:c4://n4ry@proxy:3128", "http://proxy:3128"),
        ("user:c4://n4ry@proxy:3128/", "http://proxy:3128"),
        ("c4://n4ry@proxy:3128", "http://proxy:3128"),
        ("https://c4@n4ry@proxy?x", "https://proxy"),
        ("socks5h://proxy:1080", "socks5h://proxy:1080"),
        ("proxy:3128", "http://proxy:3128"),
    ],
)
def test_a_password_may_look_like_a_url(value, told):
    """What is before the last @ is told by its scheme alone."""
    assert proxies.shown(value) == told


def test_our_own_proxy_is_none_to_go_out_by():
    """`upstream_proxy` shall not be everbearer itself."""
    assert proxies.foreign_proxy({"HTTPS_PROXY": OURS}, HERE) == ""
    assert proxies.foreign_proxy({}, HERE) == ""
    run = {
        "HTTPS_PROXY": "http://me:n4ry@127.0.0.1:1",
        "EVERBEARER_PROXY": "127.0.0.1:1",
    }
    assert proxies.foreign_proxy(run, HERE) == ""
    behind = run | {"EVERBEARER_PROXY_BEFORE": "http://proxy:3128"}
    assert proxies.foreign_proxy(behind, HERE) == "http://proxy:3128"


GOOD = {"mitmproxy": "12.9", "h11": "0.16.0", "h2": "9", "tornado": "9"}


def test_a_flaw_is_told_where_everbearer_meets_it():
    """HTTP/2's only where it is switched on."""
    old = GOOD | {"h2": "4.2.0"}
    (result,) = versions.judge(old, http2=False)
    assert result.level is Level.OK
    assert "matter only with an option: of h2 with proxy.http2 = true" in result.detail
    warned = versions.judge(old, http2=True)
    assert {r.level for r in warned} == {Level.WARN}
    assert "h2 4.2.0 has CVE-2025-57804" in warned[0].detail
    assert "h2>=4.3.0" in warned[0].fix
    assert "proxy.http2 = false" in warned[0].fix


def test_a_flaw_of_every_request_is_always_told():
    """With the command for it."""
    (result,) = versions.judge(GOOD | {"h11": "0.14.0"}, http2=False)
    assert "CVE-2025-43859" in result.detail
    assert "pip install --upgrade" in result.fix


def test_the_list_tells_its_day():
    """Nobody shall believe that it knows what came later."""
    (result,) = versions.judge(GOOD, http2=True)
    assert result.detail == f"12.9, by what was known on {AS_OF}"


@pytest.mark.parametrize(
    ("version", "has"),
    [
        ("43.0.3", False),
        ("44.0", True),
        ("44.0.0rc1", True),
        ("49.9.9", True),
        ("50.0.0", False),
        ("50.0", False),
        ("50", False),
        ("50.0.1", False),
    ],
)
def test_versions_are_numbers(version, has):
    """From the first that has the flaw to the one that mends it."""
    (flaw,) = (a for a in ADVISORIES if a.since != "0")
    assert flaw.concerns(version) is has


def test_an_advisory_can_be_looked_up():
    """Each has the names by which others know it, and what is near is said."""
    assert all(each.name.startswith("CVE-") for each in ADVISORIES)
    assert {each.use for each in ADVISORIES} == set(Use)


def test_a_ca_ends():
    """Told before, with what takes its place."""
    now = datetime(2026, 11, 21, tzinfo=UTC)

    def judged(left):
        return authority.judge(now + left, now, Path("d"))

    assert judged(timedelta(days=300)).level is Level.OK
    assert judged(timedelta(days=1)).level is Level.WARN
    over = judged(timedelta(seconds=-1))
    assert (over.level, over.exit_code) == (Level.FAIL, 1)
    assert "move d away" in over.fix


def test_what_a_tool_says_is_told_in_one_line():
    """The line that speaks of certificates, else the last."""
    assert (
        _briefly("a\nan SSL certificate is bad\nmore\n") == "an SSL certificate is bad"
    )
    assert _briefly("a\n\nthe last\n\n") == "the last"
    assert _briefly("") == "no reason given"
    assert len(_briefly("x" * 1000)) < 200
    assert _briefly("certificate " * 100).endswith("certificate …")


def test_a_java_without_compiler_is_no_distrust():
    """What cannot try is skipped, with its own words."""
    (java,) = (tool for tool in TOOLS if tool.name == "java")
    said = "Error: Could not find or load main class .tmp.Trust.java\nCaused by: x"
    assert (
        java.cannot(said) == "Error: Could not find or load main class .tmp.Trust.java"
    )
    assert java.cannot("PKIX path building failed") == ""


def answered(status, challenge=""):
    """Return an answer of the API."""
    return TokenAnswer(status, {"www-authenticate": challenge}, b"")


@pytest.mark.parametrize(
    ("answer", "renewable", "level", "code", "said"),
    [
        (answered(200), True, Level.OK, 0, "takes the token"),
        (answered(401), False, Level.FAIL, 4, "developer token is refused"),
        (answered(401), True, Level.FAIL, 4, "refuses a new token"),
        (
            answered(403, 'Bearer error="insufficient_scope"'),
            True,
            Level.WARN,
            0,
            "scope",
        ),
        (answered(403), True, Level.WARN, 0, "answers 403"),
        (answered(503), True, Level.WARN, 0, "answers 503"),
    ],
)
def test_the_api_is_judged_by_its_status(answer, renewable, level, code, said):
    """A refusal is a failure; what may pass or be meant is none."""
    result = api.judge("dev", "api.box.com", answer, "", renewable=renewable)
    assert (result.level, result.exit_code) == (level, code)
    assert said in result.detail
    assert bool(result.fix) is (level is not Level.OK)
