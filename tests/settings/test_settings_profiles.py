"""Profiles: what each way to authenticate needs, and whose record it is."""

import json

import pytest

from everbearer.oauth.grants import GRANTS
from everbearer.oauth.grants.client_credentials import ClientCredentials
from everbearer.oauth.grants.contract import Subject
from everbearer.oauth.grants.jwt_bearer import JwtBearer
from everbearer.oauth.grants.refresh_token import RefreshToken
from everbearer.secret import Secret
from everbearer.settings.document import ProfileTable
from everbearer.stores.contract import GrantKey
from oauth.rsa_keys import PASSPHRASE, pem
from settings.config_folder import CANARY, DEV

TOKEN_URL = "https://api.box.com/oauth2/token"

CCG = """
[profiles.ccg]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = { env = "SECRET" }
subject = { type = "enterprise", id = "77" }
"""

JWT = """
[profiles.jwt]
provider = "box"
grant = "jwt_bearer"
jwt = { file = "box.json" }
"""

JWT_KEYS = """
[profiles.jwt]
provider = "box"
grant = "jwt_bearer"
client_id = "id"
client_secret = { env = "SECRET" }
subject = { type = "user", id = "5" }
[profiles.jwt.jwt]
key_id = "kid"
private_key = { file = "key.pem" }
passphrase = { env = "PASSPHRASE" }
algorithm = "RS384"
"""


def box_file(**changes):
    """Return the file of Box's developer console; `changes` are of appAuth."""
    key = {
        "publicKeyID": "kid",
        "privateKey": pem(passphrase=PASSPHRASE),
        "passphrase": PASSPHRASE,
    }
    settings = {
        "clientID": "id",
        "clientSecret": f"{CANARY}-json",
        "appAuth": key | changes,
    }
    return {"boxAppSettings": settings, "enterpriseID": "77", "webhooks": {}}


@pytest.fixture
def jwt_folder(folder):
    """Give a folder with Box's file and a key by itself."""
    folder.write("box.json", json.dumps(box_file()))
    folder.write("key.pem", pem(passphrase=PASSPHRASE))
    folder.environ["PASSPHRASE"] = PASSPHRASE
    return folder


@pytest.mark.parametrize("grant", GRANTS.values())
def test_each_grant_can_be_configured(grant):
    """No grant of the table is out of the configuration's reach."""
    assert grant.uses <= ProfileTable.model_fields.keys()


def test_a_refresh_token(folder):
    """The seed makes the record's identity."""
    profile = folder.load(DEV).profiles["dev"]
    seed = Secret(f"{CANARY}-refresh")
    assert profile.grant == RefreshToken("id", Secret(f"{CANARY}-env"), seed)
    assert profile.key == GrantKey(
        TOKEN_URL, "id", "refresh_token", seed.fingerprint(), ""
    )
    assert profile.default_expires_in == 3600


def test_no_seed(folder):
    """The record is the profile's, from a login: that is nothing to warn of."""
    lines = [line for line in DEV.splitlines() if "refresh_token =" not in line]
    settings = folder.load("\n".join(lines))
    profile = settings.profiles["dev"]
    assert profile.grant.seed is None
    assert profile.key.identity == "profile dev"
    assert settings.warnings == ()


def test_client_credentials(folder):
    """The subject makes the record's identity."""
    profile = folder.load(CCG).profiles["ccg"]
    subject = Subject("enterprise", "77")
    assert profile.grant == ClientCredentials("id", Secret(f"{CANARY}-env"), subject)
    assert profile.key.identity == "enterprise 77"


def test_a_developer_token(folder):
    """It needs nothing else, and its fingerprint makes the identity."""
    toml = '[profiles.me]\nprovider = "box"\naccess_token = { env = "SECRET" }'
    profile = folder.load(toml).profiles["me"]
    token = Secret(f"{CANARY}-env")
    assert (profile.grant, profile.access_token) == (None, token)
    assert profile.key == GrantKey(
        TOKEN_URL, "", "access_token", token.fingerprint(), ""
    )


def test_the_file_of_box(jwt_folder):
    """It is taken as it is: client, secret, key and enterprise."""
    settings = jwt_folder.load(JWT)
    grant = settings.profiles["jwt"].grant
    assert isinstance(grant, JwtBearer)
    assert (grant.client_id, grant.key_id, grant.algorithm) == ("id", "kid", "RS256")
    assert grant.client_secret == Secret(f"{CANARY}-json")
    assert grant.subject == Subject("enterprise", "77")
    assert jwt_folder.path / "box.json" in settings.watched


def test_the_profile_wins_over_the_file(jwt_folder):
    """What the profile says itself is not taken from the file."""
    toml = JWT.replace('"box.json"', '"box.json", algorithm = "RS512"')
    toml += 'client_id = "x"\nclient_secret = "y"\nsubject = {type="user",id="5"}'
    grant = jwt_folder.load(toml).profiles["jwt"].grant
    assert (grant.client_id, grant.client_secret) == ("x", Secret("y"))
    assert (grant.subject, grant.algorithm) == (Subject("user", "5"), "RS512")


def test_a_key_by_itself(jwt_folder):
    """Each part by itself makes the same kind of grant."""
    grant = jwt_folder.load(JWT_KEYS).profiles["jwt"].grant
    assert (grant.key_id, grant.algorithm) == ("kid", "RS384")
    assert grant.subject == Subject("user", "5")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(box_file(passphrase="wrong")), "the passphrase is wrong"),
        (json.dumps(box_file(privateKey="junk")), "no private key"),
        (json.dumps(box_file(privateKey=pem()[:300])), "the private key is damaged"),
        ("{", "no valid JSON at line 1"),
        ("{}", "boxAppSettings is missing"),
    ],
)
def test_a_damaged_file(jwt_folder, content, message):
    """A wrong passphrase and a damaged key or file name the file."""
    path = jwt_folder.write("box.json", content)
    problem = jwt_folder.problem(JWT)
    assert problem.path == "profiles.jwt.jwt.file"
    assert f"{path}: " in problem.message
    assert message in problem.message
    assert PASSPHRASE not in repr(problem)


def test_a_wrong_passphrase_of_a_key(jwt_folder):
    """So does the file of a key by itself."""
    jwt_folder.environ["PASSPHRASE"] = "wrong"
    problem = jwt_folder.problem(JWT_KEYS)
    assert problem.path == "profiles.jwt.jwt.private_key"
    assert f"{jwt_folder.path / 'key.pem'}: the passphrase is wrong" in problem.message


def test_a_missing_passphrase_source(jwt_folder):
    """Where the passphrase has no source, the key is not blamed."""
    del jwt_folder.environ["PASSPHRASE"]
    assert jwt_folder.problem(JWT_KEYS).path == "profiles.jwt.jwt.passphrase.env"


def test_a_file_without_an_enterprise(jwt_folder):
    """Whom to act for is asked then."""
    content = box_file()
    del content["enterpriseID"]
    jwt_folder.write("box.json", json.dumps(content))
    problem = jwt_folder.problem(JWT)
    assert problem.path == "profiles.jwt.subject"
    assert 'subject = { type = "enterprise"' in problem.fix


def test_a_file_with_a_strange_enterprise(jwt_folder):
    """An id that is none of Box's is the file's mistake."""
    jwt_folder.write("box.json", json.dumps(box_file() | {"enterpriseID": "x"}))
    assert jwt_folder.problem(JWT).path == "profiles.jwt.jwt.file"


def test_a_file_open_to_others(jwt_folder):
    """The file holds a key: others must not read it."""
    (jwt_folder.path / "box.json").chmod(0o644)
    assert "chmod 600" in jwt_folder.problem(JWT).fix


@pytest.mark.parametrize(
    ("old", "new", "path", "text"),
    [
        ('provider = "box"', "", "provider", 'provider = "box"'),
        ('provider = "box"', 'provider = "zzz"', "provider", 'provider = "box"'),
        ('grant = "refresh_token"', "", "grant", '"client_credentials"'),
        ('"refresh_token"', '"refreshtoken"', "grant", 'grant = "refresh_token"'),
        ('"refresh_token"', '"zzz"', "grant", '"jwt_bearer" or "client_credentials"'),
        ('client_id = "id"', "", "client_id", "is missing"),
        ('client_id = "id"', 'client_id = ""', "client_id", "is empty"),
        ('client_id = "id"', 'client_id = "a b"', "client_id", "characters"),
        ("client_secret", "as_user", "as_user", "expected a string"),
        ('client_id = "id"', 'client_id = "id"\nas_user = "me"', "as_user", "decimal"),
        ("grant =", 'subject = {type="user",id="1"}\ngrant =', "subject", "no meaning"),
        ("grant =", 'token_url = "http://x/"\ngrant =', "token_url", "https"),
        ("grant =", 'token_url = "https://u:p@x/"\ngrant =', "token_url", "https"),
        ("grant =", 'token_url = "https://x/#y"\ngrant =', "token_url", "https"),
        ("grant =", 'token_url = "https://x:70000/"\ngrant =', "token_url", "https"),
        ("grant =", 'token_url = ""\ngrant =', "token_url", "https"),
    ],
)
def test_a_wrong_profile(folder, old, new, path, text):
    """Each mistake has its key and its cure."""
    problems = folder.problems(DEV.replace(old, new, 1))
    assert f"profiles.dev.{path}" in [problem.path for problem in problems]
    assert text in "\n".join(map(str, problems))
    assert len(problems) == (2 if new == "as_user" else 1)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("subject =", "# ", "subject"),
        ('type = "enterprise", ', "", "subject.type"),
        (', id = "77"', "", "subject.id"),
        ('"77"', '"x7"', "subject.id"),
        ("{ env", '"x" # ', None),
        ("client_secret", "# ", "client_secret"),
    ],
)
def test_a_wrong_client_credentials_profile(folder, old, new, path):
    """Client, secret and the whole subject are required."""
    toml = CCG.replace(old, new, 1)
    if path is None:
        assert folder.load(toml).profiles
    else:
        assert folder.problem(toml).path == f"profiles.ccg.{path}"


@pytest.mark.parametrize(
    ("jwt", "paths"),
    [
        ("", ["jwt"]),
        ("jwt = {}", ["jwt"]),
        ('jwt = { fil = "box.json" }', ["jwt.fil"]),
        ('jwt = { file = "box.json", key_id = "x" }', ["jwt.key_id"]),
        ('jwt = { file = "box.json", algorithm = "HS256" }', ["jwt.algorithm"]),
        ('jwt = { file = "box.json", algorithm = "zzz" }', ["jwt.algorithm"]),
        ('jwt = { file = "absent" }', ["jwt.file"]),
        (
            'jwt = { private_key = "zzz" }',
            ["client_id", "client_secret", "jwt.private_key", "subject"],
        ),
        (
            (
                'client_id = "id"\nclient_secret = "x"\njwt = { private_key = "zzz" }\n'
                'subject = { type = "user", id = "1" }'
            ),
            ["jwt.private_key"],
        ),
    ],
)
def test_a_wrong_jwt_profile(jwt_folder, jwt, paths):
    """Either the file or the parts, and nothing twice."""
    toml = JWT.replace('jwt = { file = "box.json" }', jwt)
    problems = jwt_folder.problems(toml)
    assert [p.path for p in problems] == [f"profiles.jwt.{path}" for path in paths]


def test_a_developer_token_beside_a_grant(folder):
    """One of the two obtains tokens, not both."""
    problem = folder.problem(DEV + 'access_token = "x"')
    assert problem.path == "profiles.dev.access_token"
    assert 'grant = "refresh_token"' in problem.message


def test_a_client_beside_a_developer_token(folder):
    """A developer token has no client."""
    toml = '[profiles.me]\nprovider = "box"\naccess_token = "x"\nclient_id = "id"'
    assert folder.problem(toml).path == "profiles.me.client_id"


@pytest.mark.parametrize("name", ["none", "a b", "é", "", "x" * 65, "a/b"])
def test_an_illegal_name(folder, name):
    """A name can stand in a field, on a command line and in a log."""
    toml = DEV.replace("[profiles.dev]", f"[profiles.{json.dumps(name)}]")
    assert "write, for example: [profiles." in folder.problem(toml).fix


@pytest.mark.parametrize("name", ["None", "a.b-c_D9"])
def test_a_legal_name(folder, name):
    """Letters, digits, and three marks."""
    toml = DEV.replace("[profiles.dev]", f'[profiles."{name}"]')
    assert list(folder.load(toml).profiles) == [name]


def test_a_shared_refresh_token(folder):
    """Three profiles with one refresh token are one problem that names them all."""
    folder.write("rt.txt", f"{CANARY}-refresh\n")
    toml = (
        DEV
        + DEV.replace(".dev]", ".b]")
        + DEV.replace(".dev]", ".c]").replace(
            f'"{CANARY}-refresh"', '{ file = "rt.txt" }'
        )
    )
    problem = folder.problem(toml)
    assert problem.path == "profiles.c.refresh_token"
    assert '"dev", "b" and "c" have the same refresh token' in problem.message


def test_a_refresh_token_shared_by_two(folder):
    """Two profiles are enough; their clients do not matter."""
    problem = folder.problem(DEV + DEV.replace(".dev]", ".b]").replace('"id"', '"x"'))
    assert '"dev" and "b" have the same refresh token' in problem.message


def test_one_identity_in_two_profiles(folder):
    """Two profiles of one app share its record: nothing rotates there."""
    profiles = folder.load(CCG + CCG.replace(".ccg]", ".b]")).profiles
    assert profiles["ccg"].key == profiles["b"].key


def test_profiles_of_one_name_in_two_configurations(folder):
    """The name is no part of the record's key, the seed is."""
    one = folder.load(DEV).profiles["dev"].key
    other = folder.load(DEV.replace("-refresh", "-other")).profiles["dev"].key
    assert one != other


def test_where_the_token_endpoint_is_dialled(folder):
    """A sandbox's record is never a real one's."""
    toml = DEV + '[network.connect_to]\n"API.box.com:443" = "127.0.0.1:9443"'
    assert folder.load(toml).profiles["dev"].key.dialled == "127.0.0.1:9443"
    toml = toml.replace(":443", ":444")
    assert folder.load(toml).profiles["dev"].key.dialled == ""


def test_another_token_endpoint(folder):
    """`token_url` replaces the provider's, its port chooses in connect_to."""
    toml = DEV.replace(
        "grant =", 'token_url = "https://Auth.example.com:8443/t"\ngrant ='
    )
    toml += '[network.connect_to]\n"auth.example.com:8443" = "[::1]:9"'
    profile = folder.load(toml).profiles["dev"]
    assert profile.token_url == "https://Auth.example.com:8443/t"
    assert profile.key.dialled == "[::1]:9"


def test_as_user(folder):
    """The user's id is kept as it is."""
    toml = DEV.replace("grant =", 'as_user = "123"\ngrant =')
    assert folder.load(toml).profiles["dev"].as_user == "123"
