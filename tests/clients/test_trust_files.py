"""What tools trusted before they trust still, and our authority beside it."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path

import certifi
import pytest
from cryptography import x509

from everbearer.certificates import (
    Issued,
    make_authority,
    parse,
    permits,
    permitted_names,
)
from everbearer.clients.constraints import constraints, outside
from everbearer.clients.run_folder import run_folder
from everbearer.clients.trust_files import trust_store, write_trust
from everbearer.clients.trust_stores import bundle, certificates_in
from everbearer.errors import StoreError
from everbearer.policy.hosts import HostPattern
from needs import need

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


def authority(*names: str) -> Issued:
    """Make an authority for a year."""
    return make_authority("test", names or ("box.com",), NOW, dt.timedelta(days=365))


def ders(path: str | Path) -> set[bytes]:
    """Return the certificates in a file."""
    return set(certificates_in(Path(path).read_bytes()))


def test_a_tool_that_trusts_the_system_trusts_us_beside_it(tmp_path):
    """Every variable's file has ours; those that replace have the system's too."""
    ours = authority().certificate_pem()
    told = write_trust(tmp_path, ours, {}, 0.0)
    (mine,) = certificates_in(ours.encode())
    assert ders(told["NODE_EXTRA_CA_CERTS"]) == ders(told["DENO_CERT"]) == {mine}
    mozilla = ders(certifi.where())
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        assert ders(told[name]) >= mozilla | {mine}
    rc = Path(told["WGETRC"]).read_text()
    assert rc == f"ca_certificate = {told['SSL_CERT_FILE']}\n"


def test_a_variable_keeps_its_meaning(tmp_path):
    """Who trusted a few authorities trusts those and ours, and nobody else."""
    company = tmp_path / "company.pem"
    company.write_text(authority("corp.example").certificate_pem())
    ours = authority().certificate_pem()
    mine = set(certificates_in(ours.encode()))
    environ = {
        "REQUESTS_CA_BUNDLE": str(company),
        "NODE_EXTRA_CA_CERTS": str(company),
        "CURL_CA_BUNDLE": str(tmp_path / "missing.pem"),
    }
    told = write_trust(tmp_path, ours, environ, 0.0)
    assert ders(told["REQUESTS_CA_BUNDLE"]) == ders(company) | mine
    assert ders(told["NODE_EXTRA_CA_CERTS"]) == ders(company) | mine
    assert ders(told["CURL_CA_BUNDLE"]) == ders(told["SSL_CERT_FILE"])


def test_a_bundle_has_each_certificate_once():
    """However often, and in what text, it was found."""
    pem = authority().certificate_pem()
    made = bundle([pem.encode(), b"# a comment\n" + pem.encode(), b"no certificate"])
    assert made.decode() == pem


@pytest.mark.real
def test_java_reads_the_trust_store(tmp_path):
    """Java's own keytool lists our authority in it, and finds nothing amiss."""
    keytool = need("keytool")
    ours = authority()
    write_trust(tmp_path, ours.certificate_pem(), {}, 1.7e9)
    done = subprocess.run(
        [
            *(keytool, "-list", "-keystore", trust_store(tmp_path)),
            *("-storepass", "changeit", "-storetype", "JKS"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - here alone

    digest = ours.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    assert digest in done.stdout


def test_constraints_cover_the_rules_and_little_more():
    """A name covers those below it; a wildcard needs its parent."""
    patterns = ["api.box.com", "upload-*.app.box.com", "dl.boxcloud.com", "app.box.com"]
    ruled = tuple(map(HostPattern.parse, patterns))
    assert constraints(ruled) == ("api.box.com", "app.box.com", "dl.boxcloud.com")
    assert constraints([]) == ()
    assert outside(ruled, ("box.com",)) == ("dl.boxcloud.com",)
    assert outside(ruled, constraints(ruled)) == ()
    # The pattern would match upload-1.app.box.com, which the name does not cover.
    assert outside(ruled[1:2], ("upload-x.app.box.com",)) == ("upload-*.app.box.com",)


def test_an_authority_is_constrained_and_says_so():
    """Critical, with no path below it; one for everything cannot be made."""
    made = authority("box.com", "boxcloud.com")
    found = made.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert found.critical
    assert permitted_names(made.certificate) == ("box.com", "boxcloud.com")
    assert permits(("box.com",), "*.app.Box.com")
    assert not permits(("box.com",), "notbox.com")
    assert parse(made.pem()) == made or parse(made.pem()).pem() == made.pem()
    with pytest.raises(ValueError, match="constrained"):
        make_authority("all", (), NOW, dt.timedelta(days=1))


def test_a_runs_folder_goes_with_it(tmp_path):
    """Private while it is there; with a wider one around it, none is made."""
    place = tmp_path / "exec"
    with run_folder(place) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("")
        with run_folder(place) as other:
            assert other != folder
        assert folder.exists()
    assert [path.name for path in place.iterdir()] == ["lock"]
    place.chmod(0o755)
    with pytest.raises(StoreError), run_folder(place):
        pass
