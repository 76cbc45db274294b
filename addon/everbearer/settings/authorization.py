"""A profile's keys → its grant, whichever it is: a grant says which keys it uses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from everbearer.oauth.assertion import ALGORITHMS, SigningKey, load_private_key
from everbearer.oauth.grants.contract import GrantSettings, Subject
from everbearer.providers.box_config import parse_config_file
from everbearer.settings.document import SecretTable
from everbearer.settings.problems import listing, nearest

if TYPE_CHECKING:
    from everbearer.oauth.assertion import PrivateKey
    from everbearer.oauth.grants.contract import Grant
    from everbearer.providers.box_config import BoxAppConfig
    from everbearer.secret import Secret
    from everbearer.settings.document import JwtTable, ProfileTable
    from everbearer.settings.problems import Where
    from everbearer.settings.secrets import SecretReader

    type _Key = tuple[str, PrivateKey]  # with its id

# RFC 6749 appendix A.1: client_id is of VSCHAR; a space there is a slip.
_CLIENT_ID: Final = re.compile(r"[\x21-\x7e]+\Z")


def build_grant(
    kind: type[Grant], where: Where, table: ProfileTable, reader: SecretReader
) -> Grant | None:
    """
    Build the grant of a profile; notes what is wrong with the keys that it uses.

    What the profile says itself wins over Box's file.
    """
    app, signing, filled = None, None, False
    if "jwt" in kind.uses:
        if table.jwt is None:
            reader.problems.missing((*where, "jwt"), table.example("jwt"))
            return None
        app, signing = _signing((*where, "jwt"), table.jwt, reader)
        # Where not even a key is named, a file may be what was meant.
        filled = table.jwt.file is not None or table.jwt.private_key is None
    client_id = _client_id(where, table, reader, optional=filled)
    client_secret = _client_secret(where, table, reader, optional=filled)
    subject, seed = None, None
    if "subject" in kind.uses:
        subject = _subject(where, table, reader, optional=filled)
    if app is not None:
        client_id = client_id or app.client_id
        client_secret = client_secret or app.client_secret
        if "subject" in kind.uses and table.subject is None:
            subject = _subject_of(app, where, table, reader)
    if "refresh_token" in kind.uses:
        seed = _seed((*where, "refresh_token"), table, reader)
    if (
        client_id is None
        or client_secret is None
        or ("jwt" in kind.uses and signing is None)
        or ("subject" in kind.uses and subject is None)
    ):
        return None
    return kind.configured(
        GrantSettings(client_id, client_secret, seed, signing, subject)
    )


def _seed(here: Where, table: ProfileTable, reader: SecretReader) -> Secret | None:
    # Without one the store has it, from a login.
    return reader.token(here, table.refresh_token)


def _signing(
    here: Where, jwt: JwtTable, reader: SecretReader
) -> tuple[BoxAppConfig | None, SigningKey | None]:
    """Return the key, and the file that Box offers where it is in one."""
    algorithm = _algorithm(here, jwt, reader)
    if jwt.file is None:
        app, key = None, _from_keys(here, jwt, reader)
    else:
        app, key = _from_file(here, jwt, reader)
    return app, SigningKey(*key, algorithm) if key else None


def _from_file(
    here: Where, jwt: JwtTable, reader: SecretReader
) -> tuple[BoxAppConfig | None, _Key | None]:
    """Read the file that Box's developer console offers, and the key in it."""
    for twice in sorted(jwt.model_fields_set - {"file", "algorithm"}):
        reader.problems.add((*here, twice), "the file has its own", "remove it")
    where = (*here, "file")
    assert jwt.file is not None
    found = reader.file(where, jwt.file)
    if found is None:
        return None, None
    path, text = found
    try:
        app = parse_config_file(text)
    except ValueError as error:
        reader.problems.add(where, f"{path}: {error}")
        return None, None
    key = _loaded(where, f"{path}: ", app.private_key, app.passphrase, reader)
    return app, (app.key_id, key) if key else None


def _from_keys(here: Where, jwt: JwtTable, reader: SecretReader) -> _Key | None:
    where = (*here, "private_key")
    if jwt.private_key is None and not reader.problems.about(*here):
        reader.problems.add(
            here,
            "there is neither a file nor a private_key",
            'write: jwt = { file = "box_config.json" }',
        )
    pem = reader.text(where, jwt.private_key)
    passphrase = reader.text((*here, "passphrase"), jwt.passphrase)
    if pem is None or reader.problems.about(*here, "passphrase"):
        return None
    source = ""
    if isinstance(jwt.private_key, SecretTable) and jwt.private_key.file is not None:
        source = f"{reader.surroundings.path(jwt.private_key.file)}: "
    key = _loaded(where, source, pem, passphrase, reader)
    return (jwt.key_id or "", key) if key else None


def _loaded(
    where: Where,
    source: str,
    pem: Secret,
    passphrase: Secret | None,
    reader: SecretReader,
) -> PrivateKey | None:
    """Return the key; a problem begins with `source`, which names its file."""
    try:
        return load_private_key(pem, passphrase)
    except ValueError as error:
        reader.problems.add(where, f"{source}{error}")
        return None


def _client_id(
    where: Where, table: ProfileTable, reader: SecretReader, *, optional: bool = False
) -> str | None:
    here = (*where, "client_id")
    if table.client_id is None:
        if not optional:
            reader.problems.missing(here, table.example("client_id"))
        return None
    if not _CLIENT_ID.match(table.client_id):
        reader.problems.add(
            here,
            "is empty, or holds characters that no client_id has",
            "copy it from the app's page in the developer console",
        )
        return None
    return table.client_id


def _client_secret(
    where: Where, table: ProfileTable, reader: SecretReader, *, optional: bool = False
) -> Secret | None:
    here = (*where, "client_secret")
    if table.client_secret is None and not optional:
        reader.problems.missing(here, table.example("client_secret"))
    return reader.token(here, table.client_secret)


def _subject(
    where: Where, table: ProfileTable, reader: SecretReader, *, optional: bool = False
) -> Subject | None:
    here, given = (*where, "subject"), table.subject
    if given is None:
        if not optional:
            reader.problems.missing(here, table.example("subject"))
        return None
    if given.type is None:
        reader.problems.missing((*here, "type"), given.example("type"))
    if given.id is None:
        reader.problems.missing((*here, "id"), given.example("id"))
    if given.type is None or given.id is None:
        return None
    try:
        return Subject(given.type, given.id)
    except ValueError as error:
        reader.problems.add(
            (*here, "id"), str(error), f"write, for example: {given.example('id')}"
        )
        return None


def _subject_of(
    app: BoxAppConfig, where: Where, table: ProfileTable, reader: SecretReader
) -> Subject | None:
    """Return the enterprise that Box's file is for, where it is for one."""
    fix = f"write, for example: {table.example('subject')}"
    try:
        subject = app.subject
    except ValueError as error:
        reader.problems.add((*where, "jwt", "file"), f"enterpriseID: {error}", fix)
        return None
    if subject is None:
        reader.problems.add(
            (*where, "subject"), "is missing, and the jwt file has none", fix
        )
    return subject


def _algorithm(here: Where, jwt: JwtTable, reader: SecretReader) -> str:
    given = jwt.algorithm
    if given is None or given in ALGORITHMS:
        return given or ALGORITHMS[0]
    meant = nearest(given, ALGORITHMS)
    reader.problems.add(
        (*here, "algorithm"),
        "is none of those that sign for this grant",
        f"write: algorithm = {listing([meant] if meant else ALGORITHMS)}",
    )
    return ALGORITHMS[0]
