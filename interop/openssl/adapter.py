"""Tokens signed by the command openssl: `mint` and `vectors` (the same without a clock), one JSON line per token."""

import base64
import json
import subprocess
import sys
import tempfile
import time

COMMAND, POLICY, KEYS = sys.argv[1:4]
ISSUERS = json.load(open(POLICY, encoding="utf-8"))["issuers"]
FIXED = COMMAND == "vectors"
BEGIN, FAR = 1767225600, 4102444800  # 2026-01-01, 2100-01-01
NOW = BEGIN if FIXED else int(time.time())
KEY = {"ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519"}
LENGTH = {"ES256": 32, "ES384": 48, "ES512": 66}


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def raw(der, length):
    """r and s of a DER signature, each as long as JWS wants it."""

    def number(at):
        size = der[at + 1]
        return int.from_bytes(der[at + 2 : at + 2 + size], "big").to_bytes(length, "big"), at + 2 + size

    at = 3 if der[1] & 0x80 else 2
    r, at = number(at)
    s, _ = number(at)
    return r + s


def openssl(*words, text):
    return subprocess.run(["openssl", *words], input=text, stdout=subprocess.PIPE, check=True).stdout


def sign(alg, key, text):
    path = f"{KEYS}/{key}.pem"
    if alg == "EdDSA":
        with tempfile.NamedTemporaryFile() as file:
            file.write(text)
            file.flush()
            return openssl("pkeyutl", "-sign", "-inkey", path, "-rawin", "-in", file.name, text=b"")
    pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if alg.startswith("PS") else []
    signature = openssl("dgst", f"-sha{alg[2:]}", "-sign", path, *pss, text=text)
    return raw(signature, LENGTH[alg]) if alg in LENGTH else signature


def token(issuer, alg, stranger=""):
    claims = {"iss": ISSUERS[issuer]["issuer"], "aud": "orders", "sub": "alice", "iat": NOW, "exp": FAR if FIXED else NOW + 3600}
    signed = b64(json.dumps({"alg": alg}).encode()) + "." + b64(json.dumps(claims).encode())
    return signed + "." + b64(sign(alg, KEY.get(alg, "rsa2048") + stranger, signed.encode()))


def say(name, text, reason=None):
    print(json.dumps({"name": name, "token": text, "decision": "deny" if reason else "allow", "reason": reason}))


for issuer in [name for name in ISSUERS if "pem" in ISSUERS[name]]:
    alg = ISSUERS[issuer]["algorithms"][0]
    say(alg, token(issuer, alg))
    say(f"{alg} of a stranger", token(issuer, alg, "_other"), "signature_invalid")
