"""Chunked uploads, against box-facts section 3."""

import hashlib
from base64 import b64encode

import pytest

from everbearer.sandbox.content import synthetic
from everbearer.sandbox.sessions import PART_SIZE
from sandbox.uploads import UPLOAD, uploaded


class Chunked:
    """A chunked upload through the addresses that the session names."""

    def __init__(self, bench, content):
        self.bench = bench
        self.content = content
        self.session = {}

    async def open(self, token):
        """Create the session."""
        response = await self.bench.ask(
            "POST",
            f"{UPLOAD}/files/upload_sessions",
            token,
            json={
                "folder_id": "0",
                "file_name": "big",
                "file_size": len(self.content),
            },
        )
        self.session = response.json()
        return response

    async def put(self, token, number, digest=None):
        """Send one part."""
        start = number * PART_SIZE
        part = self.content[start : start + PART_SIZE]
        sha1 = digest or b64encode(hashlib.sha1(part).digest()).decode()
        end, size = start + len(part) - 1, len(self.content)
        return await self.bench.ask(
            "PUT",
            self.session["session_endpoints"]["upload_part"],
            token,
            content=part,
            headers={
                "Content-Range": f"bytes {start}-{end}/{size}",
                "Digest": f"sha={sha1}",
            },
        )

    async def commit(self, token, content=None):
        """Commit what the session lists."""
        endpoints = self.session["session_endpoints"]
        listed = await self.bench.ask("GET", endpoints["list_parts"], token)
        sha1 = hashlib.sha1(content or self.content).digest()
        return await self.bench.ask(
            "POST",
            endpoints["commit"],
            token,
            json={"parts": listed.json()["entries"]},
            headers={"Digest": f"sha={b64encode(sha1).decode()}"},
        )


@pytest.fixture(scope="module")
def big():
    """Return a file large enough for three parts."""
    return b"".join(synthetic(20_000_001).chunks())


async def test_chunked_upload_in_any_order_with_tokens_that_change(bench, big):
    """Section 3: sessions outlive a token; parts come in any order."""
    chunked = Chunked(bench, big)
    await chunked.open(await bench.service_token())
    for number in (2, 0, 1):
        response = await chunked.put(await bench.service_token(), number)
        assert response.status_code == 200, response.text
    done = await chunked.commit(await bench.service_token())
    assert done.status_code == 201
    assert done.json()["entries"][0]["sha1"] == hashlib.sha1(big).hexdigest()


async def test_accepted_part_cannot_be_sent_again(bench, big):
    """Section 3: `range_overlaps_existing_part`; a replay after success is seen."""
    chunked, token = Chunked(bench, big), bench.developer_token
    await chunked.open(token)
    await chunked.put(token, 0)
    again = await chunked.put(token, 0)
    assert (again.status_code, again.json()["code"]) == (
        409,
        "range_overlaps_existing_part",
    )


async def test_part_and_whole_must_have_their_digests(bench, big):
    """Section 3: `Digest: sha=` of each part and of the whole file."""
    chunked, token = Chunked(bench, big), bench.developer_token
    await chunked.open(token)
    wrong = b64encode(hashlib.sha1(b"other").digest()).decode()
    assert (await chunked.put(token, 0, wrong)).status_code == 412
    for number in range(3):
        assert (await chunked.put(token, number)).status_code == 200
    assert (await chunked.commit(token, b"other")).status_code == 412


async def test_chunked_upload_of_a_new_version(bench, big):
    """OAS: an upload session for an existing file replaces its content."""
    file, token = await uploaded(bench), bench.developer_token
    chunked = Chunked(bench, big)
    url = f"{UPLOAD}/files/{file['id']}/upload_sessions"
    opened = await bench.ask("POST", url, token, json={"file_size": len(big)})
    chunked.session = opened.json()
    for number in range(3):
        await chunked.put(token, number)
    status = chunked.session["session_endpoints"]["status"]
    progress = await bench.ask("GET", status, token)
    assert progress.json()["num_parts_processed"] == 3
    done = (await chunked.commit(token)).json()["entries"][0]
    assert (done["id"], done["size"], done["etag"]) == (file["id"], len(big), "1")


@pytest.mark.parametrize(
    "content_range",
    ["", "bytes 0-9/20000001", "bytes 5-8388612/20000001", "bytes 0-8388607/9"],
)
async def test_part_must_lie_where_the_session_has_one(bench, big, content_range):
    """OAS: 416 for a range that does not match the session."""
    chunked, token = Chunked(bench, big), bench.developer_token
    await chunked.open(token)
    response = await bench.ask(
        "PUT",
        chunked.session["session_endpoints"]["upload_part"],
        token,
        content=b"x",
        headers={"Content-Range": content_range},
    )
    assert response.status_code == 416


async def test_incomplete_session_is_not_committed(bench, big):
    """A file is made of all its parts."""
    chunked, token = Chunked(bench, big), bench.developer_token
    await chunked.open(token)
    await chunked.put(token, 0)
    assert (await chunked.commit(token)).status_code == 400


async def test_session_belongs_to_its_user(bench, big):
    """Section 3: "only the user who initiated the session": 403 forbidden."""
    chunked = Chunked(bench, big)
    await chunked.open(bench.developer_token)
    other = await chunked.put(await bench.service_token(), 0)
    assert (other.status_code, other.json()["code"]) == (403, "forbidden")


async def test_session_ends_after_seven_days_or_when_aborted(bench, big):
    """Section 3: session 7 days."""
    token = bench.developer_token
    aborted = Chunked(bench, big)
    await aborted.open(token)
    endpoint = aborted.session["session_endpoints"]["abort"]
    assert (await bench.ask("DELETE", endpoint, token)).status_code == 204
    assert (await aborted.put(token, 0)).status_code == 404
    late = Chunked(bench, big)
    await late.open(await bench.service_token())
    bench.clock.now += 7 * 24 * 3600
    assert (await late.put(await bench.service_token(), 0)).status_code == 404


async def test_chunked_upload_is_for_large_files(bench):
    """Section 3: files of 20 MB and more."""
    response = await Chunked(bench, b"small").open(bench.developer_token)
    assert response.status_code == 400
