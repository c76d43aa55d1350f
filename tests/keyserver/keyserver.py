#!/usr/bin/env python3
"""A key server that can have every kind of bad hour.

keyserver.py [PORT]    on loopback; PORT 0, the default, is any; prints `PORT n`, serves until stdin closes

What it serves is set from outside:
  PUT /control/document?path=/jwks.json   the body is the text at that path
  PUT /control/mode                       ok, fail, stall, slow:MS, garbage, big, many, empty, redirect, truncated,
                                          reset, html or deep; for ranges norange, weak, wander, shift or cut
  PUT /control/reset                      forgets what was counted
  GET /control/count                      {"total", "requests": [{"path", "time", "if_none_match", "status", "range"}]}

A POST of a form with a token (RFC 7662) is answered with the document at the path and the token, such as
/introspect/TOKEN, else with {"active":false}; what was posted is noted as path?form, and who posted it in if_none_match.

In the modes ok and slow every document has an entity tag, whoever shows it is answered 304, and parts of it can be had
(RFC 9110 section 14). In the modes for ranges there are none (norange), or the entity tag is weak, another one each time
(wander), a part is another than the one asked for (shift), or the document ends before its end (cut).
"""

import hashlib
import http.server
import json
import os
import sys
import threading
import time
import urllib.parse

ELSEWHERE = "/elsewhere"
STALL = 30  # seconds; a client has long given up by then


class State:
    """What is served, and what was asked for."""

    def __init__(self):
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.documents = {}
        self.mode = "ok"
        self.requests = []

    def note(self, path, tag, status, part=None):
        with self.lock:
            self.requests.append(
                {"path": path, "time": time.time(), "if_none_match": tag, "status": status, "range": part}
            )

    def set_mode(self, mode):
        with self.changed:
            self.mode = mode
            self.changed.notify_all()

    def stall(self):
        """Waits until the mode is another, or nobody can be waiting any more."""
        with self.changed:
            self.changed.wait_for(lambda: self.mode != "stall", timeout=STALL)


STATE = State()
RANGES = ("norange", "weak", "wander", "shift", "cut")


def hostile(mode):
    """Status, headers and body of a bad hour; None for a mode that is none."""
    json_type = [("Content-Type", "application/json")]
    if mode == "fail":
        return 500, [("Content-Type", "text/plain")], b"out of order\n"
    if mode == "garbage":
        return 200, json_type, os.urandom(4096)
    if mode == "big":
        return 200, json_type, b'{"keys":[' + b'{"kty":"EC"},' * 800_000 + b"{}]}"
    if mode == "many":
        keys = [{"kty": "OKP", "crv": "Ed25519", "kid": str(n), "x": "A" * 43} for n in range(10_000)]
        return 200, json_type, json.dumps({"keys": keys}).encode()
    if mode == "empty":
        return 200, json_type, b'{"keys":[]}'
    if mode == "redirect":
        return 302, [("Location", ELSEWHERE)], b""
    if mode == "html":
        return 200, [("Content-Type", "text/html")], b"<html><body>Please sign in</body></html>"
    if mode == "deep":
        return 200, json_type, b"[" * 100_000 + b"]" * 100_000
    return None


def known(mode):
    """Whether there is such a mode: a slip must not look like a good hour."""
    if mode.startswith("slow:"):
        return mode[5:].isdigit()
    return mode in ("ok", "stall", "reset", "truncated", *RANGES) or hostile(mode) is not None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if url.path == "/control/document":
            with STATE.lock:
                etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
                STATE.documents[urllib.parse.parse_qs(url.query)["path"][0]] = body, etag
        elif url.path == "/control/mode" and not known(body.decode()):
            return self.answer(400, [], b"")
        elif url.path == "/control/mode":
            STATE.set_mode(body.decode())
        elif url.path == "/control/reset":
            with STATE.lock:
                STATE.requests.clear()
        else:
            return self.answer(404, [], b"")
        self.answer(204, [], b"")

    def do_GET(self):
        if self.path == "/control/count":
            with STATE.lock:
                counted = {"total": len(STATE.requests), "requests": list(STATE.requests)}
            return self.answer(200, [("Content-Type", "application/json")], json.dumps(counted).encode())
        self.serve(self.path, self.headers.get("If-None-Match"))

    def do_POST(self):
        form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        token = urllib.parse.parse_qs(form).get("token", [""])[0]
        asked = f"{self.path}/{token}"
        self.path += f"?{form}"
        self.serve(asked, self.headers.get("Authorization"), b'{"active":false}')

    def serve(self, path, tag, default=None):
        """Answers with the document at a path, in the way of the hour."""
        mode = STATE.mode
        if mode == "redirect" and self.path == ELSEWHERE:
            # Whoever follows finds good keys, and is found out.
            STATE.note(ELSEWHERE, tag, 200)
            mode, path = "ok", next(iter(STATE.documents), ELSEWHERE)
        if mode in ("stall", "reset"):
            STATE.note(self.path, tag, None)
            if mode == "stall":
                STATE.stall()
            self.close_connection = True
            return None
        if mode == "truncated":
            STATE.note(self.path, tag, 200)
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            # A whole document, but not as long as it was said to be.
            self.wfile.write(STATE.documents.get(path, (b"{}", ""))[0])
            self.close_connection = True
            return None
        if bad := hostile(mode):
            STATE.note(self.path, tag, bad[0])
            return self.answer(*bad)
        if mode.startswith("slow:"):
            time.sleep(int(mode[5:]) / 1000)
        with STATE.lock:
            document = STATE.documents.get(path, default and (default, '"default"'))
        if document is None:
            STATE.note(self.path, tag, 404)
            return self.answer(404, [], b"")
        document, etag = document
        if mode == "cut":
            document, etag = document[: len(document) * 2 // 3], etag[:-1] + '-cut"'
        elif mode == "weak":
            etag = "W/" + etag
        elif mode == "wander":
            etag = f'"{time.time_ns()}"'
        if tag == etag:
            STATE.note(self.path, tag, 304)
            self.send_response(304)
            self.send_header("ETag", etag)
            self.end_headers()
            return None
        headers = [("Content-Type", "application/jwk-set+json"), ("ETag", etag)]
        part, condition = self.headers.get("Range"), self.headers.get("If-Range", etag)
        if part and mode != "norange" and condition == etag:
            first, last = (int(number) for number in part.removeprefix("bytes=").split("-"))
            if mode == "shift":
                first, last = max(0, first - 10), last - 10
            if first >= len(document):
                STATE.note(self.path, tag, 416, part)
                return self.answer(416, [("Content-Range", f"bytes */{len(document)}")], b"")
            last = min(last, len(document) - 1)
            STATE.note(self.path, tag, 206, part)
            headers.append(("Content-Range", f"bytes {first}-{last}/{len(document)}"))
            return self.answer(206, headers, document[first : last + 1])
        STATE.note(self.path, tag, 200, part)
        return self.answer(200, headers, document)


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    print(f"PORT {server.server_address[1]}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Whoever started this holds the other end.
    sys.stdin.read()


if __name__ == "__main__":
    main()
