"""Pulumi's command line, as far as the workflows use it: compiles the program of a stack and runs it under Pulumi's own mocks. What
`up` registered and exported is kept in the bucket, where another project's stack reference finds it."""
import json
import os
import pathlib
import subprocess
import sys
import urllib.parse

import boto3
import yaml

words = sys.argv[1:]
note = pathlib.Path(os.environ["RUNNER_TEMP"]) / "pulumi-backend"


def s3():
    return boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def kept(bucket, project, stack):
    try:
        return json.loads(s3().get_object(Bucket=bucket, Key=f".pulumi/stacks/{project}/{stack}.json")["Body"].read())
    except s3().exceptions.NoSuchKey:
        return {"registered": [], "exported": {}}


if words[0] == "login":
    url = urllib.parse.urlparse(words[1])
    if len(words) != 2 or url.scheme != "s3" or urllib.parse.parse_qs(url.query) != {"region": [os.environ["AWS_REGION"]]}:
        sys.exit(f"pulumi: the stand-in does not know {words}")
    s3().head_bucket(Bucket=url.netloc)
    note.write_text(url.netloc)
    print(f"Logged in to {words[1]}")
    sys.exit()

verb, stack = words[2], words[4]
expected = {"preview": ["--non-interactive", "--color", "never", "--diff"], "up": ["--non-interactive", "--yes"]}
if words[0] != "--cwd" or words[3] != "--stack" or words[5:] != expected.get(verb):
    sys.exit(f"pulumi: the stand-in does not know {words}")
if not note.exists():
    sys.exit("pulumi: error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions")
bucket, folder = note.read_text(), pathlib.Path(words[1]).resolve()
project = yaml.safe_load((folder / "Pulumi.yaml").read_text())["name"]
file = folder / f"Pulumi.{stack}.yaml"
if not file.exists():
    sys.exit(f"pulumi: error: no stack named '{stack}' found")
settings = yaml.safe_load(file.read_text()).get("config") or {}
settings = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}

root, modules = folder.parent, folder.parent / "node_modules"
out = pathlib.Path(os.environ["RUNNER_TEMP"]) / "pulumi-out"
done = subprocess.run(["node", str(modules / "typescript/bin/tsc"), "-p", ".", "--noEmit", "false", "--outDir", str(out), "--pretty", "false"],
                      cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {"NODE_OPTIONS": "--max-old-space-size=4096"})
if done.returncode:
    sys.exit(f"pulumi: error: the program does not compile\n{done.stdout}")
if not (out / "node_modules").exists():
    (out / "node_modules").symlink_to(modules)
(out / "mocks.js").write_text(pathlib.Path(os.environ["STAND_IN_FOR_PULUMI"]).read_text())
foundation = kept(bucket, project.replace("-services", "-foundation"), stack)["exported"]
program = [str(out / folder.name / "index.js"), project, stack, json.dumps(settings), json.dumps(foundation)]
done = subprocess.run(["node", "mocks.js", *program], cwd=out, text=True, capture_output=True)
if done.returncode:
    sys.exit(f"pulumi: error: running program failed\n{done.stderr[-4000:]}")
made, before = json.loads(done.stdout), kept(bucket, project, stack)
inputs = lambda state: {(one["type"], one["name"]): one["inputs"] for one in state["registered"]}  # noqa: E731
old, new = inputs(before), inputs(made)
count = {"create": 0, "update": 0, "unchanged": 0, "delete": len(old.keys() - new.keys())}
for key, value in new.items():
    what = "create" if key not in old else "unchanged" if old[key] == value else "update"
    count[what] += 1
    if what != "unchanged":
        print(f"    {'+' if what == 'create' else '~'} {key[0]}: {key[1]}")
print("Resources:", ", ".join(f"{number} to {what}" for what, number in count.items() if number))
if verb == "up":
    s3().put_object(Bucket=bucket, Key=f".pulumi/stacks/{project}/{stack}.json", Body=json.dumps(made).encode())
