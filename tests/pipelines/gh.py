"""GitHub's command line, as far as the workflows use it: runs, and comments of a pull request in a file."""
import json
import os
import pathlib
import subprocess
import sys

state = json.loads(os.environ["STAND_IN_FOR_GITHUB"])
comments = pathlib.Path(state["comments"])
words = sys.argv[1:]
if not os.environ.get("GH_TOKEN"):
    sys.exit("gh: no token")


def may(scope, access):
    if state["may"].get(scope) not in (access, "write"):
        sys.exit(f"gh: HTTP 403: Resource not accessible by integration ({scope}: {access})")


def after(flag):
    return words[words.index(flag) + 1]


def jq(value):
    done = subprocess.run(["jq", "--raw-output", after("--jq")], input=json.dumps(value), text=True, check=True, stdout=subprocess.PIPE)
    sys.stdout.write(done.stdout)


known = json.loads(comments.read_text())
if words[:2] == ["run", "list"]:
    may("actions", "read")
    found = [run for run in state["runs"] if run["workflowName"] == after("--workflow") and run["conclusion"] == after("--status")]
    jq(found[::-1][: int(after("--limit"))])
elif words[0] == "api" and "--paginate" in words:
    may("pull-requests", "read")
    jq(known)
elif words[0] == "api" and after("--method") == "PATCH":
    may("pull-requests", "write")
    number = int(next(word for word in words if word.startswith("repos/")).rsplit("/", 1)[1])
    body = pathlib.Path(after("--field").removeprefix("body=@")).read_text()
    next(one for one in known if one["id"] == number)["body"] = body
    comments.write_text(json.dumps(known))
elif words[:2] == ["pr", "comment"]:
    may("pull-requests", "write")
    known.append({"id": len(known) + 1, "body": pathlib.Path(after("--body-file")).read_text()})
    comments.write_text(json.dumps(known))
else:
    sys.exit(f"gh: the stand-in does not know {words}")
