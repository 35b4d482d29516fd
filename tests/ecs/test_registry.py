"""Images in a registry that the Compose file names: pushed there, found there by their tag, pulled with the secret that the
file names; ECR is not asked."""
import base64
import json
import unittest

import world as surroundings
from test_whole import STAGING, Example, PASSWORD
from world import ACCOUNT

CREDENTIALS = json.dumps({"username": "puller", "password": "planted-token-of-a-registry"})


class Elsewhere(Example):
    def test_what_is_deployed_is_in_the_registry_that_the_file_names(self):
        world, host = self.world, f"127.0.0.1:{self.registry.port}"
        world.write("compose.staging.yaml", STAGING + f"x-cais:\n  aws:\n    region: {surroundings.REGION}\n    registry: {{ repository: '{host}/acme/shop/{{service}}', credentials: pull }}\n")
        del world.variables["CAIS_ECR_HOST"]
        world.cais("secret set -E staging redis_password", sent=PASSWORD)
        ran = world.cais("deploy -E staging -y clock")
        self.assertEqual((ran.code, "401" in ran.err or "login" in ran.err), (1, True), ran)

        login = base64.b64encode(f"AWS:{ACCOUNT}-auth-token".encode()).decode()
        (world.root / "docker").mkdir()
        (world.root / "docker/config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))
        world.variables["DOCKER_CONFIG"] = str(world.root / "docker")
        ran = world.cais("deploy -E staging -y clock")
        self.assertEqual((ran.code, "cais secret set -E staging pull" in ran.err), (1, True), ran)
        ran = world.cais("verify -E staging")
        self.assertIn("`cais/staging/pull` has no value", ran.out)
        self.assertEqual(world.cais("secret set -E staging pull", sent=CREDENTIALS).code, 0)

        ran = world.cais("deploy -E staging -y --json --poll 100ms clock")
        self.assertEqual(ran.code, 0, ran)
        (row,) = json.loads(ran.out)["services"]
        self.assertRegex(row["image"], rf"^{host}/acme/shop/clock@sha256:[0-9a-f]{{64}}$")
        definition = world.client("ecs").describe_task_definition(taskDefinition=row["to"])["taskDefinition"]
        (container,) = definition["containerDefinitions"]
        arn = container["repositoryCredentials"]["credentialsParameter"]
        self.assertEqual(world.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"], CREDENTIALS)

        ran = world.cais("push -E staging --json --no-build clock")
        tag = json.loads(ran.out)[0]["tag"]
        ran = world.cais(f"deploy -E staging -y --json --tag {tag} clock")
        self.assertEqual((ran.code, json.loads(ran.out)["services"][0]["result"]), (0, "unchanged"), ran)
        ran = world.cais("deploy -E staging -y --tag 0123456789ab clock")
        self.assertEqual((ran.code, f"not in the registry: {host}/acme/shop/clock:0123456789ab" in ran.err), (1, True), ran)
        ran = world.cais("verify -E staging clock")
        self.assertEqual(ran.code, 0, ran)
        self.assertIn(row["image"], ran.out)
        for planted in (CREDENTIALS, "planted-token", f"{ACCOUNT}-auth-token"):
            self.assertNotIn(planted, world.said)


if __name__ == "__main__":
    unittest.main()
