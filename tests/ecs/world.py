"""What the tests run against: AWS's services as moto plays them, ECS as the double plays it, a registry that asks for the
token ECR hands out, a project in a folder, and `cais` as a user types it."""
import contextlib
import json
import logging
import os
import pathlib
import pty
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import boto3
import moto.server

import double

# moto prints a trace for each call that it does not know (IAM's simulation); the tests see the answer.
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)

REGION, ACCOUNT = double.REGION, double.ACCOUNT
CAIS = os.environ.get("CAIS_BIN") or str(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "debug" / "cais")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "planted-access-key", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true"}


def skip(test, reason):
    """Says that a test cannot run here, where people and CI look."""
    line = f"SKIPPED tests/ecs {test}: {reason}\n"
    sys.stderr.write(line)
    if os.environ.get("CAIS_SKIPPED"):
        with open(os.environ["CAIS_SKIPPED"], "a", encoding="utf-8") as file:
            file.write(line)


class Ran:
    """What a command answered."""

    def __init__(self, command, code, out, err, seconds):
        self.command, self.code, self.out, self.err, self.seconds = command, code, out, err, seconds

    def __str__(self):
        return f"`{self.command}` ended with {self.code} after {self.seconds:.1f} s\n--- out\n{self.out}\n--- err\n{self.err}"


class World:
    moto_url = None

    def __init__(self, services, compose, cluster="shop-staging", **seed):
        if not World.moto_url:
            server = moto.server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
            server.start()
            World.moto_url = "http://%s:%s" % server.get_host_and_port()
        self.cluster = cluster
        self.project, self.environment = cluster.rsplit("-", 1)
        self.ecs, self.ecs_url = double.serve({"cluster": cluster, "services": services, **seed})
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="cais-ecs-"))
        self.folder = self.root / "project"
        self.folder.mkdir()
        for name in ("home", "state", "run", "config"):
            (self.root / name).mkdir(mode=0o700)
        self.write("compose.yaml", f"name: {self.project}\n{compose}")
        self.write(f"compose.{self.environment}.yaml", "services: {}\n")
        self.bucket = f"{cluster}-state-{ACCOUNT}"
        self.client("s3").create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.variables = {}
        self.said = ""

    def close(self):
        s3 = self.client("s3")
        for one in s3.list_objects_v2(Bucket=self.bucket).get("Contents", []):
            s3.delete_object(Bucket=self.bucket, Key=one["Key"])
        s3.delete_bucket(Bucket=self.bucket)
        shutil.rmtree(self.root)

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def client(self, service):
        keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"], "region_name": REGION}
        return boto3.client(service, endpoint_url=self.ecs_url if service == "ecs" else World.moto_url, **keys)

    def environ(self):
        return KEYS | {
            "PATH": os.environ["PATH"], "HOME": str(self.root / "home"), "XDG_STATE_HOME": str(self.root / "state"), "XDG_RUNTIME_DIR": str(self.root / "run"),
            "XDG_CONFIG_HOME": str(self.root / "config"), "AWS_ENDPOINT_URL": World.moto_url, "AWS_ENDPOINT_URL_ECS": self.ecs_url,
            "AWS_ENDPOINT_URL_SERVICE_QUOTAS": self.ecs_url, "TERM": "xterm-256color",
        } | self.variables

    def start(self, words, **more):
        return subprocess.Popen([CAIS, *words.split()], cwd=self.folder, env=self.environ() | more.pop("env", {}), stdin=more.pop("stdin", subprocess.DEVNULL),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def cais(self, words, sent=None, env=None):
        """Runs `cais` to its end."""
        began = time.monotonic()
        child = self.start(words, stdin=subprocess.PIPE if sent is not None else subprocess.DEVNULL, env=env or {})
        out, err = child.communicate(sent, timeout=120)
        self.said += out + err
        return Ran(f"cais {words}", child.returncode, out, err, time.monotonic() - began)

    @contextlib.contextmanager
    def terminal(self, words):
        """`cais` on a terminal of its own, as a person types it."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(CAIS, [CAIS, *words.split()], self.environ())
        yield Terminal(pid, terminal)

    def called(self, operation):
        return [call for call in self.ecs.calls if call["operation"] == operation]


class Terminal:
    def __init__(self, pid, terminal):
        self.pid, self.terminal, self.text, self.code = pid, terminal, "", None

    def until(self, done, seconds=60):
        """Reads what is shown until `done(text)`, or until the command ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done(self.text):
            if select.select([self.terminal], [], [], 0.05)[0]:
                try:
                    data = os.read(self.terminal, 4096)
                except OSError:
                    data = b""
                if not data:
                    break
                self.text += data.decode(errors="replace")
        return self.text

    def press(self, key):
        os.write(self.terminal, key)

    def ended(self, seconds=60):
        self.until(lambda _: False, seconds)
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        os.close(self.terminal)
        return self.code


class Registry:
    """Debian's docker-registry, which lets in whoever has ECR's token as moto gives it out, or others."""

    def __init__(self, root, users=None, tls=None):
        self.port = free_port()
        users = users or {"AWS": f"{ACCOUNT}-auth-token"}
        self.login = "%s:%s" % next(iter(users.items()))
        (root / "htpasswd").write_text("".join(f"{user}:{bcrypt(password)}\n" for user, password in users.items()))
        (root / "registry.yml").write_text(json.dumps({
            "version": 0.1, "log": {"level": "error"}, "storage": {"filesystem": {"rootdirectory": str(root / "registry")}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}"} | ({"tls": tls} if tls else {}), "auth": {"htpasswd": {"realm": "ecr", "path": str(root / "htpasswd")}}}))
        self.child = subprocess.Popen(["docker-registry", "serve", str(root / "registry.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: is_open(self.port), "the registry")

    def close(self):
        self.child.terminate()
        self.child.wait()


def bcrypt(password):
    """One line of an htpasswd file; the registry takes nothing but bcrypt."""
    import bcrypt as library

    return library.hashpw(password.encode(), library.gensalt(4)).decode()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_open(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def wait_for(done, what, seconds=30):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"{what} does not come")
        time.sleep(0.05)
