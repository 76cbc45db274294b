"""Folders, files, uploads, downloads and events, against box-facts section 3."""

import asyncio
import hashlib
import io
import json
import zipfile

import httpx
import pytest

from everbearer.sandbox.content import ContentFolder, synthetic
from sandbox.uploads import UPLOAD, upload, uploaded


async def _download(bench, address):
    return await bench.ask("GET", address)


@pytest.mark.parametrize(
    "host", ["upload.box.com", "upload.app.box.com", "upload-las.app.box.com"]
)
async def test_upload_is_taken_on_every_upload_host(bench, host):
    """Section 3, hosts: the dynamic upload hosts take the same bearer."""
    url = f"https://{host}/api/2.0/files/content"
    response = await upload(bench, "a.txt", b"hello", url=url)
    assert response.status_code == 201
    entry = response.json()["entries"][0]
    assert entry["sha1"] == hashlib.sha1(b"hello").hexdigest()
    assert entry["size"] == 5


async def test_attributes_must_come_before_the_file(bench):
    """Section 3: `attributes` part must precede `file`."""
    response = await bench.ask(
        "POST",
        f"{UPLOAD}/files/content",
        bench.developer_token,
        files=[("file", ("a", b"x")), ("attributes", (None, "{}"))],
    )
    assert (response.status_code, response.json()["code"]) == (
        400,
        "metadata_after_file_contents",
    )


@pytest.mark.parametrize("name", ["file", "content", "contents"])
async def test_the_files_part_may_have_any_name(bench, name):
    """SDKs say `file`, older ones `content`, rclone `contents`; it may be empty."""
    for content in (b"hello", b""):
        attributes = {"name": f"{len(content)}.txt", "parent": {"id": "0"}}
        response = await bench.ask(
            "POST",
            f"{UPLOAD}/files/content",
            bench.developer_token,
            files=[
                ("attributes", (None, json.dumps(attributes))),
                (name, ("a", content)),
            ],
        )
        assert response.status_code == 201
        (entry,) = response.json()["entries"]
        assert entry["sha1"] == hashlib.sha1(content).hexdigest()


@pytest.mark.parametrize(
    "parts",
    [
        {"attributes": (None, "{}")},
        {"attributes": (None, "nonsense"), "file": ("a", b"x")},
        {"attributes": (None, "[]"), "file": ("a", b"x")},
        {"attributes": (None, "x" * 300_000), "file": ("a", b"x")},
        {"attributes": (None, '{"name": "a"}'), "file": ("a", b"x")},
        {"attributes": (None, '{"parent": {"id": "0"}}'), "file": ("a", b"x")},
        {
            "attributes": (None, '{"name": "a/b", "parent": {"id": "0"}}'),
            "file": ("a", b"x"),
        },
        {
            "attributes": (None, '{"name": "a", "parent": {"id": "0"}}'),
            "more": (None, "1"),
            "file": ("a", b"x"),
        },
    ],
)
async def test_wrong_form_is_a_bad_request_and_leaves_nothing(bench, parts):
    """Name, parent and one file are needed, as JSON and as a possible name."""
    response = await bench.ask(
        "POST", f"{UPLOAD}/files/content", bench.developer_token, files=parts
    )
    assert response.status_code == 400
    assert list((bench.state / "content").iterdir()) == []


async def test_form_that_is_none_is_a_bad_request(bench):
    """JSON sent to the upload call."""
    response = await bench.ask(
        "POST", f"{UPLOAD}/files/content", bench.developer_token, json={}
    )
    assert response.status_code == 400


async def test_body_of_an_api_call_is_bounded(bench):
    """What would be held in memory is refused beyond 4 MiB."""
    response = await bench.api(
        "POST", "/folders", bench.developer_token, content=b" " * (4 * 1024 * 1024 + 1)
    )
    assert response.status_code == 413


async def test_unauthorised_upload_leaves_nothing(bench):
    """Section 3: a 401 comes before any action, so that a replay is safe."""
    attributes = json.dumps({"name": "a.txt", "parent": {"id": "0"}})
    response = await bench.ask(
        "POST",
        f"{UPLOAD}/files/content",
        "dead",
        files={"attributes": (None, attributes), "file": ("a.txt", b"hello")},
    )
    assert response.status_code == 401
    items = await bench.api("GET", "/folders/0/items", bench.developer_token)
    assert items.json()["total_count"] == 0
    assert list((bench.state / "content").iterdir()) == []


async def test_name_in_use_is_a_conflict(bench):
    """Section 3: 409 item_name_in_use names the item in the way."""
    file = await uploaded(bench)
    again = await upload(bench, "A.TXT", b"other")
    assert (again.status_code, again.json()["code"]) == (409, "item_name_in_use")
    assert again.json()["context_info"]["conflicts"]["id"] == file["id"]
    preflight = await bench.api(
        "OPTIONS",
        "/files/content",
        bench.developer_token,
        json={"name": "a.txt", "parent": {"id": "0"}, "size": 5},
    )
    assert preflight.status_code == 409


@pytest.mark.parametrize("path", ["/files/content", "/files/content/"])
async def test_preflight_is_an_authenticated_options(bench, path):
    """Section 3, other: OPTIONS is a real call here, and needs the token."""
    body = {"name": "new", "parent": {"id": "0"}}
    answer = await bench.api("OPTIONS", path, bench.developer_token, json=body)
    assert answer.json()["upload_url"].startswith(
        "https://upload-las.app.box.com/api/2.0/files/content?upload_session_id="
    )
    refused = await bench.api("OPTIONS", path, json=body)
    assert refused.status_code == 401


async def test_download_is_a_redirect_to_an_address_that_needs_no_token(bench):
    """Section 3, hosts: 302 to dl.boxcloud.com/d/1/…, good for 15 minutes."""
    file = await uploaded(bench)
    path = f"/files/{file['id']}/content"
    redirect = await bench.api("GET", path, bench.developer_token)
    assert redirect.status_code == 302
    address = redirect.headers["location"]
    assert address.startswith("https://dl.boxcloud.com/d/1/")
    assert (await _download(bench, address)).content == b"hello"
    by_query = await bench.api("GET", f"{path}?access_token={bench.developer_token}")
    assert by_query.status_code == 302
    assert (await bench.api("GET", path)).status_code == 401
    bench.clock.now += 900
    assert (await _download(bench, address)).status_code == 404


async def test_representation_needs_the_bearer(bench):
    """Section 3, hosts: dl.boxcloud.com is split by path, not by host."""
    file = await uploaded(bench)
    found = await bench.api(
        "GET", f"/files/{file['id']}?fields=representations", bench.developer_token
    )
    entry = found.json()["representations"]["entries"][0]
    address = entry["content"]["url_template"].replace("{+asset_path}", "")
    assert address.startswith("https://dl.boxcloud.com/api/2.0/internal_files/")
    assert (await _download(bench, address)).status_code == 401
    served = await bench.ask("GET", address, bench.developer_token)
    assert served.content == b"hello"


async def test_range_of_a_download(bench):
    """RFC 9110 §14: 206 with Content-Range, 416 beyond the end."""
    file = await bench.control("POST", "files", size=1000)
    redirect = await bench.api(
        "GET", f"/files/{file['id']}/content", bench.developer_token
    )
    address = redirect.headers["location"]
    whole = (await _download(bench, address)).content
    part = await bench.ask("GET", address, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == "bytes 100-199/1000"
    beyond = await bench.ask("GET", address, headers={"Range": "bytes=1000-"})
    assert beyond.status_code == 416


async def test_zip_is_downloaded_without_a_token(bench):
    """Section 3, hosts: zip downloads are `security: []`, valid for seconds."""
    outer = await bench.api(
        "POST",
        "/folders",
        bench.developer_token,
        json={"name": "outer", "parent": {"id": "0"}},
    )
    await uploaded(bench, parent=outer.json()["id"])
    made = await bench.api(
        "POST",
        "/zip_downloads",
        bench.developer_token,
        json={"items": [{"type": "folder", "id": outer.json()["id"]}]},
    )
    assert made.status_code == 202
    archive = await _download(bench, made.json()["download_url"])
    names = zipfile.ZipFile(io.BytesIO(archive.content))
    assert names.read("outer/a.txt") == b"hello"
    status = made.json()["status_url"]
    state = await bench.ask("GET", status, bench.developer_token)
    assert state.json()["state"] == "succeeded"
    bench.clock.now += 10
    assert (await _download(bench, made.json()["download_url"])).status_code == 404


async def test_new_version_copy_change_and_delete(bench):
    """A file's life, each step seen in its etag and SHA-1."""
    file = await uploaded(bench)
    token, path = bench.developer_token, f"/files/{file['id']}"
    url = f"{UPLOAD}{path}/content"
    version = (await upload(bench, "a.txt", b"second", url=url)).json()["entries"][0]
    assert (version["id"], version["etag"]) == (file["id"], "1")
    renamed = await bench.api("PUT", path, token, json={"name": "b.txt"})
    assert renamed.json()["name"] == "b.txt"
    stale = await bench.api(
        "PUT", path, token, json={"name": "c"}, headers={"If-Match": "0"}
    )
    assert stale.status_code == 412
    copy = await bench.api(
        "POST", f"{path}/copy", token, json={"parent": {"id": "0"}, "name": "c.txt"}
    )
    assert copy.json()["sha1"] == hashlib.sha1(b"second").hexdigest()
    assert (await bench.api("DELETE", path, token)).status_code == 204
    assert (await bench.api("GET", path, token)).status_code == 404
    content = f"/files/{copy.json()['id']}/content"
    redirect = await bench.api("GET", content, token)
    served = await _download(bench, redirect.headers["location"])
    assert served.content == b"second"


async def test_folders_are_made_listed_moved_and_deleted(bench):
    """A folder's life; one with items goes only when asked to recursively."""
    token = bench.developer_token

    async def make(name, parent="0"):
        body = {"name": name, "parent": {"id": parent}}
        return (await bench.api("POST", "/folders", token, json=body)).json()

    outer, other = await make("outer"), await make("other")
    inner = await make("inner", outer["id"])
    again = await make("outer")
    assert again["context_info"]["conflicts"][0]["id"] == outer["id"]
    loop = await bench.api(
        "PUT", f"/folders/{outer['id']}", token, json={"parent": {"id": inner["id"]}}
    )
    assert loop.status_code == 400
    await bench.api(
        "PUT", f"/folders/{inner['id']}", token, json={"parent": {"id": other["id"]}}
    )
    items = await bench.api("GET", f"/folders/{other['id']}/items", token)
    assert [entry["name"] for entry in items.json()["entries"]] == ["inner"]
    page = await bench.api("GET", "/folders/0/items?offset=1&limit=1", token)
    assert [entry["name"] for entry in page.json()["entries"]] == ["outer"]
    path = f"/folders/{other['id']}"
    refused = await bench.api("DELETE", path, token)
    assert refused.json()["code"] == "folder_not_empty"
    gone = await bench.api("DELETE", f"{path}?recursive=true", token)
    assert gone.status_code == 204
    inside = await bench.api("GET", f"/folders/{inner['id']}", token)
    assert inside.status_code == 404


async def test_long_poll_answers_when_something_happens(bench):
    """Section 3, other: OPTIONS names a realtime server; its channel is enough."""
    token = bench.developer_token
    servers = (await bench.api("OPTIONS", "/events", token)).json()["entries"]
    assert servers[0]["retry_timeout"] == 610
    polling = asyncio.ensure_future(bench.ask("GET", servers[0]["url"]))
    await bench.control("GET", "requests/wait?path=/subscribe&timeout=10")
    await bench.api(
        "POST", "/folders", token, json={"name": "new", "parent": {"id": "0"}}
    )
    assert (await polling).json()["message"] == "new_change"
    events = (await bench.api("GET", "/events?stream_position=0", token)).json()
    assert events["entries"][0]["event_type"] == "ITEM_CREATE"
    later = f"/events?stream_position={events['next_stream_position']}"
    assert (await bench.api("GET", later, token)).json()["entries"] == []
    unknown = "https://2.realtime.services.box.net/subscribe?channel=other"
    assert (await bench.ask("GET", unknown)).status_code == 404


async def test_synthetic_file_is_the_same_on_every_reading(bench):
    """A file made by the control API has the SHA-1 that it announced."""
    file = await bench.control("POST", "files", size=1_000_003)
    redirect = await bench.api(
        "GET", f"/files/{file['id']}/content", bench.developer_token
    )
    content = (await _download(bench, redirect.headers["location"])).content
    assert hashlib.sha1(content).hexdigest() == file["sha1"]


def test_synthetic_chunks_differ():
    """A lost or doubled chunk changes the hash."""
    chunks = list(synthetic(1024 * 1024).chunks())
    assert len(set(chunks)) == len(chunks) == 4


def test_upload_beyond_the_limit_is_counted_and_not_kept(tmp_path):
    """A large upload costs no disk, and is never served wrong."""
    writer = ContentFolder(tmp_path, keep_limit=10).writer()
    writer.write(b"x" * 8)
    writer.write(b"x" * 8)
    content = writer.finish()
    assert (content.length, content.kept, content.path) == (16, False, None)
    assert content.sha1 == hashlib.sha1(b"x" * 16).hexdigest()
    assert list(tmp_path.iterdir()) == []


async def test_upload_streams_without_a_length(bench):
    """A chunked request body is taken as it comes."""

    async def body():
        yield b'--B\r\nContent-Disposition: form-data; name="attributes"\r\n\r\n'
        yield json.dumps({"name": "s", "parent": {"id": "0"}}).encode()
        yield b'\r\n--B\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
        for _ in range(20):
            yield b"y" * 100_000
        yield b"\r\n--B--\r\n"

    response: httpx.Response = await bench.ask(
        "POST",
        f"{UPLOAD}/files/content",
        bench.developer_token,
        content=body(),
        headers={"Content-Type": "multipart/form-data; boundary=B"},
    )
    assert response.json()["entries"][0]["size"] == 2_000_000
