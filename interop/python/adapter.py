"""Tokens of PyJWT: `mint`, `vectors` (the same without a clock) and `verify`, one JSON line per token."""

import json
import sys
from datetime import datetime, timedelta, timezone

import jwt

COMMAND, POLICY, KEYS = sys.argv[1:4]
ISSUERS = json.load(open(POLICY, encoding="utf-8"))["issuers"]
FIXED = COMMAND == "vectors"
FAR = datetime(2100, 1, 1, tzinfo=timezone.utc)
PAST = datetime(2023, 11, 14, tzinfo=timezone.utc)
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
NOW = BEGIN if FIXED else datetime.now(timezone.utc)


def token(name, headers=None, key=None, algorithm=None, **changes):
    """Signs with the key of an issuer; a claim given as None is left out."""
    issuer = ISSUERS[name]
    claims = {"iss": issuer["issuer"], "aud": "orders", "sub": "alice", "iat": NOW, "exp": FAR if FIXED else NOW + timedelta(hours=1)}
    claims.update(changes)
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key if key is not None else issuer["secret"]["value"], algorithm or issuer["algorithms"][0], headers)


def tokens():
    soon = FAR - timedelta(days=1) if FIXED else NOW + timedelta(minutes=10)
    other_secret = "another-secret-0123456789abcdef-0123456789abcdef-0123456789abcdef"
    good = {
        "HS256": token("hs256"),
        "HS384": token("hs384"),
        "HS512": token("hs512"),
        "audience list": token("hs256", aud=["other", "orders"]),
        "kid and typ": token("hs256", {"kid": "key-1", "typ": "at+jwt"}),
        "no typ": token("hs256", {"typ": None}),
        "not before, begun": token("hs384", nbf=NOW - timedelta(seconds=10)),
        "without iat": token("hs256", iat=None),
        "fractions": token("hs256", iat=NOW.timestamp() - 0.25, exp=(FAR if FIXED else NOW + timedelta(hours=1)).timestamp() + 0.75),
        "unicode": token("hs512", sub='zoë 漢字 \U0001f511 "quoted" \\ /', nested={"list": [1, 2.5, True, None]}),
        "secret as octets": token("hs256", key=ISSUERS["hs256"]["secret"]["value"].encode()),
        "unknown header members": token("hs256", {"jku": "https://evil.test/", "x5t": "AA"}),
    }
    bad = {
        "expired": ("token_expired", token("hs256", exp=PAST if FIXED else NOW - timedelta(minutes=1))),
        "wrong audience": ("audience_mismatch", token("hs256", aud=["other", "Orders"])),
        "no audience": ("audience_mismatch", token("hs256", aud=None)),
        "wrong secret": ("signature_invalid", token("hs256", key=other_secret)),
        "not yet valid": ("token_not_yet_valid", token("hs256", nbf=soon)),
        "issued later": ("token_not_yet_valid", token("hs256", iat=soon)),
        "no exp": ("claim_mismatch", token("hs256", exp=None)),
        "other algorithm": ("algorithm_not_allowed", token("hs256", algorithm="HS512")),
        "unknown issuer": ("issuer_unknown", token("hs256", iss="https://HS256.interop.test/")),
        "no issuer": ("issuer_unknown", token("hs256", iss=None)),
        "unsigned": ("token_malformed", token("hs256", key="", algorithm="none")),
        "bound": ("binding_mismatch", token("hs256", cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})),
        "logout token": ("type_mismatch", token("hs256", {"typ": "logout+jwt"})),
        "number for a key id": ("token_malformed", raw_header({"alg": "HS256", "kid": 1})),
    }
    for issuer in [name for name in ISSUERS if "pem" in ISSUERS[name]]:
        alg = ISSUERS[issuer]["algorithms"][0]
        good[alg] = token(issuer, key=private(alg))
        bad[f"{alg} of a stranger"] = ("signature_invalid", token(issuer, key=private(alg, "_other")))
        other = "PS256" if alg == "RS256" else "RS256"
        bad[f"{other} for {alg}"] = ("algorithm_not_allowed", token(issuer, key=private(other), algorithm=other))
    for name, text in good.items():
        yield {"name": name, "token": text, "decision": "allow", "reason": None}
    for name, (reason, text) in bad.items():
        yield {"name": name, "token": text, "decision": "deny", "reason": reason}


def private(alg, stranger=""):
    """The private key that goes with an algorithm, or a stranger's."""
    name = {"ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519"}.get(alg, "rsa2048")
    return open(f"{KEYS}/{name}{stranger}.pem", encoding="utf-8").read()


def raw_header(header):
    """A token whose header the library would not write."""
    from jwt.algorithms import HMACAlgorithm
    from jwt.utils import base64url_encode

    payload = token("hs256").split(".")[1]
    signed = base64url_encode(json.dumps(header).encode()) + b"." + payload.encode()
    key = ISSUERS["hs256"]["secret"]["value"].encode()
    return (signed + b"." + base64url_encode(HMACAlgorithm(HMACAlgorithm.SHA256).sign(signed, key))).decode()


def key_of(issuer):
    """What an issuer's tokens are verified with."""
    return issuer["secret"]["value"] if "secret" in issuer else issuer["pem"]


def verify(line):
    wanted = json.loads(line)
    issuer = ISSUERS[wanted["issuer"]]
    try:
        claims = jwt.decode(
            wanted["token"], key_of(issuer), algorithms=issuer["algorithms"], audience=issuer["audience"], issuer=issuer["issuer"]
        )
        return {"name": wanted["name"], "claims": claims}
    except jwt.InvalidTokenError as error:
        return {"name": wanted["name"], "claims": None, "why": str(error)}


for answer in map(verify, sys.stdin) if COMMAND == "verify" else tokens():
    print(json.dumps(answer))
