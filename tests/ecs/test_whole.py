"""The example stack's way to ECS and back: build, push, verify, deploy, logs, rollback; and what AWS's own clients read
of what cais made."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

import requests

from test_secrets import Arguments
from world import ACCOUNT, REGION, KEYS, Registry, World, skip

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("CAIS_STATIC_PROGRAMS", "/nowhere"))
PASSWORD = "planted-password-of-thirty-two-c"
# What staging has otherwise, as a person would write it for a static program.
STAGING = """services:
  clock: { x-cais: { image: { artifact: bin/clock, build: "true" } } }
  calendar: { x-cais: { image: { artifact: bin/calendar, build: "true" } } }
"""


class Example(unittest.TestCase):
    """The example in staging, as the infrastructure and a person left it."""

    def setUp(self):
        if not shutil.which("docker-registry"):
            skip("whole", "docker-registry is not installed")
            self.skipTest("no docker-registry")
        if not (PROGRAMS / "clock").exists():
            skip("whole", "the example's static programs are not built")
            self.skipTest("no programs")
        containers = lambda name: [{"name": name, "image": f"registry.example/{name}@sha256:{'0' * 64}", "essential": True,
                                    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": f"/ecs/cais-staging/{name}"}}}]
        self.world = World([{"name": n, "containers": containers(n)} for n in ("clock", "calendar")], "services: {}\n", cluster="cais-staging")
        # What stays in moto would be there in the next test.
        self.addCleanup(requests.post, f"{World.moto_url}/moto-api/reset", timeout=10)
        self.addCleanup(self.world.close)
        self.registry = Registry(self.world.root)
        self.addCleanup(self.registry.close)
        self.world.variables["CAIS_ECR_HOST"] = f"127.0.0.1:{self.registry.port}"
        shutil.copy(REPOSITORY / "compose.yaml", self.world.folder)
        shutil.copy(REPOSITORY / ".env", self.world.folder)
        self.world.write("compose.staging.yaml", STAGING)
        (self.world.folder / "bin").mkdir()
        self.programs()
        self.infrastructure()

    def programs(self, suffix=b""):
        for name in ("clock", "calendar"):
            program = self.world.folder / "bin" / name
            # Without its debug information: a debug build of cais packs 36 MB slowly, and this is not about that.
            subprocess.run(["strip", "-o", program, PROGRAMS / name], check=True)
            program.write_bytes(program.read_bytes() + suffix)
            program.chmod(0o755)

    def infrastructure(self):
        """What Terraform would have made, as far as moto keeps it."""
        world = self.world
        iam, ecr, logs = world.client("iam"), world.client("ecr"), world.client("logs")
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        for name in ("clock", "calendar"):
            ecr.create_repository(repositoryName=f"cais-staging/{name}", imageTagMutability="IMMUTABLE")
            logs.create_log_group(logGroupName=f"/ecs/cais-staging/{name}")
            for duty in ("execution", "task"):
                iam.create_role(RoleName=f"cais-staging-{name}-{duty}", AssumeRolePolicyDocument=trust)


class Whole(Example):
    def test_the_example_goes_to_ecs_and_back(self):
        with Arguments() as seen:
            self.there_and_back()
        for planted in (PASSWORD, f"{ACCOUNT}-auth-token", KEYS["AWS_SECRET_ACCESS_KEY"]):
            self.assertNotIn(planted, self.world.said)
            self.assertFalse(any(planted in text for text in seen.lists), f"{planted} was in an argument list")
            files = [str(path) for path in self.world.root.rglob("*") if path.is_file() and planted.encode() in path.read_bytes()]
            self.assertEqual(files, [])

    def there_and_back(self):
        world = self.world
        ran = world.cais("verify -E staging")
        self.assertEqual(ran.code, 7, ran)
        self.assertIn("`cais/staging/redis_password` has no value", ran.out)
        self.assertEqual(world.cais("secret set -E staging redis_password", sent=PASSWORD).code, 0)
        ran = world.cais("verify -E staging")
        self.assertEqual(ran.code, 0, ran)

        ran = world.cais("deploy -E staging -y --json --poll 100ms clock calendar")
        self.assertEqual(ran.code, 0, ran)
        first = {row["service"]: row for row in json.loads(ran.out)["services"]}
        for name, row in first.items():
            self.assertEqual((row["result"], row["to"]), ("completed", f"cais-staging-{name}:2"), ran)
            self.assertRegex(row["image"], rf"^127\.0\.0\.1:{self.registry.port}/cais-staging/{name}@sha256:[0-9a-f]{{64}}$")
        ran = world.cais("deploy -E staging -y --json --poll 100ms clock calendar")
        self.assertEqual({row["result"] for row in json.loads(ran.out)["services"]}, {"unchanged"}, ran)

        self.read_back(first)
        self.logs()

        self.programs(b"\0another version")
        ran = world.cais("deploy -E staging -y --json --poll 100ms clock")
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(json.loads(ran.out)["services"][0]["to"], "cais-staging-clock:3")
        began = time.monotonic()
        ran = world.cais("rollback -E staging -y --json --poll 100ms clock")
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(json.loads(ran.out)["services"][0]["to"], "cais-staging-clock:2")
        print(f"\n  rollback, watched to its end: {time.monotonic() - began:.1f} s")
        history = json.loads(world.cais("history -E staging --json clock").out)
        self.assertEqual([row["revision"].rsplit(":", 1)[1] for row in history], ["2", "3", "2", "1"])
        ran = world.cais("rollback -E staging -y clock 9")
        self.assertEqual((ran.code, "it ran: 1, 2, 3" in ran.err), (2, True), ran)

        ran = world.cais("scale -E staging -y clock=3")
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(world.client("ecs").describe_services(cluster="cais-staging", services=["clock"])["services"][0]["desiredCount"], 3)
        self.assertEqual(world.ecs.bad, [])

    def read_back(self, rows):
        """boto3 and awscli agree with what cais said."""
        ecs = self.world.client("ecs")
        aws = pathlib.Path(sys.executable).parent / "aws"
        for name, row in rows.items():
            by_boto3 = ecs.describe_task_definition(taskDefinition=row["to"])["taskDefinition"]
            self.assertEqual(by_boto3["containerDefinitions"][0]["image"], row["image"])
            service = ecs.describe_services(cluster="cais-staging", services=[name])["services"][0]
            self.assertEqual(service["taskDefinition"], by_boto3["taskDefinitionArn"])
            said = subprocess.run([sys.executable, aws, "ecs", "describe-task-definition", "--task-definition", row["to"], "--endpoint-url", self.world.ecs_url],
                                  env=KEYS | {"PATH": os.environ["PATH"], "HOME": str(self.world.root)}, capture_output=True, text=True, check=True)
            by_awscli = json.loads(said.stdout)["taskDefinition"]
            self.assertEqual(by_awscli["containerDefinitions"], by_boto3["containerDefinitions"])
            (deployment,) = ecs.describe_service_deployments(serviceDeploymentArns=[row["deployment"]])["serviceDeployments"]
            self.assertEqual(deployment["status"], "SUCCESSFUL")

    def logs(self):
        logs, now = self.world.client("logs"), int(time.time() * 1000)
        for name in ("clock", "calendar"):
            group = f"/ecs/cais-staging/{name}"
            logs.create_log_stream(logGroupName=group, logStreamName=f"{name}/{name}/0a1b2c3d4e5f")
            events = [{"timestamp": now - 50_000 + n * 1000, "message": f"{name} line {n}"} for n in range(30)]
            logs.put_log_events(logGroupName=group, logStreamName=f"{name}/{name}/0a1b2c3d4e5f", logEvents=events)
        ran = self.world.cais("logs -E staging --json")
        self.assertEqual(ran.code, 0, ran)
        lines = [json.loads(line) for line in ran.out.splitlines()]
        self.assertEqual(sorted(line["text"] for line in lines), sorted(f"{name} line {n}" for name in ("clock", "calendar") for n in range(30)))
        self.assertEqual([line["at"] for line in lines], sorted(line["at"] for line in lines))
        ran = self.world.cais("logs -E staging --json --tail 2 clock")
        self.assertEqual([json.loads(line)["text"] for line in ran.out.splitlines()], ["clock line 28", "clock line 29"], ran)
        self.follow(now)

    def follow(self, now):
        """Lines that are written while somebody follows come once each, late ones too."""
        child = self.world.start("logs -E staging -f --json clock")
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        logs = self.world.client("logs")
        wanted = {f"clock line {n}" for n in range(30)} | {f"late {n}" for n in range(20)}
        for n in range(20):
            logs.put_log_events(logGroupName="/ecs/cais-staging/clock", logStreamName="clock/clock/0a1b2c3d4e5f",
                                logEvents=[{"timestamp": now + (n - (n % 3) * 4) * 1000, "message": f"late {n}"}])
            time.sleep(0.3)
        seen = []
        deadline = time.monotonic() + 30
        while set(seen) != wanted and time.monotonic() < deadline:
            seen.append(json.loads(child.stdout.readline())["text"])
        self.assertEqual(sorted(seen), sorted(wanted), "each line once")


if __name__ == "__main__":
    unittest.main()
