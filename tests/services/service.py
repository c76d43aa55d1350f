"""A service that checks tokens on its own, with PyJWT and the keys that the gateway serves.

service.py JWKS_URL ISSUER AUDIENCE CLAIM: prints `PORT n`; answers 200 with the claims, or 401 with the reason.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

URL, ISSUER, AUDIENCE, CLAIM = sys.argv[1:]
KEYS = jwt.PyJWKClient(URL)


class Service(BaseHTTPRequestHandler):
    def do_GET(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            key = KEYS.get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token, key.key, algorithms=["ES256", "EdDSA", "RS256"], issuer=ISSUER, audience=AUDIENCE, options={"require": ["exp", "sub", "jti", CLAIM]}
            )
            status, answer = 200, claims
        except (jwt.InvalidTokenError, jwt.PyJWKClientError) as error:
            status, answer = 401, {"why": type(error).__name__}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(f"PORT {server.server_port}", flush=True)
server.serve_forever()
