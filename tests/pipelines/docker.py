"""Docker's command line, as far as the workflows use it: a login to GitHub's registry, which the job's own permissions allow."""
import base64
import json
import os
import pathlib
import sys

state = json.loads(os.environ["STAND_IN_FOR_GITHUB"])
words = sys.argv[1:]
if words[0:2] != ["login", "--username"] or words[3:] != ["--password-stdin", "ghcr.io"]:
    sys.exit(f"docker: the stand-in does not know {words}")
if state["may"].get("packages") not in ("read", "write"):
    sys.exit("docker: denied: permission_denied: The token provided does not match expected scopes. (packages)")
login = base64.b64encode(f"{words[2]}:{sys.stdin.readline().strip()}".encode()).decode()
config = pathlib.Path.home() / ".docker/config.json"
config.parent.mkdir(exist_ok=True)
config.write_text(json.dumps({"auths": {"ghcr.io": {"auth": login}}}))
print("Login Succeeded")
