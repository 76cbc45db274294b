"""
The Postman environment with which Box's collections run without any secret.

Box publishes two collections, made of box-postman at commit 21e2d65e (2025-01-21):
"classic" and "advanced"; each has a script before its requests that reads variables
of its own. What stands here is what lets both scripts go by.
"""

from __future__ import annotations

from typing import Final

PLACEHOLDER: Final = "<everbearer>"
"""What a request has in place of an access token; never one (RFC 6750 §2.1)."""

_VARIABLES: Final = {
    # A variable of the form {{…}} would be looked up again by Postman; any other
    # placeholder is sent as it is, and everbearer sees that it is no token.
    "access_token": PLACEHOLDER,
    # Advanced: a bearer token that its script leaves alone. Without `expires_at`
    # the script of neither collection holds the token for an expired one, not even
    # where the value would be empty.
    "box_env_type": "BEARER",
    # Classic: two that refresh are one too many.
    "enable_auto_refresh_access_token": "false",
    "api.box.com": "api.box.com",
    "upload.box.com": "upload.box.com",
    "account.box.com": "account.box.com",
    "dl.boxcloud.com": "dl.boxcloud.com",
    # The collections' own variable is called "{box-upload-server}", so that the
    # addresses with {{box-upload-server}} do not find it.
    "box-upload-server": "upload.box.com",
}


def postman_environment() -> dict[str, object]:
    """Return the environment, in the form that Postman and Newman import."""
    return {
        "name": "Box through everbearer",
        "values": [
            {"key": key, "value": value, "type": "default", "enabled": True}
            for key, value in _VARIABLES.items()
        ],
        "_postman_variable_scope": "environment",
    }
