"""A stand-in for providers of models: takes one real key in its header, answers whole or as a stream, and remembers.

provider.py: prints `PORT n`; GET /seen lists what came: path, header names that hold keys, and their values.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS = {"authorization": "Bearer sk-real-openai-0123456789", "x-api-key": "sk-ant-real-0123456789"}
PLACES = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
SEEN = []


def openai(model, stream):
    if not stream:
        message = {"role": "assistant", "content": "hello from " + model}
        return [{"id": "c1", "object": "chat.completion", "created": 1, "model": model, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}]
    chunk = lambda delta, end=None: {
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": end}],
    }
    return [chunk({"role": "assistant", "content": ""}), *[chunk({"content": word}) for word in ("one ", "two ", "three")], chunk({}, "stop")]


def anthropic(model, stream):
    message = {"id": "m1", "type": "message", "role": "assistant", "model": model, "stop_reason": None, "stop_sequence": None,
               "usage": {"input_tokens": 1, "output_tokens": 1}, "content": []}
    if not stream:
        return [{**message, "stop_reason": "end_turn", "content": [{"type": "text", "text": "hello from " + model}]}]
    text = lambda words: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        text("one "), text("two "), text("three"),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, json.dumps(SEEN).encode(), "application/json")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        shown = {name: self.headers[name] for name in PLACES if name in self.headers}
        SEEN.append({"path": self.path, "keys": shown, "model": body["model"]})
        place, make = ("x-api-key", anthropic) if self.path.endswith("/messages") else ("authorization", openai)
        if shown != {place: KEYS[place]}:
            return self.answer(401, b'{"error":{"message":"not the real key, or not it alone"}}', "application/json")
        stream = body.get("stream", False)
        parts = make(body["model"], stream)
        if not stream:
            return self.answer(200, json.dumps(parts[0]).encode(), "application/json")
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for part in parts:
            name = f"event: {part['type']}\n" if "type" in part else ""
            self.chunk(f"{name}data: {json.dumps(part)}\n\n")
            time.sleep(0.15)
        if make is openai:
            self.chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, text):
        self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
        self.wfile.flush()

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
print(f"PORT {server.server_port}", flush=True)
server.serve_forever()
