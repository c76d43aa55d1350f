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
# The policy within envoy.yaml: all that is indented below `value:`.
EMBEDDED = re.compile(r"^( *)value:\n((?:\1 .*\n|\n)+)", re.M)


def gatekey(*args, **env):
    """What the command prints; its complaint ends the program."""
    run = subprocess.run([CLI, *args], env={**os.environ, **env}, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"gatekey {' '.join(args[:2])} failed:\n{run.stdout}{run.stderr}")
    return run.stdout.strip()


def policy(file=POLICY):
    """A policy file as the JSON that it stands for."""
    return json.loads(gatekey("fmt", str(file)))


def variables(policy):
    """The names that secrets of a policy are taken from."""
    if isinstance(policy, dict):
        own = [policy["env"]] if isinstance(policy.get("env"), str) else []
        return sorted({*own, *(name for value in policy.values() for name in variables(value))})
    if isinstance(policy, list):
        return sorted({name for value in policy for name in variables(value)})
    return []


def embed(text):
    """envoy.yaml with this YAML or JSON in place of the policy that it holds."""
    filled, found = EMBEDDED.subn(lambda old: f"{old[1]}value:\n" + textwrap.indent(text, old[1] + "  "), ENVOY.read_text())
    if found != 1:
        raise SystemExit(f"{ENVOY}: expected one policy, found {found}")
    return filled


def config(policy, module, upstream_port, port=0):
    """An Envoy config for loopback: the policy, the module's path, ports (0: any free one)."""
    text = embed(json.dumps(policy, indent=2) + "\n")
    for old, new in [
        ("{ address: 0.0.0.0, port_value: 10000 }", f"{{ address: 127.0.0.1, port_value: {port} }}"),
        ("{ address: 127.0.0.1, port_value: 9901 }", "{ address: 127.0.0.1, port_value: 0 }"),
        ("{ address: 127.0.0.1, port_value: 8080 }", f"{{ address: 127.0.0.1, port_value: {upstream_port} }}"),
        ("filename: /etc/envoy/gatekey.wasm", f'filename: "{module}"'),
        ("host_env_keys: [JWT_SECRET]", f"host_env_keys: {json.dumps(variables(policy))}"),
    ]:
        if text.count(old) != 1:
            raise SystemExit(f"{ENVOY}: expected one {old!r}")
        text = text.replace(old, new)
    return text


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        ENVOY.write_text(embed(POLICY.read_text()))
    elif sys.argv[1:] == ["--check"]:
        if embed(POLICY.read_text()) != ENVOY.read_text():
            raise SystemExit("envoy/envoy.yaml holds an old demo/policy.yaml: run demo/render.py --write")
    else:
        raise SystemExit(__doc__)
