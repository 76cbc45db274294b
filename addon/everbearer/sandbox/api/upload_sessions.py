"""Chunked uploads (DOC `uploads/chunked`): create, parts, list, commit, abort."""

import asyncio
import re
from base64 import b64decode
from binascii import Error as Base64Error

from everbearer.sandbox import shapes
from everbearer.sandbox.accounts import opaque
from everbearer.sandbox.api.items import conflict, file_of, folder_of, window
from everbearer.sandbox.api.uploads import (
    UPLOAD_HOST,
    replace_content,
    store,
    uploaded,
)
from everbearer.sandbox.bodies import Part
from everbearer.sandbox.message import Answer, Refused
from everbearer.sandbox.sessions import (
    PART_SIZE,
    SESSION_LIFE,
    SMALLEST_FILE,
    UploadedPart,
    UploadSession,
)
from everbearer.sandbox.tree import File, Folder, NameTaken, free_name, timestamp
from everbearer.sandbox.world import Call

MOST_PARTS_A_PAGE = 1000


def create(call: Call) -> Answer:
    """POST /files/upload_sessions."""
    given = call.request.json()
    folder = folder_of(call, given.get("folder_id"))
    name = str(given.get("file_name", ""))
    try:
        free_name(folder, name)
    except NameTaken as taken:
        raise conflict(taken) from None
    return _open(call, given, folder, name, None)


def create_for_version(call: Call) -> Answer:
    """POST /files/:id/upload_sessions."""
    file = file_of(call, call.args[0])
    return _open(call, call.request.json(), file.parent, file.name, file)


def get(call: Call) -> Answer:
    """GET /files/upload_sessions/:id."""
    return shapes.ok(_to_json(_session(call)))


def upload_part(call: Call) -> Answer:
    """PUT /files/upload_sessions/:id: a part is accepted once and for good."""
    session = _session(call)
    receiver = call.request.received.receiver
    assert isinstance(receiver, Part)
    start, end = _content_range(call, session)
    if call.request.received.length != end - start:
        return shapes.client_error(400, message="Content-Range and length differ")
    if _overlaps(session, start, end):
        return shapes.client_error(
            409, "range_overlaps_existing_part", "Range overlaps existing part"
        )
    content = receiver.finish()
    if _digest(call) != bytes.fromhex(content.sha1):
        return shapes.client_error(412, "digest_mismatch", "Digest does not match")
    part = UploadedPart(opaque(8).upper(), start, content)
    session.parts[start] = part
    return shapes.ok({"part": part.to_json()})


def list_parts(call: Call) -> Answer:
    """GET /files/upload_sessions/:id/parts."""
    parts = _session(call).in_order()
    offset, limit = window(call, len(parts), MOST_PARTS_A_PAGE)
    return shapes.ok(
        {
            "entries": [part.to_json() for part in parts[offset : offset + limit]],
            "total_count": len(parts),
            "offset": offset,
            "limit": limit,
            "order": [{"by": "offset", "direction": "ASC"}],
        }
    )


async def commit(call: Call) -> Answer:
    """POST /files/upload_sessions/:id/commit: all parts, in order, with one SHA-1."""
    session = _session(call)
    listed = call.request.json().get("parts")
    parts = session.in_order()
    expected = [(part.part_id, part.offset, part.content.length) for part in parts]
    if (
        not isinstance(listed, list)
        or [_listed(each) for each in listed] != expected
        or sum(part.content.length for part in parts) != session.size
    ):
        return shapes.client_error(
            400, "bad_request", "The parts are not those that were uploaded"
        )
    digest = _digest(call)
    del call.world.sessions[session.id]
    content = await asyncio.to_thread(
        call.world.contents.joined, [part.content for part in parts]
    )
    if digest != bytes.fromhex(content.sha1):
        return shapes.client_error(412, "digest_mismatch", "Digest does not match")
    if session.replaces is None:
        folder = folder_of(call, session.folder_id)
        return uploaded(call, store(call, folder, session.name, content))
    replace_content(call, session.replaces, content)
    return uploaded(call, session.replaces)


def abort(call: Call) -> Answer:
    """DELETE /files/upload_sessions/:id."""
    session = _session(call)
    session.discard()
    del call.world.sessions[session.id]
    return Answer(204)


def _open(
    call: Call,
    given: dict[str, object],
    folder: Folder,
    name: str,
    replaces: File | None,
) -> Answer:
    size = given.get("file_size")
    if not isinstance(size, int) or size < SMALLEST_FILE:
        return shapes.client_error(
            400,
            "file_size_too_small",
            f"A chunked upload needs a file of at least {SMALLEST_FILE} bytes",
        )
    world = call.world
    session = UploadSession(
        id=opaque(32),
        user_id=call.user.id,
        size=size,
        expires_at=world.clock.now() + SESSION_LIFE,
        folder_id=folder.id,
        name=name,
        replaces=replaces,
    )
    world.sessions[session.id] = session
    return shapes.ok(_to_json(session), 201)


def _session(call: Call) -> UploadSession:
    session = call.world.sessions.get(call.args[0])
    if session is None or session.expires_at <= call.world.clock.now():
        raise Refused(shapes.client_error(404))
    if session.user_id != call.user.id:
        raise Refused(shapes.client_error(403, "forbidden", "Forbidden"))
    return session


def _content_range(call: Call, session: UploadSession) -> tuple[int, int]:
    """Return start and end (exclusive) of a part; raises Refused with 416."""
    match = re.fullmatch(
        r"bytes (\d+)-(\d+)/(\d+)", call.request.fields.get("Content-Range", "")
    )
    if match:
        start, end, size = int(match[1]), int(match[2]) + 1, int(match[3])
        whole = end - start == PART_SIZE or end == session.size
        inside = start < end <= session.size and end - start <= PART_SIZE
        if size == session.size and start % PART_SIZE == 0 and whole and inside:
            return start, end
    raise Refused(shapes.client_error(416, "bad_request", "Content-Range fits no part"))


def _overlaps(session: UploadSession, start: int, end: int) -> bool:
    return any(
        part.offset < end and start < part.offset + part.content.length
        for part in session.parts.values()
    )


def _digest(call: Call) -> bytes:
    """Return the SHA-1 of the field `Digest: sha=BASE64`; raises Refused."""
    name, _, value = call.request.fields.get("Digest", "").partition("=")
    try:
        if name.strip().lower() == "sha":
            return b64decode(value, validate=True)
    except Base64Error:
        pass
    raise Refused(shapes.client_error(400, message="a field 'Digest: sha=…' is needed"))


def _listed(given: object) -> tuple[object, object, object]:
    if not isinstance(given, dict):
        return None, None, None
    return given.get("part_id"), given.get("offset"), given.get("size")


def _to_json(session: UploadSession) -> dict[str, object]:
    root = f"https://{UPLOAD_HOST}/api/2.0/files/upload_sessions/{session.id}"
    return {
        "type": "upload_session",
        "id": session.id,
        "session_expires_at": timestamp(session.expires_at),
        "part_size": PART_SIZE,
        "total_parts": -(-session.size // PART_SIZE),
        "num_parts_processed": len(session.parts),
        "session_endpoints": {
            "upload_part": root,
            "commit": f"{root}/commit",
            "abort": root,
            "list_parts": f"{root}/parts",
            "status": root,
            "log_event": f"{root}/log",
        },
    }
