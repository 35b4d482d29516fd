"""What surrounds a deploy: what it would change, whether there is room for it, what changed since a commit, and the end."""
import json
import os
import re
import subprocess
import unittest

from world import ACCOUNT, REGION, World

TERRAFORM = """#!/bin/sh
printf '%s %s %s | %s\\n' "$(date +%s.%N)" "$TF_VAR_state_bucket" "$TF_VAR_image_tag" "$*" >>"$TERRAFORM_LOG"
case "$*" in *" destroy "*) exit "${TERRAFORM_EXIT:-0}" ;; esac
"""


class Preview(unittest.TestCase):
    COMPOSE = ("services:\n  migrate: { image: 'registry.example/migrate:2' }\n  api:\n    image: registry.example/api:2\n    environment: { GREETING: planted-value }\n"
               "    depends_on: { migrate: { condition: service_completed_successfully } }\n  web: { build: . }\n")

    def world(self, cluster):
        world = World([{"name": "api"}], self.COMPOSE, cluster=cluster)
        self.addCleanup(world.close)
        return world

    def test_a_plan_tells_what_a_deploy_would_change_and_changes_nothing(self):
        world = self.world("plan-staging")
        ran = world.cais("plan -E staging --json --exit-code")
        self.assertEqual(ran.code, 6, ran)
        rows = {row["service"]: row for row in json.loads(ran.out)}
        self.assertEqual({name: row["action"] for name, row in rows.items()}, {"migrate": "run", "api": "roll", "web": "missing"}, ran)
        self.assertEqual(rows["api"]["from"], "plan-staging-api:1")
        self.assertTrue(any(change.endswith("→ registry.example/api:2") for change in rows["api"]["changes"]), ran)
        self.assertNotIn("planted-value", ran.out + ran.err)
        changing = [call["operation"] for call in world.ecs.calls if not re.match("Describe|List", call["operation"])]
        self.assertEqual(changing, [])

    def test_after_a_deploy_there_is_nothing_left_to_change(self):
        world = self.world("done-staging")
        world.ecs.register({"family": "done-staging-migrate", "containerDefinitions": [{"name": "migrate", "image": "registry.example/migrate:1", "essential": True}]})
        ran = world.cais("deploy -E staging -y --poll 50ms api")
        self.assertEqual(ran.code, 0, ran)
        ran = world.cais("plan -E staging --exit-code api")
        self.assertEqual((ran.code, "unchanged, done-staging-api:2" in ran.out), (0, True), ran)


class Room(unittest.TestCase):
    def world(self, cluster, **more):
        containers = [{"name": "clock", "image": "registry.example/clock:1", "essential": True}]
        world = World([{"name": "clock", "containers": containers, "desired": 4}], "services:\n  clock: { image: 'registry.example/clock:1' }\n", cluster=cluster, **more)
        self.addCleanup(world.close)
        for definition in world.ecs.definitions.values():
            definition["cpu"] = "1024"
        return world

    def lines(self, world):
        return {line["question"]: line for line in json.loads(world.cais("verify -E staging --json").out)}

    def test_free_addresses_and_the_quota_are_told(self):
        world = self.world("room-staging", vcpus=8.0)
        (subnet,) = world.client("ec2").describe_subnets(Filters=[{"Name": "availability-zone", "Values": [f"{REGION}a"]}])["Subnets"]
        world.ecs.services["clock"]["networkConfiguration"]["awsvpcConfiguration"]["subnets"] = [subnet["SubnetId"]]
        lines = self.lines(world)
        self.assertEqual(lines["subnets"]["answer"], "passed", lines)
        self.assertIn(f"{subnet['SubnetId']} {subnet['AvailableIpAddressCount']}; a deploy starts up to 4 tasks", lines["subnets"]["detail"])
        self.assertEqual(lines["quota of tasks"]["answer"], "passed", lines)
        self.assertIn(f"8 vCPUs on Fargate in {REGION}; this environment takes up to 8", lines["quota of tasks"]["detail"])
        self.assertEqual(world.ecs.bad, [])

    def test_too_little_of_either_fails_with_what_to_do(self):
        world = self.world("tight-staging", vcpus=7.0)
        ec2 = world.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/28")["Subnet"]["SubnetId"]
        for _ in range(8):
            ec2.create_network_interface(SubnetId=subnet)
        world.ecs.services["clock"]["networkConfiguration"]["awsvpcConfiguration"]["subnets"] = [subnet]
        lines = self.lines(world)
        self.assertEqual((lines["subnets"]["answer"], lines["quota of tasks"]["answer"]), ("failed", "failed"), lines)
        self.assertIn("--desired-value 8", lines["quota of tasks"]["help"])

    def test_what_may_not_be_asked_is_unknown_and_no_failure(self):
        lines = self.lines(self.world("shy-staging", vcpus=None))
        self.assertEqual(lines["quota of tasks"]["answer"], "unknown", lines)
        self.assertIn("allow `servicequotas:GetServiceQuota`", lines["quota of tasks"]["help"])


class Changed(unittest.TestCase):
    def test_only_what_changed_since_a_commit_is_deployed(self):
        world = World([{"name": "api"}, {"name": "web"}], "services:\n  api: { image: 'registry.example/api:1' }\n  web: { image: 'registry.example/web:1' }\n"
                      "  cache: { image: 'redis:7' }\n", cluster="since-staging")
        self.addCleanup(world.close)

        def git(*words):
            subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words], cwd=world.folder, check=True, capture_output=True)

        git("init", "-q")
        git("add", ".")
        git("commit", "-qm", "one")
        ran = world.cais("deploy -E staging -y --force --poll 50ms --changed-since HEAD")
        self.assertEqual((ran.code, "no service changed since `HEAD`" in ran.err), (0, True), ran)
        text = (world.folder / "compose.yaml").read_text()
        world.write("compose.yaml", text.replace("api:1", "api:2").replace("redis:7", "redis:8"))
        ran = world.cais("deploy -E staging -y --json --poll 50ms --changed-since HEAD")
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual([row["service"] for row in json.loads(ran.out)["services"]], ["api"], ran)
        self.assertEqual([call["request"]["service"] for call in world.called("UpdateService")], ["api"])


class Rollback(unittest.TestCase):
    """What goes back with the task definition, and what is said of the rest (docs/decisions/0059)."""

    def setUp(self):
        self.world = world = World([{"name": "clock", "desired": 3}], "services:\n  clock: { image: 'registry.example/clock:2' }\n", cluster="back-staging")
        self.addCleanup(world.close)
        self.balancing = world.client("elbv2")
        vpc = world.client("ec2").create_vpc(CidrBlock="10.8.0.0/24")["Vpc"]["VpcId"]
        self.group = self.balancing.create_target_group(Name="back-staging-clock", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip",
                                                        HealthCheckPath="/healthz")["TargetGroups"][0]["TargetGroupArn"]
        self.addCleanup(self.balancing.delete_target_group, TargetGroupArn=self.group)
        world.ecs.services["clock"]["loadBalancers"] = [{"targetGroupArn": self.group, "containerName": "clock", "containerPort": 80}]
        self.assertEqual(world.cais("deploy -E staging -y --poll 50ms").code, 0)
        world.write("compose.yaml", (world.folder / "compose.yaml").read_text().replace("clock:2", "clock:3"))
        self.assertEqual(world.cais("deploy -E staging -y --poll 50ms").code, 0)

    def test_the_definition_and_the_breaker_go_back_and_the_count_stays(self):
        self.world.ecs.services["clock"]["desiredCount"] = 5  # autoscaling, since
        ran = self.world.cais("rollback -E staging -y --poll 50ms")
        self.assertEqual((ran.code, "the load balancer asks" in ran.err), (0, False), ran)
        request = self.world.called("UpdateService")[-1]["request"]
        self.assertTrue(request["taskDefinition"].endswith("back-staging-clock:2"))
        self.assertTrue(request["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"])
        self.assertEqual(self.world.ecs.services["clock"]["desiredCount"], 5)

    def test_a_health_check_that_moved_since_is_told_before(self):
        self.balancing.modify_target_group(TargetGroupArn=self.group, HealthCheckPath="/readyz")
        ran = self.world.cais("rollback -E staging -y --poll 50ms")
        self.assertIn("asks `clock` at /readyz, and back-staging-clock:2 was asked at /healthz", " ".join(ran.err.split()), ran)


class Destroy(unittest.TestCase):
    def setUp(self):
        self.world = World([{"name": "clock", "desired": 3}], "services:\n  clock: { image: 'registry.example/clock:1' }\n", cluster="gone-staging")
        self.addCleanup(self.world.close)
        self.root = self.world.folder / "infra/terraform/staging/services"
        self.root.mkdir(parents=True)
        (self.root / "versions.tf").write_text('terraform {\n  backend "s3" {\n    key = "services.tfstate"\n  }\n}\n')
        tools, self.log = self.world.root / "tools", self.world.root / "terraform.log"
        tools.mkdir()
        (tools / "terraform").write_text(TERRAFORM)
        (tools / "terraform").chmod(0o755)
        self.world.variables |= {"PATH": f"{tools}:{os.environ['PATH']}", "TERRAFORM_LOG": str(self.log)}

    def test_it_tells_scales_down_and_hands_over(self):
        with self.world.terminal("destroy -E staging") as terminal:
            terminal.until(lambda text: "type `staging`" in text)
            self.assertEqual(self.world.called("UpdateService"), [])
            terminal.press(b"staging\n")
            self.assertEqual(terminal.ended(), 0, terminal.text)
        for told in ("goes:", "3 tasks", "stays:", f"gone-staging-state-{ACCOUNT}"):
            self.assertIn(told, terminal.text)
        (scaled,) = self.world.called("UpdateService")
        self.assertEqual(scaled["request"]["desiredCount"], 0)
        calls = self.log.read_text().splitlines()[1:]  # the first asks for its version
        bucket = f"gone-staging-state-{ACCOUNT}"
        self.assertEqual([call.split(" | ")[1] for call in calls], [
            f"-chdir={self.root} init -input=false -backend-config=bucket={bucket}", f"-chdir={self.root} destroy -auto-approve -input=false -refresh=false"])
        for call in calls:
            at, named, tag = call.split(" | ")[0].split()
            self.assertGreater(float(at), scaled["at"], "services are scaled down before")
            self.assertEqual(named, bucket)
            self.assertGreaterEqual(len(tag), 7, "the rendered root refuses a shorter one")
        self.assertEqual(self.world.cais("lock -E staging --json").out.strip(), "null")

    def test_another_word_than_the_environments_name_changes_nothing(self):
        with self.world.terminal("destroy -E staging") as terminal:
            terminal.until(lambda text: "type `staging`" in text)
            terminal.press(b"y\n")
            self.assertEqual(terminal.ended(), 1, terminal.text)
        self.assertEqual(self.world.called("UpdateService"), [])
        self.assertFalse(self.log.exists())

    def test_one_that_failed_is_typed_again_and_goes_on(self):
        ran = self.world.cais("destroy -E staging -y", env={"TERRAFORM_EXIT": "1"})
        self.assertEqual((ran.code, "type the command again" in ran.err), (1, True), ran)
        self.assertEqual(self.world.cais("lock -E staging --json").out.strip(), "null")
        self.world.ecs.services.clear()  # terraform came so far
        self.assertEqual(self.world.cais("destroy -E staging -y").code, 0)
        self.assertEqual(sum(" destroy " in call for call in self.log.read_text().splitlines()), 2)

    def test_without_the_tool_nothing_is_touched(self):
        ran = self.world.cais("destroy -E staging -y", env={"PATH": str(self.world.root / "nowhere")})
        self.assertEqual((ran.code, "nothing was changed" in ran.err), (1, True), ran)
        self.assertEqual(self.world.called("UpdateService"), [])


if __name__ == "__main__":
    unittest.main()
