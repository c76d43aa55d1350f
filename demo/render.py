#!/usr/bin/env python3
"""Fills envoy/envoy.yaml: puts in demo/policy.yaml, other ports, another module.

render.py --write    renews the copy of demo/policy.yaml in envoy/envoy.yaml
render.py --check    exit 1 if the copy is stale
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
POLICY = ROOT / "demo/policy.yaml"
ENVOY = ROOT / "envoy/envoy.yaml"
CLI = os.environ.get("GATEKEY_CLI", str(ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/gatekey"))
EMBEDDED = re.compile(r"^( *)value: \|\n(?:\1 .*\n)+", re.M)


def gatekey(*args, **env):
    """What the command prints; its complaint ends the program."""
    run = subprocess.run([CLI, *args], env={**os.environ, **env}, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"gatekey {' '.join(args[:2])} failed:\n{run.stdout}{run.stderr}")
    return run.stdout.strip()


def policy():
    """demo/policy.yaml as the JSON that the module reads."""
    return json.loads(gatekey("fmt", str(POLICY)))


ORDER = ["version", "mode", "issuers", "clients", "users", "read", "routes", "upstream", "revoked", "deny"]


def pretty(value, margin=""):
    """JSON for people: what fits a line stays on it, and a policy begins with who may come."""
    flat = json.dumps(value)
    if not isinstance(value, (dict, list)) or (margin and len(margin + flat) <= 76):
        return flat
    deeper = margin + "  "
    if isinstance(value, list):
        inner = [pretty(item, deeper) for item in value]
    else:
        names = sorted(value, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
        inner = [f"{json.dumps(name)}: {pretty(value[name], deeper)}" for name in names]
    start, end = "[]" if isinstance(value, list) else "{}"
    return start + "\n" + ",\n".join(deeper + item for item in inner) + "\n" + margin + end


def embed(policy):
    """The text of envoy.yaml with this policy in place of the one it holds."""

    def value(match):
        block = textwrap.indent(pretty(policy) + "\n", match[1] + "  ")
        return f"{match[1]}value: |\n{block}"

    text, found = EMBEDDED.subn(value, ENVOY.read_text())
    if found != 1:
        raise SystemExit(f"{ENVOY}: expected one policy, found {found}")
    return text


def config(policy, module, upstream_port, port=0):
    """An Envoy config for loopback: the policy, the module's path, ports (0: any free one)."""
    text = embed(policy)
    for old, new in [
        ("{ address: 0.0.0.0, port_value: 10000 }", f"{{ address: 127.0.0.1, port_value: {port} }}"),
        ("{ address: 127.0.0.1, port_value: 9901 }", "{ address: 127.0.0.1, port_value: 0 }"),
        ("{ address: 127.0.0.1, port_value: 8080 }", f"{{ address: 127.0.0.1, port_value: {upstream_port} }}"),
        ("filename: /etc/envoy/gatekey.wasm", f'filename: "{module}"'),
    ]:
        if text.count(old) != 1:
            raise SystemExit(f"{ENVOY}: expected one {old!r}")
        text = text.replace(old, new)
    return text


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        ENVOY.write_text(embed(policy()))
    elif sys.argv[1:] == ["--check"]:
        if embed(policy()) != ENVOY.read_text():
            raise SystemExit("envoy/envoy.yaml holds an old demo/policy.yaml: run demo/render.py --write")
    else:
        raise SystemExit(__doc__)
