"""Secrets: they go in, and no value comes out anywhere but where it belongs."""
import json
import pathlib
import threading
import time
import unittest

from world import KEYS, World

MARKER = "planted-marker-7f3a9c"
COMPOSE = """services:
  clock:
    image: registry.example/clock:1
    secrets: [db_password]
    x-cais: { process: { command: "sleep 600" } }
secrets:
  db_password: { external: true }
"""


class Secrets(unittest.TestCase):
    def setUp(self):
        self.world = World([{"name": "clock"}], COMPOSE, cluster="vault-staging")
        self.addCleanup(self.world.close)

    def test_values_go_to_secrets_manager_and_are_read_back_equal(self):
        world, manager = self.world, self.world.client("secretsmanager")
        for sent in (MARKER, MARKER + "-second"):
            ran = world.cais("secret set -E staging db_password", sent=sent + "\n")
            self.assertEqual(ran.code, 0, ran)
            self.assertEqual(manager.get_secret_value(SecretId="vault/staging/db_password")["SecretString"], sent)
        (row,) = json.loads(world.cais("secret list -E staging --json").out)
        self.assertEqual((row["name"], row["services"]), ("db_password", ["clock"]))
        self.assertEqual(world.cais("secret rotate -E staging -y db_password").code, 0)
        rotated = manager.get_secret_value(SecretId="vault/staging/db_password")["SecretString"]
        self.assertRegex(rotated, "^[0-9a-f]{64}$")
        self.assertEqual(world.cais("secret rm -E staging -y --now db_password").code, 0)
        self.assertEqual(json.loads(world.cais("secret list -E staging --json").out), [])
        self.assertEqual(world.cais("secret rotate -E staging -y nothing").code, 1)

    def test_a_file_is_taken_as_it_is_and_an_empty_value_is_refused(self):
        path = self.world.root / "value"
        path.write_text("two\nlines\n")
        self.assertEqual(self.world.cais(f"secret set -E staging --file {path} db_password").code, 0)
        value = self.world.client("secretsmanager").get_secret_value(SecretId="vault/staging/db_password")["SecretString"]
        self.assertEqual(value, "two\nlines\n")
        self.assertEqual(self.world.cais("secret set -E staging db_password", sent="\n").code, 2)

    def test_here_they_are_kept_encrypted_and_a_task_reads_them(self):
        world = self.world
        world.write("compose.yaml", COMPOSE.replace("sleep 600", "sh -c 'cat $$DB_PASSWORD_FILE >$$SHOWN; exec sleep 600'").replace(
            "    secrets: [db_password]\n", "    secrets: [db_password]\n    environment: { DB_PASSWORD_FILE: /run/secrets/db_password, SHOWN: \"%s/shown\" }\n" % world.root))
        world.write("compose.yaml", "name: vault\n" + (world.folder / "compose.yaml").read_text())
        ran = world.cais("--runtime process up -d")
        self.assertIn("cais secret set db_password", ran.err, ran)
        self.assertEqual(world.cais("secret set db_password", sent=MARKER).code, 0)
        self.addCleanup(world.cais, "down")
        ran = world.cais("--runtime process up -d")
        self.assertEqual(ran.code, 0, ran)
        end = time.monotonic() + 20
        while not (world.root / "shown").exists() or not (world.root / "shown").read_text():
            self.assertLess(time.monotonic(), end, "the task does not read its secret")
            time.sleep(0.05)
        self.assertEqual((world.root / "shown").read_text(), MARKER)
        key = world.root / "config/cais/age.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        found = [str(path) for path in world.folder.rglob("*") if path.is_file() and MARKER.encode() in path.read_bytes()]
        self.assertEqual(found, [])

    def test_no_value_is_in_any_output_log_argument_list_or_file(self):
        """A secret's value, the access key and a session's token; the registry's token is looked for in test_whole."""
        world, planted = self.world, [MARKER, KEYS["AWS_SECRET_ACCESS_KEY"], "planted-session-token"]
        seen = Arguments()
        said = []
        with seen:
            for words, sent in (
                ("secret set -E staging db_password", MARKER), ("secret set db_password", MARKER), ("secret list -E staging", None),
                ("secret list -E staging --json", None), ("verify -E staging", None), ("deploy -E staging -y --force --poll 50ms", None),
                ("status -E staging", None), ("history -E staging", None), ("events -E staging", None), ("secret rotate -E staging -y db_password", None),
                ("secret set -E staging --file /nowhere db_password", None), ("config -E staging", None), ("exec -E staging clock id", None),
            ):
                ran = world.cais(words, sent=sent, env={"RUST_LOG": "trace", "RUST_BACKTRACE": "1"})
                said.append(ran.out + ran.err)
        for marker in planted:
            self.assertFalse(any(marker in text for text in said), f"{marker} was printed")
            self.assertFalse(any(marker in text for text in seen.lists), f"{marker} was in an argument list")
            files = [str(path) for path in world.root.rglob("*") if path.is_file() and marker.encode() in path.read_bytes()]
            self.assertEqual(files, [])
            requests = json.dumps(world.ecs.calls)
            self.assertNotIn(marker, requests)


class Arguments:
    """Watches the argument lists of all processes as another user of the machine can."""

    def __enter__(self):
        self.lists, self.go = set(), True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while self.go:
            for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.lists.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    pass
            time.sleep(0.01)

    def __exit__(self, *_):
        self.go = False
        self.thread.join()


if __name__ == "__main__":
    unittest.main()
