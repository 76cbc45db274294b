"""`[dashboard]`."""

import pytest

from everbearer.settings.model import Address, DashboardSettings
from settings.config_folder import DEV


def test_there_is_one_by_default(folder):
    """At the default's address, or another where that is taken."""
    assert folder.load(DEV).dashboard == DashboardSettings(enabled=True, listen=None)


def test_it_can_be_switched_off_and_moved(folder):
    """IPv6 as well."""
    off = folder.load(DEV + "[dashboard]\nenabled = false").dashboard
    assert off == DashboardSettings(enabled=False)
    moved = folder.load(DEV + '[dashboard]\nlisten = "[::1]:9000"').dashboard
    assert moved == DashboardSettings(enabled=True, listen=Address("::1", 9000))


@pytest.mark.parametrize(
    "address", ["0.0.0.0:8083", "192.168.1.2:8083", "[::]:8083", "8.8.8.8:8083"]
)
def test_it_is_never_beyond_this_machine(folder, address):
    """There are no passwords and no TLS; users of the proxy change nothing of that."""
    problem = folder.problem(f'[dashboard]\nlisten = "{address}"\n{DEV}')
    assert problem.path == "dashboard.listen"
    assert "this machine" in problem.message
    assert '"127.0.0.1:8083"' in problem.fix
    assert "ssh -L" in problem.fix


@pytest.mark.parametrize("address", ["", "localhost:1", "8083", "127.0.0.1", "x"])
def test_an_address_is_one(folder, address):
    """As a listener's."""
    problem = folder.problem(f'[dashboard]\nlisten = "{address}"\n{DEV}')
    assert problem.path == "dashboard.listen"


def test_a_listener_is_there_already(folder):
    """The default one too."""
    problem = folder.problem(f'[dashboard]\nlisten = "127.0.0.1:8080"\n{DEV}')
    assert problem.path == "dashboard.listen"
    assert "a listener has 127.0.0.1:8080" in problem.message
