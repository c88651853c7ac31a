"""Answers and faults of a stand-in for Cloudflare's API, its clock, and the HTTP that it speaks."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """An answer of the API, or of something in front of it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, result: object, **more: object) -> "Answer":
        """Return a success."""
        return cls(200, json.dumps({"success": True, "errors": [], "messages": [], "result": result, **more}).encode())

    @classmethod
    def error(cls, status: int, code: int, message: str, *chain: tuple[int, str], **headers: str) -> "Answer":
        """Return a refusal in the API's form."""
        causes = [{"code": c, "message": m} for c, m in chain]
        errors = [{"code": code, "message": message, **({"error_chain": causes} if causes else {})}]
        body = {"success": False, "errors": errors, "messages": [], "result": None}
        return cls(status, json.dumps(body).encode(), {k.replace("_", "-"): v for k, v in headers.items()})


HANG, DIE, LOST = "never answers", "dies before it does anything", "does it, and dies before it answers"
HALF = Answer(200, b'{"success": true, ', {"content-length": "4096"})
RUBBISH = Answer(200, b"<html>Good morning.</html>")
BROKEN = Answer(500, b"<html>Oops</html>")
Fault = str | Answer


class Refusal(Exception):
    """Ends a request with an answer."""

    def __init__(self, *error: Any) -> None:
        super().__init__(error)
        self.answer = Answer.error(*error)


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        """Return the seconds since some moment."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds


def handler(respond: Callable[[str, Mapping[str, str], Json], Answer | None]) -> type[BaseHTTPRequestHandler]:
    """Return what speaks HTTP; ``respond`` takes path, headers and body; None from it just ends the connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _reply(self, body: Json) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = respond(self.path, headers, body)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = "content-length" in answer.headers

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
