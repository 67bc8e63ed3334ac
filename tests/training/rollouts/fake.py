"""Servers for rollouts: they draw by a rule, load what they are told to, and know their version."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Draw = Callable[[str, random.Random], tuple[list[int], str]]
"""Of a question: the completion's ids, and its text."""


@dataclass
class FakeServer:
    """One choice's draw depends on its question, its seed and its number alone.

    busy: so many requests are refused first. stale: loads change nothing.
    """

    draw: Draw
    version: str = "run/v1"
    busy: int = 0
    stale: bool = False
    injected: list[dict[str, Any]] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.busy:
            self.busy -= 1
            error = {"error": {"message": "busy"}}
            return httpx.Response(503, headers={"Retry-After": "0"}, json=error)
        body = json.loads(request.content)
        if request.url.path == "/v1/checkpoints/load":
            self.loads.append(body["version"])
            if not self.stale:
                self.version = f"{body['name']}/{body['version']}"
            return httpx.Response(200, json={})
        self.asked.append(body)
        choices = [self._choice(body, number) for number in range(body["n"])]
        told = {"system_fingerprint": self.version, "prompt_token_ids": [1, 2, 3]}
        return httpx.Response(200, json={**told, "choices": choices})

    def _choice(self, body: dict[str, Any], number: int) -> dict[str, Any]:
        question = body["messages"][0]["content"]
        ids, text = self.draw(question, random.Random(f"{question}:{body['seed']}:{number}"))
        return {
            "index": number,
            "message": {"content": text},
            "finish_reason": "stop",
            "thinking": {"injected": self.injected},
            "token_ids": ids,
        }


@contextmanager
def listening(fake: FakeServer) -> Iterator[str]:
    """Its URL, for processes that are not the test's own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            url = httpx.URL("http://fake").copy_with(path=self.path)
            said = fake.transport.handle_request(httpx.Request("POST", url, content=body))
            self.send_response(said.status_code)
            self.send_header("Content-Length", str(len(said.content)))
            self.end_headers()
            self.wfile.write(said.content)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that was killed is no error of the server's."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
