#!/usr/bin/env python3
"""A small service for the demo: answers every request with what it saw, as JSON.

upstream.py [ADDRESS:PORT]        (default 127.0.0.1:8080)
"""

import http.server
import json
import sys


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers method, path and headers of the request."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {name: ", ".join(values) for name, values in headers.items()},
        }
        body = (json.dumps(seen, indent=2) + "\n").encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, *args):
        """Envoy's access log says enough."""


def server(address="127.0.0.1", port=0):
    """A threaded server, bound and not yet serving; its port is `server_address[1]`."""
    http.server.ThreadingHTTPServer.daemon_threads = True
    return http.server.ThreadingHTTPServer((address, port), Echo)


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8080"
    host, _, number = where.rpartition(":")
    service = server(host, int(number))
    print("upstream on http://%s:%d" % service.server_address[:2], flush=True)
    try:
        service.serve_forever()
    except KeyboardInterrupt:
        pass
