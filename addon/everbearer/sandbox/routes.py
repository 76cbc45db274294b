"""The table of all calls: what is not here is answered 501."""

from everbearer.sandbox.api import (
    authorization,
    consent,
    downloads,
    events,
    files,
    folders,
    upload_sessions,
    uploads,
    users,
)
from everbearer.sandbox.routing import Access, Handler, Route, Site, Takes

# Any of these lets a downscoped token make the call (DOC `tokens/scopes.md`).
READ = frozenset({"base_explorer", "base_preview", "base_picker", "root_readonly"})
READ_ALL = READ | {"root_readwrite"}
DOWNLOAD = frozenset({"item_download", "root_readonly", "root_readwrite"})
UPLOAD = frozenset({"item_upload", "base_upload", "root_readwrite"})
RENAME = frozenset({"item_rename", "root_readwrite"})
DELETE = frozenset({"item_delete", "root_readwrite"})


def _api(
    method: str,
    path: str,
    handler: Handler,
    scopes: frozenset[str] = frozenset(),
    access: Access = Access.BEARER,
) -> tuple[Site, Route]:
    return Site.API, Route(method, f"/2.0{path}", handler, access, scopes=scopes)


def _upload(
    method: str, path: str, handler: Handler, takes: Takes = Takes.BUFFER
) -> tuple[Site, Route]:
    route = Route(method, f"/api/2.0{path}", handler, takes=takes, scopes=UPLOAD)
    return Site.UPLOAD, route


def _open(site: Site, method: str, path: str, handler: Handler) -> tuple[Site, Route]:
    return site, Route(method, path, handler, Access.OPEN)


_SESSION = "/files/upload_sessions/*"
_REPRESENTATION = "/api/2.0/internal_files/*/versions/*/representations/text/content/"

BOX_CALLS: list[tuple[Site, Route]] = [
    _open(Site.API, "POST", "/oauth2/token", authorization.token),
    _open(Site.API, "POST", "/oauth2/revoke", authorization.revoke),
    _open(Site.ACCOUNT, "GET", "/api/oauth2/authorize", consent.page),
    _open(Site.ACCOUNT, "POST", "/api/oauth2/authorize", consent.decide),
    _api("GET", "/users/me", users.me, READ_ALL),
    _api("GET", "/users/*", users.user),
    _api("POST", "/folders", folders.create, UPLOAD),
    _api("GET", "/folders/*", folders.get, READ_ALL),
    _api("GET", "/folders/*/items", folders.items, READ_ALL),
    _api("PUT", "/folders/*", folders.update, RENAME),
    _api("DELETE", "/folders/*", folders.delete, DELETE),
    # Before "/files/*": a preflight names no file.
    _api("OPTIONS", "/files/content", uploads.preflight, UPLOAD),
    # As rclone asks it.
    _api("OPTIONS", "/files/content/", uploads.preflight, UPLOAD),
    _api("OPTIONS", "/files/*/content", uploads.preflight, UPLOAD),
    _api("GET", "/files/*", files.get, READ_ALL),
    _api("PUT", "/files/*", files.update, RENAME),
    _api("DELETE", "/files/*", files.delete, DELETE),
    _api("POST", "/files/*/copy", files.copy, UPLOAD),
    _api(
        "GET",
        "/files/*/content",
        downloads.redirect,
        DOWNLOAD,
        Access.BEARER_OR_QUERY,
    ),
    _api("POST", "/zip_downloads", downloads.new_zip, DOWNLOAD),
    _api("GET", "/zip_downloads/*/status", downloads.zip_status, DOWNLOAD),
    _api("GET", "/events", events.get),
    _api("OPTIONS", "/events", events.realtime_server),
    _upload("POST", "/files/content", uploads.new_file, Takes.FORM_UPLOAD),
    _upload("POST", "/files/*/content", uploads.new_version, Takes.FORM_UPLOAD),
    _upload("POST", "/files/upload_sessions", upload_sessions.create),
    _upload("POST", "/files/*/upload_sessions", upload_sessions.create_for_version),
    _upload("GET", _SESSION, upload_sessions.get),
    _upload("PUT", _SESSION, upload_sessions.upload_part, Takes.PART),
    _upload("GET", f"{_SESSION}/parts", upload_sessions.list_parts),
    _upload("POST", f"{_SESSION}/commit", upload_sessions.commit),
    _upload("DELETE", _SESSION, upload_sessions.abort),
    _open(Site.DOWNLOAD, "GET", "/d/1/*/download", downloads.signed),
    _open(Site.DOWNLOAD, "GET", "/2.0/zip_downloads/*/content", downloads.signed),
    (
        Site.DOWNLOAD,
        Route("GET", _REPRESENTATION, downloads.representation, scopes=DOWNLOAD),
    ),
    _open(Site.REALTIME, "GET", "/subscribe", events.subscribe),
]
