#!/usr/bin/env python3
"""Nodes of Drumlin on this machine: configuration, start, readiness, end.

tools/run is a build followed by main(); tests/clients use Cluster directly. DIR holds

    keys.json     access key, secret key, cluster secret, number of nodes; made once
    node-I.toml   configuration of node I, written anew at each start
    node-I/       its data
    node-I.log    what it says on standard error
    node-I.pid    its process, also after `restart`
    tls.pem       with TLS: certificate of all nodes, self-signed; made once
    tls.key       and its key
"""

import argparse
import ctypes
import json
import os
import secrets
import shlex
import signal
import socket
import ssl
import string
import subprocess
import sys
import time
import urllib.error
import urllib.request

HOST = "127.0.0.1"
READY_S = 60.0
STOP_S = 10.0
DYING_S = 2.0
PORTS_A_NODE = 10
CERTIFICATE_DAYS = 3650
# No CA: whoever puts the certificate among those that he trusts trusts these addresses and no others.
CERTIFICATE = f"""
[req]
distinguished_name = subject
x509_extensions = extensions
prompt = no
[subject]
CN = drumlin on this machine
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
subjectAltName = IP:{HOST}, IP:::1, DNS:localhost
"""


class ClusterError(Exception):
    """Something for the person at the terminal, in one sentence."""


def write_private(path, text):
    """All or nothing, readable by the owner alone."""
    temporary = path + ".new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(temporary, path)


def load_or_make_keys(data, nodes):
    path = os.path.join(data, "keys.json")
    if os.path.exists(path):
        try:
            with open(path, encoding="utf-8") as f:
                keys = json.load(f)
            made_for = keys["nodes"]
        except (ValueError, KeyError, OSError) as error:
            raise ClusterError(f"cannot read {path}: {error}") from error
        if made_for != nodes:
            raise ClusterError(f"{data} was made for {made_for} node(s), not {nodes}; "
                               f"use --nodes {made_for} or another --data")
        return keys
    if os.path.isdir(data) and os.listdir(data):
        raise ClusterError(f"{data} is not empty and has no keys.json; it is not a directory of tools/run")
    os.makedirs(data, mode=0o700, exist_ok=True)
    letters = string.ascii_uppercase + string.digits
    keys = {
        "access_key": "".join(secrets.choice(letters) for _ in range(20)),
        "secret_key": secrets.token_urlsafe(30),
        "cluster_secret": secrets.token_hex(32),
        "nodes": nodes,
    }
    write_private(path, json.dumps(keys, indent=1) + "\n")
    return keys


def load_or_make_certificate(data):
    """Paths of certificate and key, made by the openssl command if they are not there."""
    certificate, key = os.path.join(data, "tls.pem"), os.path.join(data, "tls.key")
    if os.path.exists(certificate) and os.path.exists(key):
        return certificate, key
    make_certificate(certificate, key)
    return certificate, key


def make_certificate(certificate, key, days=CERTIFICATE_DAYS):
    """A new self-signed pair; the one before is replaced."""
    config = certificate + ".cnf"
    write_private(config, CERTIFICATE)
    write_private(key + ".new", "")  # openssl keeps the mode
    command = ["openssl", "req", "-x509", "-config", config, "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-noenc", "-sha256", "-days", str(days),
               "-keyout", key + ".new", "-out", certificate + ".new"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ClusterError(f"a certificate needs the openssl command: {error}") from error
    os.remove(config)
    if done.returncode != 0:
        raise ClusterError(f"openssl made no certificate: {done.stderr}")
    os.replace(key + ".new", key)
    os.replace(certificate + ".new", certificate)


def toml_value(text):
    """A setting's value from the command line: numbers and booleans as they are, the rest quoted."""
    if text in ("true", "false") or text.lstrip("-").isdigit():
        return text
    return json.dumps(text)


class Process:
    """A daemon by its files: our child, started by another of us, or long dead."""

    def __init__(self, binary, stem):
        self.binary = binary
        self.data, self.config, self.log, self.pid_file = stem, stem + ".toml", stem + ".log", stem + ".pid"
        self.child = None  # if it is ours

    def command(self):
        return [self.binary, "server", "--config", self.config]

    def start(self, detached=False):
        """Starts it and notes its pid. Unless `detached` it ends when we end, however we do."""
        with open(self.log, "ab") as log:
            # A session of its own: Ctrl-C at the terminal reaches us alone, and we end it in order.
            self.child = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True, preexec_fn=None if detached else end_with_parent)
        write_private(self.pid_file, f"{self.child.pid}\n")

    def pid(self):
        """Of the running process, whoever started it; None when it is dead."""
        if self.child is not None and self.child.poll() is None:
            return self.child.pid
        pid = self.noted_pid()
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            return None
        return pid if self.config.encode() in words else None  # a pid may be another's by now

    def noted_pid(self):
        try:
            with open(self.pid_file, encoding="utf-8") as f:
                return int(f.read())
        except (OSError, ValueError):
            return None

    def how_it_ended(self):
        """Of a dead one, as half a sentence."""
        if self.child is None or self.child.poll() is None or self.child.pid != self.noted_pid():
            return "ended"  # only its parent is told more
        status = self.child.returncode
        return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"

    def signal(self, number):
        pid = self.pid()
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        """kill -9, and gone when this returns."""
        self.signal(signal.SIGKILL)
        self.wait_dead(STOP_S)

    def wait_dead(self, timeout):
        deadline = time.monotonic() + timeout
        while self.pid() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def log_tail(self, lines=20):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError as error:
            return f"({error})\n"


class Node(Process):
    """One of a cluster's."""

    def __init__(self, cluster, number):
        super().__init__(cluster.binary, os.path.join(cluster.data, f"node-{number}"))
        self.id = number
        self.cluster = cluster
        base = cluster.port + PORTS_A_NODE * (number - 1)
        self.s3_port, self.api_port, self.peer_port = base, base + 1, base + 2

    @property
    def s3(self):
        return f"{self.cluster.scheme}://{HOST}:{self.s3_port}"

    @property
    def api(self):
        return f"{self.cluster.scheme}://{HOST}:{self.api_port}"

    def description(self):
        """What tools/run says of it."""
        ca = {"ca": self.cluster.ca} if self.cluster.ca else {}
        return {"id": self.id, "s3": self.s3, "api": self.api, **ca, "pid": self.pid(), "data": self.data,
                "restart": self.restart_command()}

    def restart_command(self):
        """A shell line that starts the dead node again, detached, and returns when it is a process."""
        words = ["python3", os.path.abspath(__file__), "--binary", self.binary, "--restart", self.config]
        return " ".join(shlex.quote(word) for word in words)

    def write_config(self):
        c = self.cluster
        sections = {
            "node": {"id": self.id, "data": self.data, "listen": HOST},
            "ports": {"s3": self.s3_port, "api": self.api_port, "peer": self.peer_port},
            "cluster": {"secret": c.keys["cluster_secret"]},
            **({"tls": {"certificate": c.ca, "key": c.tls_key}} if c.ca else {}),
            "auth": {"access_key": c.keys["access_key"], "secret_key": c.keys["secret_key"]},
            "log": {"level": "info"},
        }
        lines = ["# Written by tools/run at each start; changes are lost.\n"]
        extra = {}
        for name, value in c.settings.items():
            section, _, key = name.partition(".")
            extra.setdefault(section, {})[key] = value
        for section in list(sections) + [s for s in extra if s not in sections]:
            lines.append(f"[{section}]\n")
            values = {k: json.dumps(v) for k, v in sections.get(section, {}).items()}
            values.update({k: toml_value(v) for k, v in extra.get(section, {}).items()})
            lines += [f"{key} = {value}\n" for key, value in values.items()]
            if section == "cluster":
                lines.append("nodes = [\n")
                for n in c.nodes:
                    lines.append(f'  {{id = {n.id}, peer = "{HOST}:{n.peer_port}", '
                                 f's3 = "{HOST}:{n.s3_port}", api = "{HOST}:{n.api_port}"}},\n')
                lines.append("]\n")
            lines.append("\n")
        write_private(self.config, "".join(lines))

    def ready(self):
        try:
            with urllib.request.urlopen(self.api + "/health/ready", timeout=2, context=self.cluster.trust()) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


def end_with_parent():
    """In the child before exec: SIGTERM when the process that started it dies, however it dies."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class Cluster:
    def __init__(self, binary, data, nodes=1, port=9000, settings=None, tls=False):
        if nodes < 1:
            raise ClusterError("--nodes must be 1 or more")
        if port < 1 or port + PORTS_A_NODE * (nodes - 1) + 2 > 65535:
            raise ClusterError(f"--port {port} leaves no room for the ports of {nodes} node(s)")
        self.binary = os.path.abspath(binary)
        self.data = os.path.abspath(data)
        self.port = port
        self.settings = settings or {}
        self.keys = load_or_make_keys(self.data, nodes)
        self.ca = self.tls_key = None  # paths; the certificate is its own issuer
        if tls:
            self.ca, self.tls_key = load_or_make_certificate(self.data)
        self.nodes = [Node(self, number) for number in range(1, nodes + 1)]

    @property
    def scheme(self):
        return "https" if self.ca else "http"

    def trust(self):
        """For https with the nodes, and nobody else; None without TLS."""
        return ssl.create_default_context(cafile=self.ca) if self.ca else None

    def check_free(self):
        for node in self.nodes:
            pid = node.pid()
            if pid is not None:
                raise ClusterError(f"node {node.id} of {self.data} is already running (pid {pid})")
        for node in self.nodes:
            for name in ("s3", "api", "peer"):
                port = getattr(node, name + "_port")
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind((HOST, port))
                    except OSError as error:
                        raise ClusterError(f"port {port} ({name} of node {node.id}) cannot be used: "
                                           f"{error.strerror}; choose another --port") from error

    def start(self, timeout=READY_S):
        """Starts every node and returns when each says that it is ready."""
        self.check_free()
        for node in self.nodes:
            node.write_config()
        for node in self.nodes:
            node.start()
        try:
            self.wait_ready(timeout)
        except ClusterError:
            self.stop()
            raise

    def wait_ready(self, timeout=READY_S, nodes=None):
        """Of nodes that were started by anybody. A dead one is an error at once."""
        deadline = time.monotonic() + timeout
        for node in nodes or self.nodes:
            while not node.ready():
                if node.pid() is None:
                    raise ClusterError(f"node {node.id} {node.how_it_ended()}; "
                                       f"the end of {node.log}:\n{node.log_tail()}")
                if time.monotonic() > deadline:
                    raise ClusterError(f"node {node.id} was not ready within {timeout:.0f} s; "
                                       f"the end of {node.log}:\n{node.log_tail()}")
                time.sleep(0.05)

    def stop(self):
        """SIGTERM to all, SIGKILL to what is left after STOP_S. Returns the ids that had to be killed."""
        for node in self.nodes:
            node.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        late = [node for node in self.nodes if not node.wait_dead(max(0.0, deadline - time.monotonic()))]
        for node in late:
            node.kill()
        return [node.id for node in late]


def serve(cluster):
    """Prints what tools/run promises, then waits for Ctrl-C or SIGTERM."""
    asked = []

    def ask(number, _):
        asked.append(number)

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGHUP, ask)
    for node in cluster.nodes:
        print(json.dumps(node.description()))
    keys = cluster.keys
    print(json.dumps({"access_key": keys["access_key"], "secret_key": keys["secret_key"]}))
    print(f"example: AWS_ACCESS_KEY_ID={shlex.quote(keys['access_key'])} "
          f"AWS_SECRET_ACCESS_KEY={shlex.quote(keys['secret_key'])} AWS_DEFAULT_REGION=us-east-1 "
          f"{'AWS_CA_BUNDLE=' + shlex.quote(cluster.ca) + ' ' if cluster.ca else ''}"
          f"aws --endpoint-url {cluster.nodes[0].s3} s3 mb s3://example")
    print("READY", flush=True)

    running = {node.id for node in cluster.nodes}
    while not asked:
        time.sleep(0.1)
        for node in cluster.nodes:
            alive = node.pid() is not None  # also reaps it
            if alive != (node.id in running):
                running ^= {node.id}
                print(f"node {node.id} " + ("runs again" if alive else "ended and stays dead; again with: "
                                            + node.restart_command()), file=sys.stderr, flush=True)
    print("stopping", file=sys.stderr, flush=True)
    killed = cluster.stop()
    for number in killed:
        print(f"node {number} did not stop within {STOP_S:.0f} s and was killed", file=sys.stderr)
    return 1 if killed else 0


def restart(binary, config):
    """What restart_command runs."""
    stem, suffix = os.path.splitext(os.path.abspath(config))
    if suffix != ".toml" or not os.path.exists(config):
        raise ClusterError(f"{config} is no configuration of a node")
    node = Process(os.path.abspath(binary), stem)
    # One that was killed a moment ago may not be gone yet.
    if not node.wait_dead(DYING_S):
        raise ClusterError(f"{os.path.basename(stem)} is running (pid {node.pid()})")
    node.start(detached=True)


def main(arguments):
    parser = argparse.ArgumentParser(prog="tools/run", add_help=False)
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--data", default="drumlin-data")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--restart", metavar="CONFIG", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    settings = {}
    for item in options.set:
        name, equals, value = item.partition("=")
        if not equals or "." not in name:
            parser.error(f"--set wants SECTION.KEY=VALUE, not {item!r}")
        settings[name] = value

    def interrupted(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    cluster = None
    try:
        if options.restart is not None:
            restart(options.binary, options.restart)
            return 0
        cluster = Cluster(options.binary, options.data, options.nodes, options.port, settings, options.tls)
        cluster.start()
        return serve(cluster)
    except ClusterError as error:
        print(f"tools/run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if cluster is not None:
            cluster.stop()
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
