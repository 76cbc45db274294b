"""mitmproxy is loaded without what hardly anybody uses, and lacks nothing of it."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest

from everbearer.proxy.speed.loading import _HARDLY_USED

pytestmark = pytest.mark.real

BEHIND_THEM = {"attr", "flask", "jinja2", "werkzeug"}
"""What these would have imported in their turn."""

LEFT_OUT = sorted({*_HARDLY_USED, *BEHIND_THEM})

PNG = (
    "89504e470d0a1a0a0000000d49484452000000030000000208020000001216f14d"
    "0000000049454e44ae426082"
)
"""Three pixels by two, none of them there."""


def launched(program: str, before: str = "") -> Any:
    """Return what *program* calls `tell` with, in a process with our launcher."""
    whole = (
        "import json, sys, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        f"def tell(what): print(json.dumps(what))\n{dedent(before)}\n"
        "from everbearer.proxy import launcher\n"
        "from mitmproxy.options import Options\n"
        f"{dedent(program)}"
    )
    done = subprocess.run(
        [sys.executable, "-c", whole], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_launcher_does_not_load_them():
    """With all addons made and configured, none of what is left out is there."""
    program = f"""
        import asyncio
        async def made():
            launcher._make_master("dump", Options())
        asyncio.run(made())
        tell([name for name in {LEFT_OUT} if name in sys.modules])
    """
    assert launched(program) == []


def test_of_an_unknown_mitmproxy_all_is_loaded():
    """What nobody has read is not made faster: nothing stands for anything."""
    before = "from mitmproxy import version; version.VERSION = '99.0'"
    program = f"tell([name for name in {LEFT_OUT} if name not in sys.modules])"
    assert launched(program, before) == []


@pytest.mark.parametrize("module", sorted(_HARDLY_USED))
def test_who_imports_one_gets_the_real_one(module):
    """A script of the user's imports such a library as ever."""
    program = f"""
        import importlib
        tell(importlib.import_module({module!r}).__spec__.name)
    """
    assert launched(program) == module


def test_the_page_at_mitm_it_is_served():
    """The page is there, with the certificate from the folder that was configured."""
    program = """
        import asyncio, pathlib, tempfile
        from mitmproxy.addons.onboarding import Onboarding
        from mitmproxy.test import taddons, tflow, tutils

        async def get(addon, path):
            request = tutils.treq(host="mitm.it", port=80, path=path)
            request.headers["Host"] = "mitm.it"
            flow = tflow.tflow(req=request)
            await addon.request(flow)
            return flow.response

        async def main(folder):
            addon = Onboarding()
            with taddons.context(addon) as context:
                context.configure(addon, confdir=folder)
                page = await get(addon, b"/")
                (pathlib.Path(folder) / "mitmproxy-ca-cert.pem").write_text("its CA")
                cert = await get(addon, b"/cert/pem")
                tell([page.status_code, "mitmproxy" in page.text, cert.text])

        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(folder))
    """
    assert launched(program) == [200, True, "its CA"]


def test_the_ldap_client_is_found():
    """`proxyauth=ldap:…` finds its client, and what lies deeper in it."""
    program = """
        from mitmproxy.addons import proxyauth
        tell([
            proxyauth.ldap3.Server("localhost").host,
            proxyauth.ldap3.utils.conv.escape_filter_chars("*"),
        ])
    """
    assert launched(program) == ["localhost", "\\2a"]


def test_files_are_found_as_by_mitmproxy():
    """`map_local` finds a file, and none outside its folder."""
    program = """
        from mitmproxy.addons.maplocal import safe_join
        tell([safe_join("/a", "b"), safe_join("/a", "../b")])
    """
    assert launched(program) == ["/a/b", None]


def test_images_are_shown():
    """The view of a body that is an image tells its size."""
    program = f"""
        with launcher.lightly():
            from mitmproxy import contentviews
        view = contentviews.registry["image"]
        metadata = contentviews.Metadata()
        tell(view.prettify(bytes.fromhex({PNG!r}), metadata))
    """
    assert "3 x 2 px" in launched(program)


def test_quic_checks_certificates():
    """The library that QUIC checks certificates by is found where it looks for it."""
    program = """
        from aioquic import tls
        tell(issubclass(tls.service_identity.VerificationError, Exception))
    """
    assert launched(program) is True


def test_the_clipboard_is_found():
    """Who exports a flow to the clipboard is told why that cannot be, or it is done."""
    program = """
        from mitmproxy.addons import cut
        tell(issubclass(cut.pyperclip.PyperclipException, Exception))
    """
    assert launched(program) is True
