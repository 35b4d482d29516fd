"""The rendered workflows, run: a pull request, deploys to both environments, infrastructure, going back; and what each change
sets in motion. One story, because each deploy begins where the one before ended."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import permissions
from github import ENVIRONMENTS, REPOSITORY, GitHub, Hub
from runner import matches
from expressions import Unknown, condition, fill
from world import REGION

CAIS = pathlib.Path(os.environ["CAIS_BIN"])
# The example: what its two services are made from, and no more of this repository.
COPIED = (".dockerignore", ".env", "Cargo.lock", "apps", "clippy.toml", "compose.production.yaml", "compose.staging.yaml", "compose.yaml", "crates/cais-cache",
          "docs/guide/cache.md", "rust-toolchain.toml")
IGNORED = shutil.ignore_patterns("target", ".cais")


def project(folder, cais, more="", iac="terraform"):
    """The example in a repository of its own, with workflows and infrastructure as cais renders them; `more` is of its Compose file."""
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=IGNORED)
        elif source.exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    workspace = (REPOSITORY / "Cargo.toml").read_text()
    workspace = workspace.replace('members = ["crates/*", "apps/*", "tests/load"]', 'members = ["apps/*", "crates/cais-cache"]')
    workspace = workspace.replace('default-members = ["crates/cais", "apps/clock", "apps/calendar"]', 'default-members = ["apps/clock", "apps/calendar"]')
    (folder / "Cargo.toml").write_text(workspace)
    (folder / ".gitignore").write_text(".terraform/\nnode_modules/\n.cais/\n")
    # A debug build of the same: this is not about how fast the program is.
    text = (folder / "compose.yaml").read_text().replace("cargo build --release", "cargo build").replace("/release/", "/debug/") + more
    (folder / "compose.yaml").write_text(text)
    for environment in ENVIRONMENTS:
        file = folder / f"compose.{environment}.yaml"
        file.write_text(file.read_text().replace("sa-east-1", REGION))
    subprocess.run(["cargo", "metadata", "--offline", "--format-version=1"], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for words in (["infra", iac], ["ci", "init", "--iac", iac, "--cais", cais]):
        done = subprocess.run([CAIS, *words], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"cais {words}: {done.stdout}{done.stderr}")


class Expressions(unittest.TestCase):
    HERE = {"github": {"ref_name": "main", "event": {"name": "it's"}}, "needs": {"a": {"outputs": {"b": ""}}}}

    def test_what_is_rendered_is_read_as_github_reads_it(self):
        for text, want in (("${{ needs.a.outputs.b != '' }}", False), ("github.ref_name == 'main' && github.event.name == 'it''s'", True), ("!(github.ref_name == 'x')", True),
                           ("github.ref_name == 'x' && github.nothing == 'y'", False), ("github.ref_name == 'main' || github.nothing", True)):
            self.assertEqual(condition(text, self.HERE, "success"), want, text)
        self.assertEqual(fill("x ${{ github.ref_name }} ${{ github.ref_name == 'x' }}", self.HERE), "x main false")

    def test_a_condition_without_a_status_asks_for_success(self):
        self.assertFalse(condition("github.ref_name == 'main'", self.HERE, "failure"))
        self.assertTrue(condition("failure() && github.ref_name == 'main'", self.HERE, "failure"))

    def test_what_is_not_known_is_an_error(self):
        for text in ("contains(github.ref_name, 'm')", "github.nothing", "github.ref_name >= 'a'", "steps.a.outputs.b"):
            with self.assertRaises(Unknown, msg=text):
                fill("${{ %s }}" % text, self.HERE)

    def test_a_star_stays_in_its_folder_and_two_do_not(self):
        for pattern, path, want in (("docs/**", "docs/a/b.md", True), ("**.md", "a/b.md", True), ("compose*.yaml", "compose.staging.yaml", True), ("compose*.yaml", "a/compose.yaml", False)):
            self.assertEqual(matches(pattern, path), want, (pattern, path))


class Told(unittest.TestCase):
    """A repository, a machine and two environments; each test goes on where the one before it ended."""

    HUB, MORE, IAC = None, "", "terraform"

    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="cais-pipelines-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        program = cls.root / "cais"
        subprocess.run(["strip", "-o", program, CAIS], check=True)
        hub = cls.HUB(cls.root) if cls.HUB else None
        if hub:
            cls.addClassCleanup(hub.close)
        cls.github = github = GitHub(cls.root, program, hub)
        cls.addClassCleanup(github.close)
        github.repository.mkdir()
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", github.repository], check=True)
        project(github.repository, f"{github.downloads.url}/cais#sha256={github.downloads.sha256}", cls.MORE, cls.IAC)
        cls.prepare()
        cls.first = github.commit("The example")
        for environment in ENVIRONMENTS:
            github.set[f"IMAGE_TAG_{environment.upper()}"] = cls.first[:12]

    @classmethod
    def prepare(cls):
        """What a person commits besides."""

    def passed(self, run):
        self.assertEqual(run.status, "success", f"\n{run}")
        return run

    def change(self, name, text, claim):
        """One more line at a file's end, on main."""
        base = self.github.git("rev-parse", "HEAD")
        file = self.github.repository / name
        file.write_text(file.read_text() + text)
        return base, self.github.commit(claim)

    def containers(self, environment):
        """What runs, by service."""
        ecs = self.github.cloud.worlds[environment].client("ecs")
        found = {}
        for name in ("clock", "calendar"):
            service = ecs.describe_services(cluster=f"cais-{environment}", services=[name])["services"][0]
            definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
            (found[name],) = definition["containerDefinitions"]
        return found

    def images(self, environment):
        return {name: container["image"].partition("@")[2] for name, container in self.containers(environment).items()}

    def deployed(self, files, services):
        """A push to main builds, attests and deploys these services to both environments, and leaves the others as they are."""
        before = {environment: self.images(environment) for environment in ENVIRONMENTS}
        self.github.attested.clear()
        ran = self.github.push(*files)
        if "deploy.yml" not in ran:
            self.assertEqual(services, [], ran)
            return None
        run = self.passed(ran["deploy.yml"])
        self.assertEqual(run.results["changed"]["outputs"]["services"], " ".join(sorted(services)))
        self.assertEqual(run.ran(), ["changed", "build", "staging", "production"] if services else ["changed"])
        after = {environment: self.images(environment) for environment in ENVIRONMENTS}
        for environment in ENVIRONMENTS:
            moved = sorted(name for name in after[environment] if after[environment][name] != before[environment][name])
            self.assertEqual(moved, sorted(services), f"{environment}\n{run}")
            for name in services:
                self.assertIn((name, after[environment][name].removeprefix("sha256:")), self.github.attested)
        self.assertEqual(sorted({name for name, _ in self.github.attested}), sorted(services))
        built = [{name: after[environment][name] for name in services} for environment in ENVIRONMENTS]
        self.assertEqual(built[0], built[1], "built once")
        return run

    def first_push(self):
        """The first push to main: everything is new."""
        github = self.github
        empty = github.git("commit-tree", "-m", "nothing", github.git("hash-object", "-t", "tree", "-w", "/dev/null"))
        ran = github.push(empty, github.git("rev-parse", "HEAD"))
        applied = self.passed(ran["infrastructure.yml"])
        self.assertEqual(applied.ran(), ["validate", "staging", "production"])
        run = self.passed(ran["deploy.yml"])
        self.assertEqual(run.results["changed"]["outputs"]["services"], "calendar clock redis")
        return run


class Story(Told):
    def test_1_a_pull_request_is_checked_and_planned(self):
        github = self.github
        base = github.git("rev-parse", "HEAD")
        github.git("switch", "--quiet", "--create", "work")
        _, head = self.change("apps/clock/src/main.rs", "// A thought.\n", "A thought about the clock")
        ran = github.pull_request(base, head)
        self.assertEqual(list(ran), ["pull-request.yml"])
        run = self.passed(ran["pull-request.yml"])
        said = run.said("Lint, test, check and build what changed")
        self.assertIn("clock: cargo", said)
        self.assertNotIn("calendar: cargo", said)
        (comment,) = json.loads(github.comments.read_text())
        self.assertTrue(comment["body"].startswith("<!-- cais: deploy -->"), comment)
        for environment in ENVIRONMENTS:
            self.assertIn(f"### What differs from {environment}", comment["body"])
        # Again: the same comment, written over. From a fork: no job that could take a role.
        self.passed(github.pull_request(base, head)["pull-request.yml"])
        self.assertEqual(len(json.loads(github.comments.read_text())), 1)
        fork = self.passed(github.pull_request(base, head, fork=True)["pull-request.yml"])
        self.assertEqual(fork.ran(), ["check"])
        github.git("switch", "--quiet", "main")

    def test_2_the_first_push_deploys_everything_to_both_environments(self):
        self.first_push()

    def test_3_a_change_in_a_service_deploys_it_alone(self):
        self.deployed(self.change("apps/clock/src/main.rs", "// Another thought.\n#[used]\nstatic THOUGHT: &str = \"clock\";\n", "clock: another thought"), ["clock"])

    def test_4_a_change_in_a_shared_crate_deploys_both(self):
        self.deployed(self.change("apps/common/src/lib.rs", "#[used]\nstatic THOUGHT: &str = \"common\";\n", "common: a thought"), ["calendar", "clock"])

    def test_5_a_change_in_docs_deploys_nothing(self):
        self.assertIsNone(self.deployed(self.change("docs/guide/cache.md", "More.\n", "docs: more"), []))
        self.deployed(self.change(".gitignore", "more\n", "git: more"), [])

    def test_6_a_version_that_does_not_answer_goes_back(self):
        before = self.images("staging"), self.images("production")
        self.github.downloads.healthy = False
        try:
            ran = self.github.push(*self.change("apps/clock/src/main.rs", "#[used]\nstatic BAD: &str = \"bad\";\n", "clock: a bad thought"))
        finally:
            self.github.downloads.healthy = True
        run = ran["deploy.yml"]
        self.assertEqual(run.results["staging"]["result"], "failure", run)
        self.assertEqual(run.results["production"]["result"], "skipped", run)
        self.assertIsNotNone(run.said("Go back"), run)
        self.assertEqual((self.images("staging"), self.images("production")), before, run)

    def test_7_a_rollback_by_hand_reaches_its_environment_alone(self):
        before = {environment: self.images(environment) for environment in ENVIRONMENTS}
        run = self.passed(self.github.dispatch("rollback.yml", {"environment": "production", "service": "clock", "revision": ""}))
        after = {environment: self.images(environment) for environment in ENVIRONMENTS}
        self.assertEqual(after["staging"], before["staging"], run)
        self.assertEqual(after["production"]["calendar"], before["production"]["calendar"], run)
        self.assertNotEqual(after["production"]["clock"], before["production"]["clock"], run)

    def test_8_infrastructure_is_planned_and_applied(self):
        github = self.github
        base = github.git("rev-parse", "HEAD")
        file = github.repository / "compose.staging.yaml"
        file.write_text(file.read_text().replace("log_retention: 30", "log_retention: 60"))
        subprocess.run([CAIS, "infra", "terraform"], cwd=github.repository, check=True, capture_output=True)
        head = github.commit("staging: logs are kept longer")
        run = self.passed(github.pull_request(base, head)["infrastructure.yml"])
        self.assertEqual(run.ran(), ["validate", "plan"])
        bodies = [one["body"] for one in json.loads(github.comments.read_text())]
        (body,) = [body for body in bodies if body.startswith("<!-- cais: infrastructure -->")]
        self.assertIn("### Infrastructure of production: services", body)
        self.assertIn("to add", body)
        run = self.passed(github.push(base, head)["infrastructure.yml"])
        self.assertEqual(run.ran(), ["validate", "staging", "production"])

    def test_9_each_role_is_granted_what_its_commands_ask_for_and_no_other_duty(self):
        asked = {}
        for role, action, resource in sorted(permissions.USED, key=str):
            asked.setdefault(role, set()).add((action, resource))
        for environment, world in self.github.cloud.worlds.items():
            key = {"Bucket": world.bucket, "Key": "foundation.tfstate"}
            policies = permissions.granted(json.loads(world.client("s3").get_object(**key)["Body"].read()))
            for duty in ("plan", "push", "deploy", "apply"):
                role = f"cais-{environment}-pipeline-{duty}"
                refused = sorted(one for one in asked[role] if not permissions.allows(policies[role], *one))
                print(f"\n  {role}: {len(asked[role])} actions asked for, {len(refused)} not granted", end="")
                self.assertEqual(refused, [], role)
            may = lambda duty, action: permissions.allows(policies[f"cais-{environment}-pipeline-{duty}"], action, None)  # noqa: E731
            for action, duties in {"ecr:PutImage": {"push", "apply"}, "ecs:UpdateService": {"deploy", "apply"}, "iam:CreateRole": {"apply"},
                                   "secretsmanager:GetSecretValue": {"apply"}, "ec2:CreateVpc": {"apply"}}.items():
                self.assertEqual({duty for duty in ("plan", "push", "deploy", "apply") if may(duty, action)}, duties, action)
            for world_of, other in self.github.cloud.worlds.items():
                self.assertEqual(other.ecs.bad, [], world_of)


class Elsewhere(Told):
    """Images on ghcr.io, which the Compose file names: pushed once, found by their tag, pulled with a secret; ECR is not asked."""

    HUB = Hub
    MORE = "\nx-cais: { aws: { registry: { repository: \"ghcr.io/example/cais/{service}\", credentials: registry } } }\n"

    def test_1_the_first_push_deploys_what_is_in_the_registry_to_both_environments(self):
        permissions.USED.clear()
        run = self.first_push()
        self.assertEqual([step["step"] for step in run.log if step["step"].startswith("Push for")], ["Push for staging"])
        for environment in ENVIRONMENTS:
            secret = self.github.cloud.worlds[environment].client("secretsmanager").describe_secret(SecretId=f"cais/{environment}/registry")["ARN"]
            for name, container in self.containers(environment).items():
                self.assertRegex(container["image"], rf"^ghcr\.io/example/cais/{name}@sha256:[0-9a-f]{{64}}$")
                self.assertEqual(container["repositoryCredentials"], {"credentialsParameter": secret})
        self.assertEqual(self.images("staging"), self.images("production"))
        asked = set(self.github.cloud.hub.asked)
        self.assertEqual(({"ghcr.io:443"} & asked, [name for name in asked if "ecr" in name]), ({"ghcr.io:443"}, []))
        self.assertEqual([action for _, action, _ in permissions.USED if action.startswith("ecr:")], [])

    def test_2_a_change_in_a_service_deploys_it_alone(self):
        self.deployed(self.change("apps/clock/src/main.rs", "#[used]\nstatic THOUGHT: &str = \"clock\";\n", "clock: a thought"), ["clock"])

    def test_3_without_the_right_to_packages_no_job_gets_in(self):
        file = self.github.repository / ".github/workflows/deploy.yml"
        file.write_text(file.read_text().replace("      packages: read  # the images\n", ""))
        ran = self.github.push(*self.change("apps/clock/src/main.rs", "#[used]\nstatic OTHER: &str = \"clock\";\n", "clock: without the right"))
        run = ran["deploy.yml"]
        self.assertEqual((run.results["build"]["result"], run.results["staging"]["result"]), ("success", "failure"), run)
        self.assertIn("permission_denied", run.said("Log in to ghcr.io"))


class ByPulumi(Told):
    """The infrastructure as Pulumi programs: compiled and run, with a stand-in for the program `pulumi`."""

    IAC = "pulumi"

    @classmethod
    def prepare(cls):
        folder = cls.github.repository / "infra/pulumi"
        # What `npm install` would leave, at the versions that npm's cache has from tests/cloud.
        wanted = json.loads((folder / "package.json").read_text())
        exact = json.loads((REPOSITORY / "tests/cloud/npm/package.json").read_text())["dependencies"]
        with tempfile.TemporaryDirectory() as scratch:
            pinned = wanted | {"dependencies": {name: exact[name] for name in wanted["dependencies"]}}
            (pathlib.Path(scratch) / "package.json").write_text(json.dumps(pinned))
            subprocess.run(["npm", "install", "--package-lock-only", "--prefer-offline", "--no-audit", "--no-fund", "--silent"], cwd=scratch, check=True)
            lock = json.loads((pathlib.Path(scratch) / "package-lock.json").read_text())
        lock["packages"][""]["dependencies"] = wanted["dependencies"]
        (folder / "package-lock.json").write_text(json.dumps(lock, indent=2) + "\n")
        for environment in ENVIRONMENTS:  # pulumi config set imageTag
            file = folder / f"services/Pulumi.{environment}.yaml"
            file.write_text(file.read_text() + "  cais-services:imageTag: 0123456789ab\n")

    def kept_longer(self, days, more):
        """Staging keeps its logs for another time: the commit before, and that."""
        base = self.github.git("rev-parse", "HEAD")
        file = self.github.repository / "compose.staging.yaml"
        file.write_text(file.read_text().replace(f"log_retention: {days}", f"log_retention: {more}"))
        subprocess.run([CAIS, "infra", "pulumi"], cwd=self.github.repository, check=True, capture_output=True)
        return base, self.github.commit(f"staging: logs are kept for {more} days")

    def test_1_main_applies_staging_then_production(self):
        run = self.passed(self.github.push(*self.kept_longer(30, 60))["infrastructure.yml"])
        self.assertEqual(run.ran(), ["validate", "staging", "production"])
        self.assertIn("+ aws:kms/key:Key: encryption", run.said("Apply"))
        for environment, world in self.github.cloud.worlds.items():
            read = lambda project: json.loads(world.client("s3").get_object(Bucket=world.bucket, Key=f".pulumi/stacks/cais-{project}/{environment}.json")["Body"].read())  # noqa: E731
            vpc = read("foundation")["exported"]["vpcId"]
            groups = [one for one in read("services")["registered"] if one["type"] == "aws:ec2/securityGroup:SecurityGroup"]
            self.assertEqual({one["inputs"]["vpcId"] for one in groups}, {vpc}, "the services stand in the foundation's network")

    def test_2_a_pull_request_sees_what_it_would_change(self):
        run = self.passed(self.github.pull_request(*self.kept_longer(60, 90))["infrastructure.yml"])
        self.assertEqual(run.ran(), ["validate", "plan"])
        bodies = [one["body"] for one in json.loads(self.github.comments.read_text())]
        (body,) = [body for body in bodies if body.startswith("<!-- cais: infrastructure -->")]
        self.assertIn("~ aws:cloudwatch/logGroup:LogGroup: clock-task", body)
        staging, production = body.split("### Infrastructure of production: foundation")
        self.assertIn("to update", staging)
        self.assertNotIn("to update", production)

    def test_3_a_program_that_somebody_changed_by_hand_is_not_applied(self):
        github = self.github
        base = github.git("rev-parse", "HEAD")
        file = github.repository / "infra/pulumi/services/production.ts"
        file.write_text(file.read_text() + "// A thought.\n")
        run = github.push(base, github.commit("production: by hand"))["infrastructure.yml"]
        self.assertEqual((run.results["validate"]["result"], run.ran()), ("failure", ["validate"]), run)


if __name__ == "__main__":
    unittest.main(verbosity=0)
