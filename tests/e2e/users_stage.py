"""A sandbox and a proxy with two users, and how each says who he is."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from everbearer.secret import Secret
from everbearer.users.passwords import hashed
from harness import Answer, Place, Proxy, Sandbox, curl
from ports import unused_port

ME = "https://api.box.com/2.0/users/me"
PASSWORDS = {
    "alice": "correct horse battery alice",
    "bob": "staple: with a colon, and é",
    "carol": "carol may use everything there is",
}
PROFILES = {"alice": "jwt", "bob": "ccg", "carol": ""}
LOGINS = {
    "alice": "AutomationUser_300001_1@boxdevedition.com",
    "bob": "AutomationUser_300002_1@boxdevedition.com",
    "carol": "olivia@example.com",
}


def user(name: str, password: str, profile: str = "") -> str:
    """Return the lines of a user."""
    phc = hashed(Secret(password)).phc.reveal()
    bound = f'profiles = ["{profile}"]\n' if profile else ""
    return f'[[proxy.users]]\nname = "{name}"\npassword_hash = "{phc}"\n{bound}'


def basic(name: str, password: str = "") -> str:
    """Return the credentials as a field has them."""
    text = f"{name}:{password or PASSWORDS[name]}"
    return "Basic " + base64.b64encode(text.encode()).decode()


def as_user(name: str, password: str = "") -> tuple[str, str]:
    """Return curl's words for the explicit proxy."""
    return "--proxy-user", f"{name}:{password or PASSWORDS[name]}"


@dataclass
class Stage:
    """Everything that runs."""

    place: Place
    sandbox: Sandbox
    proxy: Proxy
    config: Path
    reverse_port: int

    def ask(self, *arguments: str, url: str = ME) -> Answer:
        """Ask by the explicit proxy."""
        self.sandbox.forget()
        return self.proxy.curl(*arguments, url)

    def ask_reverse(self, *arguments: str) -> Answer:
        """Ask the reverse listener."""
        self.sandbox.forget()
        return curl(*arguments, f"http://127.0.0.1:{self.reverse_port}/2.0/users/me")

    def write_users(self, users: str) -> None:
        """Put other users in place, and wait until they are in force."""
        before = self.config.read_text()
        head = before.partition("[[proxy.users]]")[0]
        said = self.proxy.process.output.count("is in force")
        self.config.write_text(head + users)
        self.proxy.process.wait_for(rf"(?s)(is in force.*){{{said + 1}}}")


@contextmanager
def users_stage(
    folder: Path, address: str = "127.0.0.1", more: str = ""
) -> Iterator[Stage]:
    """Start everything; the listeners are at *address*."""
    place = Place(folder)
    try:
        sandbox = Sandbox(place)
        reverse, explicit = unused_port(), unused_port()
        listeners = (
            f'\n[[listeners]]\naddress = "{address}:{explicit}"\n'
            f'[[listeners]]\naddress = "{address}:{reverse}"\n'
            'reverse = "https://api.box.com"\n'
        )
        users = "".join(user(n, p, PROFILES[n]) for n, p in PASSWORDS.items())
        config = sandbox.config("users", listeners + more + users)
        proxy = Proxy(place, config, listen="", listening=address)
        yield Stage(place, sandbox, proxy, config, reverse)
    finally:
        place.close()
