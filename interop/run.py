"""Compares gatekey with JWT libraries, both ways round: interop/run [--vectors]

Each library mints a fixed list of tokens, good and bad; `gatekey explain` must come to the decision and
the reason that the list names. Then `gatekey mint` makes tokens, and each library must accept the good
ones, read the same claims, and refuse the bad ones. The command is $GATEKEY, else target/release/gatekey.
With --vectors the lists are minted without a clock and written to interop/vectors instead.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT.parent / "target")).resolve()
HOME = TARGET / "interop"
GATEKEY = os.environ.get("GATEKEY", str(TARGET / "release" / "gatekey"))
POLICY = ROOT / "policy.json"
KEYS = ROOT.parent / "tests" / "keys"


def call(*words, text=None, **options):
    """Runs a command; what it prints. It must succeed."""
    done = subprocess.run([str(word) for word in words], input=text, stdout=subprocess.PIPE, encoding="utf-8", **options)
    if done.returncode:
        raise SystemExit(f"INTEROP FAILED: {words[0]} exited with {done.returncode}: {' '.join(map(str, words[1:]))}")
    return done.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines() if line]


class Npm:
    name = "npm jsonwebtoken"
    file = "npm-jsonwebtoken"
    package, script = "jsonwebtoken", "adapter.js"
    tools = ("node", "npm")
    verifies = True
    lacks = ("eddsa",)

    def install(self):
        home = HOME / "npm"
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", self.script):
            shutil.copy(ROOT / "npm" / name, home)
        version = json.loads((home / "package.json").read_text())["dependencies"][self.package]
        installed = home / "node_modules" / self.package / "package.json"
        if not installed.exists() or json.loads(installed.read_text())["version"] != version:
            call("npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", cwd=home)
        self.command = ["node", home / self.script]
        return version


class Jose(Npm):
    name = "npm jose"
    file = "npm-jose"
    package, script = "jose", "jose.mjs"
    lacks = ()


class OpenSsl:
    name = "openssl"
    file = "openssl"
    tools = ("openssl", "python3")
    verifies = False

    def install(self):
        self.command = [sys.executable, ROOT / "openssl" / "adapter.py"]
        return call("openssl", "version").split()[1]


# The signatures under PyJWT.
CRYPTOGRAPHY = "50.0.2"


class Python:
    name = "PyJWT"
    file = "pyjwt"
    tools = ("python3",)
    verifies = True
    lacks = ()

    def install(self):
        pinned = ROOT / "python" / "requirements.txt"
        version = pinned.read_text().split("==")[1].split()[0]
        home = HOME / f"python-{version}-{CRYPTOGRAPHY}"
        if not home.exists():
            new = home.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--root-user-action=ignore"]
            call(*pip, "--requirement", pinned, "--target", new)
            # Its wheels differ from one Python and machine to the next, so there is no one hash to pin.
            call(*[word for word in pip if word != "--require-hashes"], f"cryptography=={CRYPTOGRAPHY}", "--target", new)
            new.rename(home)
        os.environ["PYTHONPATH"] = str(home)
        self.command = [sys.executable, ROOT / "python" / "adapter.py"]
        return version


class Rust:
    name = "crate jsonwebtoken"
    file = "crate-jsonwebtoken"
    tools = ("cargo",)
    verifies = True
    lacks = ()

    def install(self):
        manifest = ROOT / "rust" / "Cargo.toml"
        call("cargo", "build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", HOME / "rust")
        self.command = [HOME / "rust" / "debug" / "gatekey-interop"]
        lock = (ROOT / "rust" / "Cargo.lock").read_text()
        return lock.split('name = "jsonwebtoken"\nversion = "')[1].split('"')[0]


def judged(tokens):
    """What gatekey says of each token."""
    requests = HOME / "requests.jsonl"
    with requests.open("w") as out:
        for token in tokens:
            headers = [["authorization", f"Bearer {token['token']}"]]
            out.write(json.dumps({"id": token["name"], "method": "GET", "path": "/", "headers": headers}) + "\n")
    # The exit status tells whether any was refused, which is what is asked here.
    words = [GATEKEY, "explain", str(POLICY), "--requests", str(requests)]
    done = subprocess.run(words, stdout=subprocess.PIPE, encoding="utf-8")
    return lines(done.stdout)


def forward(library):
    """Tokens of the library, judged by gatekey; how many, and the disagreements."""
    tokens = lines(call(*library.command, "mint", POLICY, KEYS))
    answers = judged(tokens)
    wrong = []
    if [answer["id"] for answer in answers] != [token["name"] for token in tokens]:
        raise SystemExit(f"INTEROP FAILED: gatekey answered {len(answers)} of {len(tokens)} requests")
    for token, answer in zip(tokens, answers):
        said, meant = (answer["decision"], answer["reason"]), (token["decision"], token["reason"])
        if said != meant:
            wrong.append(f"{token['name']}: gatekey says {said}, {library.name} means {meant}")
    return len(tokens), wrong


def mint(issuer, claims, secret=None, alg=None):
    """A token made by gatekey."""
    policy = json.loads(POLICY.read_text())["issuers"][issuer]
    words = [GATEKEY, "mint", "--alg", alg or policy["algorithms"][0], "--claims", json.dumps(claims)]
    env = {**os.environ, "INTEROP_SECRET": secret or policy["secret"]["value"]}
    return call(*words, "--secret-env", "INTEROP_SECRET", env=env).strip()


def own_tokens():
    """Tokens of gatekey: name, issuer, claims, whether the libraries must take it."""
    now = int(time.time())
    listed = []
    for issuer in ("hs256", "hs384", "hs512"):
        claims = {"iss": f"https://{issuer}.interop.test/", "aud": "orders", "sub": "zoë 漢字 \"q\" \\", "iat": now, "exp": now + 600}
        listed += [
            (f"{issuer}", issuer, claims, mint(issuer, claims), True),
            (f"{issuer} audience list", issuer, {**claims, "aud": ["x", "orders"]}, mint(issuer, {**claims, "aud": ["x", "orders"]}), True),
            (f"{issuer} expired", issuer, None, mint(issuer, {**claims, "exp": now - 3600}), False),
            (f"{issuer} early", issuer, None, mint(issuer, {**claims, "nbf": now + 3600}), False),
            (f"{issuer} wrong audience", issuer, None, mint(issuer, {**claims, "aud": "other"}), False),
            (f"{issuer} wrong secret", issuer, None, mint(issuer, claims, secret="another-secret" * 6), False),
        ]
        good = listed[-6][3]
        changed = good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1]
        listed.append((f"{issuer} changed", issuer, None, changed, False))
    for issuer, key in (("es256", "p256"), ("eddsa", "ed25519")):
        claims = {"iss": json.loads(POLICY.read_text())["issuers"][issuer]["issuer"], "aud": "orders", "sub": "zoë", "iat": now, "exp": now + 600}
        good = sign(key, claims)
        listed += [
            (issuer, issuer, claims, good, True),
            (f"{issuer} expired", issuer, None, sign(key, {**claims, "exp": now - 3600}), False),
            (f"{issuer} wrong audience", issuer, None, sign(key, {**claims, "aud": "other"}), False),
            (f"{issuer} of a stranger", issuer, None, sign(f"{key}_other", claims), False),
            (f"{issuer} changed", issuer, None, good[:-20] + ("A" if good[-20] != "A" else "B") + good[-19:], False),
        ]
    return listed


def sign(key, claims):
    """A token made by gatekey with a private key."""
    return call(GATEKEY, "mint", "--private-key", KEYS / f"{key}.pem", "--type", "at+jwt", "--claims", json.dumps(claims)).strip()


def backward(library, listed):
    """gatekey's tokens, judged by the library; how many, and the disagreements."""
    asked = "".join(json.dumps({"name": name, "issuer": issuer, "token": token}) + "\n" for name, issuer, _, token, _ in listed)
    answers = lines(call(*library.command, "verify", POLICY, KEYS, text=asked))
    wrong = []
    if [answer["name"] for answer in answers] != [name for name, *_ in listed]:
        raise SystemExit(f"INTEROP FAILED: {library.name} answered {len(answers)} of {len(listed)} tokens")
    for (name, _, claims, _, good), answer in zip(listed, answers):
        if (answer["claims"] is not None) != good:
            wrong.append(f"gatekey's {name}: {library.name} says {answer.get('why', 'good')}")
        elif good and answer["claims"] != claims:
            wrong.append(f"gatekey's {name}: {library.name} reads {answer['claims']}")
    return len(listed), wrong


def write_vectors(library, version):
    tokens = lines(call(*library.command, "vectors", POLICY, KEYS))
    path = ROOT / "vectors" / f"{library.file}.json"
    path.write_text(json.dumps({"library": f"{library.name} {version}", "tokens": tokens}, indent=1, ensure_ascii=False) + "\n")
    print(f"{path}: {len(tokens)} tokens")


def main():
    HOME.mkdir(parents=True, exist_ok=True)
    vectors = sys.argv[1:] == ["--vectors"]
    if sys.argv[1:] and not vectors:
        raise SystemExit("usage: interop/run [--vectors]")
    if not vectors and not os.access(GATEKEY, os.X_OK):
        raise SystemExit(f"INTEROP FAILED: {GATEKEY} is missing; build it with `cargo build --release --features cli`")
    listed = [] if vectors else own_tokens()
    failed = False
    for library in (Npm(), Jose(), Python(), Rust(), OpenSsl()):
        missing = [tool for tool in library.tools if shutil.which(tool) is None]
        if library.file == "pyjwt" and subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
            missing.append("pip")
        if missing:
            print(f"INTEROP SKIPPED {library.name}: {' and '.join(missing)} missing", flush=True)
            continue
        version = library.install()
        if vectors:
            write_vectors(library, version)
            continue
        theirs, wrong = forward(library)
        listed_here = [one for one in listed if library.verifies and one[1] not in library.lacks]
        ours, wrong_back = backward(library, listed_here) if library.verifies else (0, [])
        for line in wrong + wrong_back:
            print(f"INTEROP DISAGREES {line}", flush=True)
        if wrong or wrong_back:
            failed = True
        else:
            print(f"INTEROP {library.name} {version}: {theirs} tokens agreed, and {ours} tokens of gatekey", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
