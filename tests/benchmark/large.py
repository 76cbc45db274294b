"""Gigabytes through the proxy, up and down, and an upload that is sent again."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from benchmark import meter
from benchmark.contestants import bare
from benchmark.figures import MIB, Column, Section, count, mib, times
from benchmark.lines import MeasureError, Way
from benchmark.origin_process import Origin
from benchmark.programs import BARE, CONNECT, Contestant, serve
from benchmark.stage import Server, Stage

BLOCK = bytes(256 * 1024)
PATIENCE = 120.0


@dataclass(frozen=True)
class Size:
    """How much is sent, each way and again."""

    size: int
    replayed: int


FULL = Size(size=4096 * MIB, replayed=256 * MIB)
QUICK = Size(size=16 * MIB, replayed=8 * MIB)

COLUMNS = (
    Column("", str),
    Column("MiB/s", count),
    Column("of mitmdump's", times),
    Column("CPU s/GiB", lambda value: f"{value:.1f}"),
    Column("memory growth, MiB", mib),
)


def run(stage: Stage, size: Size) -> Iterator[Section]:
    """Send and fetch so much by mitmdump, streaming, and by our own proxy."""
    origin = Origin(stage)
    token = stage.token(stage.config(origin.port, (1, 2)))
    server = Server(origin.process, origin.port, token)
    streaming = ("--set", "stream_large_bodies=1m")
    launch = replace(bare(stage, server, *streaming), name=f"{BARE}, streaming")
    theirs = launch.start(stage)
    ours = serve(stage, origin.port, "-q").start(stage)
    for each in (theirs, ours):
        for warm in (_up, _down):
            warm(each.ways[CONNECT], MIB)
    section = Section(f"{size.size // MIB} MiB, https by CONNECT", COLUMNS)
    for name, move in (("up", _up), ("down", _down)):
        rates = []
        for each in (theirs, ours):
            way = each.ways[CONNECT]
            rate, *rest = _measured(each, size.size, partial(move, way, size.size))
            rates.append(rate)
            section.rows.append([f"{each.name}, {name}", rate, rate / rates[0], *rest])
    origin.tell("revoke")
    before = origin.tell("counts")
    again = partial(_up, ours.ways[CONNECT], size.replayed)
    rate, *rest = _measured(ours, size.replayed, again)
    after = origin.tell("counts")
    if any(after[key] != before[key] + 1 for key in ("issued", "refused")):
        raise MeasureError(f"the upload was not sent twice: {before}, {after}")
    what = f"{size.replayed // MIB} MiB up, sent again after a 401"
    section.rows.append([f"{ours.name}, {what}", rate, None, *rest])
    yield section


def _measured(
    each: Contestant, size: int, move: Callable[[], None]
) -> tuple[float, float | None, float | None]:
    """Return the MiB/s of a transfer, CPU seconds for a GiB, and memory at most."""
    pid = each.process.child.pid
    before = meter.begin_peak(pid) if meter.THERE else None
    used = each.cpu()
    began = time.perf_counter()
    move()
    rate = size / MIB / (time.perf_counter() - began)
    if before is None or used is None:
        return rate, None, None
    cpu = (meter.cpu(pid) - used) / size * 1024 * MIB
    # The kernel's own figures are a little behind each other.
    return rate, cpu, float(max(0, meter.memory(pid).peak - before))


def _up(way: Way, size: int) -> None:
    with _connected(way) as sock:
        length = f"Content-Length: {size}\r\n"
        sock.sendall(way.request("POST", "/2.0/sink", length))
        for left in range(size, 0, -len(BLOCK)):
            sock.sendall(BLOCK[:left])
        answer = b""
        while not answer.endswith(b"}"):
            answer += _received(sock, answer)
    if json.loads(answer.partition(b"\r\n\r\n")[2]) != {"received": size}:
        raise MeasureError(f"the upload did not arrive: {answer[:300]!r}")


def _down(way: Way, size: int) -> None:
    with _connected(way) as sock:
        sock.sendall(way.request("GET", f"/2.0/zeros?size={size}"))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += _received(sock, answer)
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise MeasureError(f"not 200: {answer[:300]!r}")
        got = len(body)
        buffer = bytearray(len(BLOCK))
        while got < size:
            read = sock.recv_into(buffer)
            if not read:
                raise MeasureError(f"{got} bytes came of {size}")
            got += read


def _received(sock: socket.socket, before: bytes) -> bytes:
    piece = sock.recv(65536)
    if not piece:
        raise MeasureError(f"the connection ended after {before[:300]!r}")
    return piece


def _connected(way: Way) -> socket.socket:
    sock = socket.create_connection(way.address, timeout=PATIENCE)
    head = f"CONNECT {way.tunnel} HTTP/1.1\r\nHost: {way.tunnel}\r\n\r\n"
    sock.sendall(head.encode())
    answer = sock.recv(65536)
    if b" 200 " not in answer[:14]:
        raise MeasureError(f"no tunnel: {answer[:300]!r}")
    assert way.tls is not None
    return way.tls.wrap_socket(sock, server_hostname=way.host.partition(":")[0])
