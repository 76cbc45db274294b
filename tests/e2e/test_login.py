"""A person logs in by way of the browser, and what may go wrong on that way."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import sync_playwright

from config_file import unnamed
from harness import Place, Process, Proxy, Sandbox
from needs import need
from person import Person, typed

ME = "https://api.box.com/2.0/users/me"


@pytest.fixture
def person(place: Place, sandbox: Sandbox) -> Iterator[Person]:
    """Sit a person at the machine."""
    someone = Person(place, sandbox)
    yield someone
    someone.web.close()


def ended(process: Process) -> int:
    """Wait until the command has ended; return its exit code."""
    return process.child.wait(40)


def test_a_login_serves_a_running_proxy_at_once(place, sandbox, person):
    """Nobody is logged in: 502 with the command; after the login: 200."""
    proxy = Proxy(place, sandbox.state / "login.toml")
    refused = proxy.curl(ME)
    assert refused.status == 502
    assert unnamed(refused.json["hint"]).startswith("run: everbearer login dev")

    login = person.types()
    page = person.returns(person.decides(person.opened(login)))

    assert (page.status_code, page.url.path) == (200, "/done")
    assert "You are logged in" in page.text
    assert ended(login) == 0
    assert "dev: logged in as Olivia Owner (olivia@example.com), good for" in (
        login.output
    )
    assert proxy.curl(ME).status == 200
    assert proxy.curl(ME).json["login"] == "olivia@example.com"


def test_a_logout_ends_it_everywhere(place, sandbox, person):
    """The tokens are dead at the server, and a running proxy says who did it."""
    config = sandbox.state / "login.toml"
    login = person.types()
    person.returns(person.decides(person.opened(login)))
    assert ended(login) == 0
    proxy = Proxy(place, config)
    assert proxy.curl(ME).status == 200
    token = place.everbearer("token", "-c", str(config)).stdout.strip()

    out = place.everbearer("logout", "-c", str(config))
    assert (out.returncode, out.stdout) == (0, "")
    assert "dev: logged out: the tokens are revoked and deleted" in out.stderr
    refused = proxy.curl(ME)
    assert (refused.status, refused.json["detail"]) == (502, "logged out")
    shown = place.everbearer("status", "-c", str(config))
    assert " failed " not in shown.stdout, "a logout is no renewal that failed"
    assert "hint: run: everbearer login dev" in unnamed(shown.stderr)
    again = place.everbearer("logout", "-c", str(config))
    assert "there was nothing to log out of" in again.stderr
    dead = proxy.curl(ME, "-H", f"Authorization: Bearer {token}")
    assert dead.status != 200


def test_what_is_not_the_answer_changes_nothing(place, sandbox, person):
    """An icon, a probe, a foreign state, another Host; then the true answer counts."""
    login = person.types()
    back = person.decides(person.opened(login))
    origin = back.partition("/callback")[0]

    assert person.web.get(f"{origin}/favicon.ico").status_code == 404
    assert person.web.get(f"{origin}/callback").status_code == 404
    assert person.web.post(back).status_code == 405
    forged = re.sub(r"state=[^&]+", "state=forged", back)
    page = person.returns(forged)
    assert page.status_code == 400
    assert "Still waiting" in page.text
    login.wait_for("still waiting: its state is not the one of this login")
    denied = f"{origin}/callback?error=access_denied&state=forged"
    assert person.returns(denied).status_code == 400
    rebound = person.web.get(back, headers={"Host": "evil.example.com"})
    assert rebound.status_code == 404

    assert person.returns(back).status_code == 200
    assert ended(login) == 0


def test_the_answer_is_taken_once(sandbox, person):
    """A second redirect while the first is exchanged: one code, one exchange."""
    login = person.types()
    back = person.decides(person.opened(login))
    held = sandbox.hold(path="/oauth2/token")
    with ThreadPoolExecutor(1) as other:
        first = other.submit(person.returns, back)
        sandbox.wait(path="/oauth2/token")
        second = person.web.get(back)
        sandbox.release(held)
        assert first.result(40).url.path == "/done"

    assert second.status_code == 409
    assert "has been answered" in second.text
    assert ended(login) == 0
    assert len(sandbox.token_requests()) == 1


def test_a_person_who_denies_is_believed(place, person):
    """Exit 4 with the server's word and what to do; the page says it too."""
    login = person.types()
    page = person.returns(person.decides(person.opened(login), "deny"))

    assert "You are not logged in" in page.text
    assert re.search(
        r"<p>The authorization server says access_denied.*[^.]\. What to do: run:"
        r" everbearer login dev, and grant access\. You can close this page\.</p>",
        unnamed(page.text),
    )
    assert ended(login) == 4
    assert "error: the authorization server says access_denied" in login.output
    assert "hint: run: everbearer login dev, and grant access" in unnamed(login.output)


def test_the_address_to_register_has_no_port_of_this_login(person):
    """Another port listens each time; what the application has to know stays."""
    login = person.types()
    person.returns(person.decides(person.opened(login), "deny"))
    assert ended(login) == 4
    assert "redirect URIs must have http://127.0.0.1/callback\n" in login.output


def test_a_code_that_came_too_late_is_explained(sandbox, person):
    """After 30 s Box knows the code no more: exit 4, and the way to another."""
    login = person.types()
    back = person.decides(person.opened(login))
    sandbox.call("POST", "clock", {"shift": 31})
    page = person.returns(back)

    assert "You are not logged in" in page.text
    assert ended(login) == 4
    assert "The authorization code has expired" in login.output
    assert "a code is good once and for seconds; run: everbearer login dev" in unnamed(
        login.output
    )


def configured(sandbox: Sandbox, line: str):
    """Write a configuration whose profile has one line more."""
    text = (sandbox.state / "login.toml").read_text()
    path = sandbox.state / "changed.toml"
    path.write_text(text.replace("authorize_url", f"{line}\nauthorize_url", 1))
    path.chmod(0o600)
    return path


@pytest.fixture
def taken() -> Iterator[int]:
    """Listen on a port, so that nobody else can."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_is_taken_is_told_before_the_browser_opens(sandbox, person, taken):
    """The configured redirect URI cannot be listened on: exit 2 and two ways out."""
    uri = f"http://localhost:{taken}/back"
    login = person.types(config=configured(sandbox, f'redirect_uri = "{uri}"'))

    assert ended(login) == 2
    assert f"another program listens on localhost:{taken}" in login.output
    assert "--no-browser" in login.output
    assert "BROWSER" not in login.output


def test_the_configured_address_is_the_one_that_box_knows(sandbox, person, free_port):
    """An exact redirect URI is listened on as it stands, path and all."""
    uri = f"http://localhost:{free_port}/some/where"
    login = person.types(config=configured(sandbox, f'redirect_uri = "{uri}"'))
    back = person.decides(person.opened(login))

    assert back.startswith(f"{uri}?code=")
    person.returns(back)
    assert ended(login) == 0


def test_without_a_browser_the_answer_can_be_pasted(place, sandbox, person, taken):
    """Headless, and the port taken as well: print, paste, done; nonsense is told."""
    uri = f"http://localhost:{taken}/back"
    config = configured(sandbox, f'redirect_uri = "{uri}"')
    login = typed(place, "login", "--no-browser", "-c", str(config))
    assert login.stdin is not None
    assert login.stdout is not None
    address = login.stdout.readline().strip()
    assert address.startswith(f"https://localhost:{sandbox.port}/api/oauth2/authorize?")
    back = person.decides(address)
    login.stdin.write(f"\nhello\n{re.sub('state=', 'state=x', back)}\n{back}\n")
    login.stdin.close()

    assert login.wait(40) == 0
    assert login.stderr is not None
    told = login.stderr.read()
    assert "still waiting: it holds no code and no error" in told
    assert "still waiting: its state is not the one of this login" in told
    assert "logged in as Olivia Owner" in told
    login.stdout.close()
    login.stderr.close()


def test_an_end_of_input_is_an_end(place, sandbox, person):
    """Nothing listens and nothing was pasted: exit 4 at once, no endless wait."""
    config = configured(sandbox, 'redirect_uri = "https://app.example.com/back"')
    out = place.everbearer("login", "-c", str(config))

    assert out.returncode == 4
    assert "redirect_uri=https%3A%2F%2Fapp.example.com%2Fback" in out.stdout
    assert "error: no address was pasted" in out.stderr


def test_a_grant_that_needs_no_person_says_so(place, sandbox):
    """`login` of a JWT profile is exit 2 and names the command that is meant."""
    out = place.everbearer("login", "-c", str(sandbox.state / "all.toml"), "jwt")

    assert out.returncode == 2
    assert "grant jwt_bearer needs no login" in out.stderr
    assert "run: everbearer renew jwt" in unnamed(out.stderr)


def test_another_person_logs_in_by_the_same_application(place, sandbox, person):
    """`--profile-from` makes a profile like another, without its refresh token."""
    config = sandbox.config("two", source="refresh_token")
    login = person.types("carl", "--profile-from", "dev", config=config)
    person.returns(person.decides(person.opened(login)))
    assert ended(login) == 0
    assert "carl: logged in as" in login.output
    text = config.read_text()

    assert text.count("refresh_token = {") == 1
    assert 'default_profile = "dev"' in text
    assert text.count('client_secret = { file = "dev_client_secret.txt" }') == 2
    carl = place.everbearer("token", "-c", str(config), "carl").stdout
    dev = place.everbearer("token", "-c", str(config), "dev").stdout
    assert carl.strip()
    assert carl != dev
    again = place.everbearer(
        *["login", "-c", str(config), "carl", "--profile-from", "dev"]
    )
    assert (again.returncode, "already" in again.stderr) == (2, True)


def test_no_secret_is_told(place, sandbox, person):
    """Neither outputs nor the command line of the browser hold code or state."""
    login = person.types()
    begin = person.opened(login)
    back = person.decides(begin)
    person.returns(back)
    assert ended(login) == 0
    secrets = sandbox.call("GET", "secrets")
    query = parse_qs(urlsplit(back).query)
    hidden = [*query["code"], *query["state"], *secrets["tokens"]]

    assert not any(
        secret in login.output for secret in hidden + secrets["client_secrets"]
    )


def test_the_browser_is_sent_off_in_private(place, sandbox, person):
    """Who reads its command line cannot begin the login; the page goes with it."""
    login = person.types()
    begin = person.opened(login)
    page = Path(begin.removeprefix("file://"))

    assert page.is_relative_to(place.root / "home")
    assert page.stat().st_mode & 0o777 == 0o600
    assert page.parent.stat().st_mode & 0o777 == 0o700
    address = person.read(begin)
    assert "&state=" in address
    back = person.decides(address)
    origin = back.partition("/callback")[0]
    for path in ("/", "/start", f"/{page.name}", "/callback"):
        assert person.web.get(f"{origin}{path}").status_code == 404
    assert person.returns(back).status_code == 200
    assert ended(login) == 0
    assert not list(page.parent.glob("*.html"))


def test_a_login_that_is_ended_takes_its_page_with_it(place, person):
    """By SIGTERM, as by Ctrl-C."""
    login = person.types()
    page = Path(person.opened(login).removeprefix("file://"))
    assert page.exists()
    assert login.stop() != 0
    assert not page.exists()
    assert "Traceback" not in login.output


def test_a_folder_that_others_can_use_gets_no_page(place, sandbox, person):
    """The login ends before the browser opens, with what mends it."""
    folder = place.root / "home" / ".cache" / "everbearer" / "login"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    login = person.types()

    assert ended(login) == 3
    assert "BROWSER" not in login.output
    assert "hint: run: chmod 700" in login.output


def test_a_secret_in_the_configuration_is_not_told(sandbox, person):
    """The profile that `--profile-from` makes is shown without what it copies."""
    text = (sandbox.state / "login.toml").read_text()
    config = sandbox.state / "literal.toml"
    config.write_text(
        re.sub("client_secret = .*", "client_secret='HushHushHush' # mine", text)
    )
    config.chmod(0o600)
    login = person.types("second", "--profile-from", "dev", config=config)
    person.opened(login)
    login.stop()

    assert "+client_secret = ****" in login.output
    assert "HushHush" not in login.output


def test_a_real_browser_ends_on_a_page_that_says_so(sandbox, person):
    """Chromium follows the whole way, by clicks, and no code stays in its address."""
    chromium = need("chromium")
    login = person.types()
    begin = person.opened(login)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_context(ignore_https_errors=True).new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(begin)
        page.get_by_role("button", name="Grant access to Box").click()
        page.get_by_role("heading", name="You are logged in").wait_for()
        assert urlsplit(page.url).path == "/done"
        assert "code=" not in page.url
        assert complaints == []
        browser.close()

    assert ended(login) == 0
    assert "logged in as Olivia Owner" in login.output
