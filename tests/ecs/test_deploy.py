"""How deploys end: each trace of statuses with its outcome, its exit code and what the person is told."""
import concurrent.futures
import json
import socket
import threading
import time
import unittest

from world import ACCOUNT, REGION, World

# Of each trace: the exit code, the word of the summary, and what the failure's sentence says.
ENDINGS = {
    "success": (0, "completed", ""),
    "breaker": (3, "rolled back", "circuit breaker threshold"),
    "alarm": (3, "rolled back", "clock-errors"),
    "rollback-fails": (1, "rollback failed", "which revision runs is not certain"),
    "superseded": (1, "superseded", "took its place"),
    "stopped": (1, "stopped", "stopped by a user"),
    "no-earlier": (1, "stopped", "no completed deployment to roll back to"),
    "throttled": (0, "completed", ""),
    "network": (3, "rolled back", "circuit breaker threshold"),
    "silence": (4, "not done in time", "still IN_PROGRESS"),
}


def compose(names):
    return "services:\n" + "".join(f"  {name}:\n    image: registry.example/{name}:1\n" for name in names)


class Endings(unittest.TestCase):
    """Only the double's traces decide; nothing is built, so that each is one service made anew."""

    @classmethod
    def setUpClass(cls):
        services = [{"name": name, "traces": [name], "earlier": name != "no-earlier"} for name in ENDINGS]
        cls.world = World(services, compose(ENDINGS))
        cls.addClassCleanup(cls.world.close)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            cls.ran = dict(zip(ENDINGS, pool.map(cls.deploy, ENDINGS)))

    @classmethod
    def deploy(cls, name):
        timeout = " --timeout 4s" if name == "silence" else ""
        return cls.world.cais(f"deploy -E staging -y --json --no-lock --force --poll 100ms{timeout} {name}")

    def test_each_trace_has_its_outcome_and_exit_code(self):
        print()
        for name, (code, word, why) in ENDINGS.items():
            with self.subTest(name):
                ran = self.ran[name]
                self.assertEqual(ran.code, code, ran)
                (row,) = json.loads(ran.out)["services"]
                self.assertEqual(row["result"], word, ran)
                self.assertIn(why, row["reason"], ran)
                print(f"  {name:<15} {row['result']}, exit code {ran.code}")
                if code:
                    self.assertIn(why, json.loads(ran.err.splitlines()[-1])["error"]["message"], ran)

    def test_what_is_said_to_the_double_and_by_it_is_in_the_model(self):
        self.assertEqual(self.world.ecs.bad, [])

    def test_a_failed_task_is_told_with_its_exit_code(self):
        self.assertIn("exit code 1", self.ran["breaker"].err)
        self.assertIn("Essential container in task exited", self.ran["breaker"].err)

    def test_without_an_earlier_deployment_that_is_said_before_it_starts(self):
        self.assertIn("ECS has nothing to roll back to", self.ran["no-earlier"].err)
        self.assertNotIn("nothing to roll back to", self.ran["success"].err)

    def test_a_lost_network_is_told_and_found_again(self):
        self.assertIn("AWS does not answer", self.ran["network"].err)
        self.assertIn("AWS answers again", self.ran["network"].err)

    def test_the_breakers_threshold_is_sent(self):
        for call in self.world.called("UpdateService"):
            breaker = call["request"]["deploymentConfiguration"]["deploymentCircuitBreaker"]
            self.assertEqual(breaker["thresholdConfiguration"], {"type": "BOUNDED_PERCENT", "value": 50})
            self.assertEqual((breaker["enable"], breaker["rollback"], breaker["resetOnHealthyTask"]), (True, True, True))


class Order(unittest.TestCase):
    def test_a_wave_that_fails_stops_those_that_depend_on_it(self):
        world = World([{"name": "api", "traces": ["breaker"]}, {"name": "web"}],
                      compose(["api"]) + "  web:\n    image: registry.example/web:1\n    depends_on: [api]\n", cluster="order-staging")
        self.addCleanup(world.close)
        ran = world.cais("deploy -E staging -y --json --force --poll 50ms")
        self.assertEqual(ran.code, 3, ran)
        results = {row["service"]: row["result"] for row in json.loads(ran.out)["services"]}
        self.assertEqual(results, {"api": "rolled back", "web": "not begun"}, ran)
        self.assertEqual([call["request"]["service"] for call in world.called("UpdateService")], ["api"])


class Migrations(unittest.TestCase):
    """A one-shot task that a service waits for."""

    COMPOSE = ("services:\n  migrate:\n    image: registry.example/migrate:2\n    command: [migrate]\n  web:\n    image: registry.example/web:1\n"
               "    depends_on: { migrate: { condition: service_completed_successfully } }\n")

    def deploy(self, cluster, code):
        world = World([{"name": "web"}], self.COMPOSE, cluster=cluster, run_exit=code)
        self.addCleanup(world.close)
        world.ecs.register({"family": f"{cluster}-migrate", "containerDefinitions": [{"name": "migrate", "image": "registry.example/migrate:1", "essential": True}]})
        return world, world.cais("deploy -E staging -y --force --poll 50ms")

    def test_it_runs_to_its_end_before_the_service_is_moved(self):
        world, ran = self.deploy("before-staging", 0)
        self.assertEqual(ran.code, 0, ran)
        changes = [call for call in world.ecs.calls if call["operation"] in ("RunTask", "UpdateService")]
        self.assertEqual([call["operation"] for call in changes], ["RunTask", "UpdateService"])
        self.assertTrue(changes[0]["request"]["taskDefinition"].endswith("before-staging-migrate:2"))
        self.assertEqual(world.ecs.bad, [])

    def test_one_that_fails_moves_nothing_and_tells_why(self):
        world, ran = self.deploy("failing-staging", 3)
        self.assertEqual(ran.code, 1, ran)
        self.assertIn("`migrate` failed; no service was moved", ran.err)
        self.assertIn("exit code 3", ran.err)
        self.assertEqual(world.called("UpdateService"), [])
        self.assertEqual(world.cais("lock -E staging --json").out.strip(), "null")


class Definitions(unittest.TestCase):
    """What is registered: the stack's definition, or with --image-only the live one with another image."""

    def world(self, cluster, **more):
        containers = [{"name": "clock", "image": "registry.example/clock:1", "essential": True, "memory": 99, "environment": [{"name": "BY_HAND", "value": "1"}]}]
        world = World([{"name": "clock", "containers": containers}], compose(["clock"]) + "    build: .\n    environment: { GREETING: hello }\n", cluster=cluster)
        self.addCleanup(world.close)
        ecr = world.client("ecr")
        ecr.create_repository(repositoryName=f"{cluster}/clock")
        manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "1" * 64, "size": 2}, "layers": []})
        self.digest = ecr.put_image(repositoryName=f"{cluster}/clock", imageManifest=manifest, imageTag="3f9c2e1a4b7d")["image"]["imageId"]["imageDigest"]
        return world

    def registered(self, world):
        return [call["request"] for call in world.called("RegisterTaskDefinition")]

    def test_the_stacks_definition_is_registered_with_the_image_by_its_digest(self):
        world = self.world("stack-staging")
        ran = world.cais("deploy -E staging -y --poll 50ms --tag 3f9c2e1a4b7d")
        self.assertEqual(ran.code, 0, ran)
        (request,) = self.registered(world)
        (container,) = request["containerDefinitions"]
        self.assertTrue(container["image"].endswith(f"/stack-staging/clock@{self.digest}"), container["image"])
        self.assertEqual(container["environment"], [{"name": "GREETING", "value": "hello"}])
        self.assertEqual((request["networkMode"], request["requiresCompatibilities"]), ("awsvpc", ["FARGATE"]))
        self.assertEqual(request["executionRoleArn"], f"arn:aws:iam::{ACCOUNT}:role/stack-staging-clock-execution")
        self.assertIn({"key": "cais:version", "value": "3f9c2e1a4b7d"}, request["tags"])

    def test_the_platform_of_the_file_becomes_the_tasks(self):
        for platform, architecture in (("linux/arm64", "ARM64"), ("linux/amd64", "X86_64")):
            world = World([{"name": "clock"}], compose(["clock"]) + f"    platform: {platform}\n", cluster=f"{architecture.lower().replace('_', '')}-staging")
            self.addCleanup(world.close)
            ran = world.cais("deploy -E staging -y --poll 50ms")
            self.assertEqual(ran.code, 0, ran)
            (request,) = self.registered(world)
            self.assertEqual(request["runtimePlatform"], {"operatingSystemFamily": "LINUX", "cpuArchitecture": architecture})

    def test_status_names_what_differs_from_the_file(self):
        world = self.world("drift-staging")
        ran = world.cais("status -E staging")
        self.assertIn("differs from the file: containerDefinitions[clock].environment[BY_HAND]: removed", ran.out, ran)
        world.cais("deploy -E staging -y --poll 50ms --tag 3f9c2e1a4b7d")
        ran = world.cais("status -E staging")
        self.assertEqual((ran.code, "differs" in ran.out), (0, False), ran)

    def test_image_only_changes_the_image_and_nothing_else(self):
        world = self.world("image-staging")
        ran = world.cais("deploy -E staging -y --poll 50ms --image-only --tag 3f9c2e1a4b7d")
        self.assertEqual(ran.code, 0, ran)
        (request,) = self.registered(world)
        (container,) = request["containerDefinitions"]
        self.assertTrue(container.pop("image").endswith(f"/image-staging/clock@{self.digest}"))
        self.assertEqual(container.pop("cpu"), 0)  # what ECS itself answers where none was given
        self.assertEqual(container, {"name": "clock", "essential": True, "memory": 99, "environment": [{"name": "BY_HAND", "value": "1"}]})

    def test_a_tag_that_was_never_pushed_and_latest_are_refused(self):
        world = self.world("tags-staging")
        ran = world.cais("deploy -E staging -y --tag 000000000000")
        self.assertEqual((ran.code, "not in the registry" in ran.err), (1, True), ran)
        self.assertEqual(world.cais("deploy -E staging -y --tag latest").code, 2)
        self.assertEqual(self.registered(world) + world.called("UpdateService"), [])


class Page(unittest.TestCase):
    def test_a_pipelines_run_gets_a_summary(self):
        world = World([{"name": "clock", "traces": ["breaker"]}], compose(["clock"]), cluster="page-staging")
        self.addCleanup(world.close)
        page = world.root / "summary.md"
        world.cais("deploy -E staging -y --force --poll 50ms", env={"GITHUB_STEP_SUMMARY": str(page)})
        text = page.read_text()
        self.assertIn("| clock | page-staging-clock:1 | page-staging-clock:2 | rolled back |", text)
        self.assertIn(f"Account {ACCOUNT}", text)


class Lock(unittest.TestCase):
    def setUp(self):
        self.world = World([{"name": "clock", "traces": ["silence"]}], compose(["clock"]), cluster="locked-staging")
        self.addCleanup(self.world.close)

    def test_one_deploy_at_a_time_and_a_lock_that_was_left_can_be_let_go(self):
        first = self.world.start("deploy -E staging -y --force --poll 100ms")
        self.addCleanup(first.communicate)
        self.addCleanup(first.kill)
        deadline = time.monotonic() + 60
        while not self.world.called("UpdateService") and time.monotonic() < deadline:
            time.sleep(0.05)
        second = self.world.cais("deploy -E staging -y --force --poll 100ms")
        self.assertEqual(second.code, 5, second)
        self.assertIn("locked by arn:aws:", second.err)
        self.assertEqual(len(self.world.called("UpdateService")), 1)
        shown = self.world.cais("lock -E staging --json")
        self.assertEqual(json.loads(shown.out)["reason"], "deploy", shown)
        first.kill()  # -9: the lock stays
        first.wait()
        self.assertEqual(self.world.cais("deploy -E staging -y --force").code, 5)
        self.assertEqual(self.world.cais("lock -E staging --release -y").code, 0)
        self.assertEqual(self.world.cais("lock -E staging --json").out.strip(), "null")

    def test_the_lock_is_gone_after_a_deploy_however_it_ends(self):
        ran = self.world.cais("deploy -E staging -y --force --poll 100ms --timeout 1s")
        self.assertEqual(ran.code, 4, ran)
        self.assertEqual(self.world.cais("lock -E staging --json").out.strip(), "null")


class Refused(unittest.TestCase):
    """Somebody else has the lock all the while: a verb that asked for it would end with 5."""

    FILES = {
        "port 80 of service `web` is published as 8081": ("services:\n  web: { image: 'registry.example/web:1', ports: ['8081:80'] }\n", "zones: [a, b]"),
        "one zone is not enough": ("services:\n  web: { image: 'registry.example/web:1' }\n", "zones: [a]"),
    }

    def test_what_infra_refuses_deploy_and_plan_refuse_in_its_words_before_the_lock(self):
        for number, (sentence, (services, zones)) in enumerate(self.FILES.items()):
            with self.subTest(sentence):
                world = World([{"name": "web"}], services, cluster=f"refused{number}-staging")
                self.addCleanup(world.close)
                world.write("compose.staging.yaml", f"x-cais: {{ aws: {{ region: {REGION}, {zones} }} }}\n")
                world.client("s3").put_object(Bucket=world.bucket, Key="deploy.lock", Body=b"{}")
                infra = world.cais("-E staging infra terraform")
                self.assertEqual((infra.code, sentence in infra.err), (2, True), infra)
                for command in ("deploy -E staging -y", "plan -E staging"):
                    ran = world.cais(command)
                    self.assertEqual((ran.code, ran.err), (2, infra.err), ran)
                self.assertEqual(world.called("UpdateService"), [])


class Interrupts(unittest.TestCase):
    """As a person does it: Ctrl-C on the terminal."""

    def setUp(self):
        self.world = World([{"name": "clock", "traces": ["silence"]}], compose(["clock"]), cluster="hands-staging")
        self.addCleanup(self.world.close)

    def test_once_asks_ecs_to_roll_back_and_reports_that(self):
        with self.world.terminal("deploy -E staging -y --force --poll 100ms") as terminal:
            terminal.until(lambda text: "IN_PROGRESS" in text)
            terminal.press(b"\x03")
            self.assertEqual(terminal.ended(), 3, terminal.text)
        (stop,) = self.world.called("StopServiceDeployment")
        self.assertEqual(stop["request"]["stopType"], "ROLLBACK")
        self.assertIn("rolling back; Ctrl-C again leaves it to itself", terminal.text)
        self.assertIn("requested by a user", terminal.text)

    def test_twice_leaves_the_rollback_to_itself(self):
        with self.world.terminal("deploy -E staging -y --force --poll 2s") as terminal:
            terminal.until(lambda text: "IN_PROGRESS" in text)
            terminal.press(b"\x03")
            terminal.until(lambda text: "rolling back" in text)
            terminal.press(b"\x03")
            self.assertEqual(terminal.ended(), 1, terminal.text)
        self.assertIn("detached", terminal.text)
        self.assertEqual(len(self.world.called("StopServiceDeployment")), 1)
        self.assertEqual(self.world.cais("lock -E staging --json").out.strip(), "null")

    def test_without_yes_a_person_is_asked_and_may_say_no(self):
        with self.world.terminal("deploy -E staging --force") as terminal:
            terminal.until(lambda text: "[y/N]" in text)
            terminal.press(b"n\n")
            self.assertEqual(terminal.ended(), 1, terminal.text)
        for fact in ("hands in staging", ACCOUNT, "eu-west-1"):
            self.assertIn(fact, terminal.text)
        self.assertEqual(self.world.called("UpdateService"), [])
        ran = self.world.cais("deploy -E staging --force")
        self.assertEqual(ran.code, 2, ran)
        self.assertIn("add `-y`", ran.err)


class Frugal(unittest.TestCase):
    """Figures; printed, so that docs/proof.md can name where they come from."""

    def test_the_first_call_comes_soon(self):
        world = World([{"name": "clock"}], compose(["clock"]), cluster="soon-staging")
        self.addCleanup(world.close)
        took = []
        for _ in range(5):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                arrived = []
                thread = threading.Thread(target=lambda: arrived.append((listener.accept(), time.monotonic())))
                thread.start()
                began = time.monotonic()
                child = world.start("deploy -E staging -y", env={"AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{listener.getsockname()[1]}"})
                thread.join(30)
                child.kill()
                child.communicate()
                took.append(arrived[0][1] - began)
        print(f"\n  from `deploy` to the first API call: {sorted(took)[2] * 1000:.0f} ms (median of 5)")
        self.assertLess(min(took), 5)

    def test_ten_services_are_watched_with_few_calls(self):
        names = [f"service{n}" for n in range(10)]
        world = World([{"name": name, "traces": ["slow"]} for name in names], compose(names), cluster="ten-staging")
        self.addCleanup(world.close)
        ran = world.cais("deploy -E staging -y --json --force")
        self.assertEqual(ran.code, 0, ran)
        updated = max(call["at"] for call in world.called("UpdateService"))
        watching = [call for call in world.ecs.calls if call["at"] > updated]
        seconds = max(call["at"] for call in watching) - updated
        a_minute = 60 * len(watching) / seconds
        print(f"\n  {len(watching)} API calls in {seconds:.0f} s of watching ten services: {a_minute:.0f} a minute")
        self.assertLess(a_minute, 60)
        self.assertGreater(seconds, 15, "too short to tell")


if __name__ == "__main__":
    unittest.main()
