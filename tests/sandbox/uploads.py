"""Files sent to the sandbox in one request."""

import json

UPLOAD = "https://upload.box.com/api/2.0"


async def upload(bench, name, content, parent="0", url=f"{UPLOAD}/files/content"):
    """Send a file as a form, as a client does."""
    attributes = json.dumps({"name": name, "parent": {"id": parent}})
    return await bench.ask(
        "POST",
        url,
        bench.developer_token,
        files={"attributes": (None, attributes), "file": (name, content)},
    )


async def uploaded(bench, name="a.txt", content=b"hello", parent="0"):
    """Send a file that is taken; return what is told of it."""
    response = await upload(bench, name, content, parent)
    assert response.status_code == 201, response.text
    return response.json()["entries"][0]
