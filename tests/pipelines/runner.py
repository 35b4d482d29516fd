"""Runs a rendered workflow as GitHub would: jobs after those they need, `run` steps by bash, a stand-in for each `uses`.

What it does not know (an action, an expression, a key of a step) is an error. What a stand-in may do is bound to what the
job's `permissions` grant, so that a grant that is missing shows."""
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import time

import yaml

from expressions import Unknown, condition, fill

JOB_KEYS = {"name", "needs", "if", "runs-on", "timeout-minutes", "permissions", "outputs", "environment", "concurrency", "steps"}
STEP_KEYS = {"name", "id", "if", "env", "run", "uses", "with"}


class Loader(yaml.SafeLoader):
    """`on` is a key, not a truth."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:bool"] for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def read(path):
    return yaml.load(path.read_text(encoding="utf-8"), Loader)


def matches(pattern, path):
    """GitHub's patterns of paths: `*` stays in its folder, `**` does not."""
    rule = "".join({"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in re.findall(r"\*\*/|\*\*|\*|[^*]+", pattern))
    return re.fullmatch(rule, path) is not None


def starts(workflow, event, branch, files):
    """Does an event on a branch, with these files in it, start the workflow?"""
    on = workflow["on"].get(event, False)
    if on is False:
        return False
    on = on or {}
    unknown = set(on) - {"branches", "paths", "paths-ignore", "inputs"}
    if unknown:
        raise Unknown(f"`on` with {unknown}")
    if "branches" in on and not any(fnmatch.fnmatch(branch, one) for one in on["branches"]):
        return False
    if "paths" in on:
        return any(matches(pattern, file) for file in files for pattern in on["paths"])
    if "paths-ignore" in on:
        return not all(any(matches(pattern, file) for pattern in on["paths-ignore"]) for file in files)
    return True


class Job:
    """One job on its way, and what the stand-ins may look at."""

    def __init__(self, run, name, text, contexts, environment):
        self.run, self.name, self.text, self.contexts, self.environment = run, name, text, contexts, environment
        self.permissions = {"metadata": "read"} | text["permissions"]
        self.folder = run.github.machine / "work"
        self.temp = run.github.machine / "temp"
        self.status, self.steps, self.outputs, self.log = "success", {}, {}, []
        self.variables, self.path = {}, []

    def may(self, scope, access):
        if self.permissions.get(scope) not in (access, "write"):
            raise Refused(f"{self.name}: the job has no `{scope}: {access}`")

    def perform(self):
        for folder in (self.folder, self.temp):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for number, step in enumerate(self.text["steps"]):
            self.step(number, step)
        self.outputs = {key: fill(value, self.here()) for key, value in self.text.get("outputs", {}).items()} if self.status == "success" else {}
        return self.status

    def here(self):
        return self.contexts | {"steps": self.steps}

    def step(self, number, step):
        unknown = set(step) - STEP_KEYS
        if unknown:
            raise Unknown(f"a step with {unknown}")
        name = step.get("id", f"#{number}")
        if not condition(step.get("if", "success()"), self.here(), self.status):
            self.steps[name] = {"outcome": "skipped", "outputs": {}}
            return
        began = time.monotonic()
        if "uses" in step:
            given = {key: fill(value, self.here(), self.status) for key, value in step.get("with", {}).items()}
            code, text, outputs = self.uses(step["uses"].split("@")[0], given)
        else:
            code, text, outputs = self.bash(number, step)
        outcome = "failure" if code else "success"
        self.steps[name] = {"outcome": outcome, "outputs": outputs}
        self.log.append({"job": self.name, "step": step["name"], "outcome": outcome, "seconds": time.monotonic() - began, "said": text})
        if code:
            self.status = "failure"

    def uses(self, action, given):
        stand_in = self.run.github.actions.get(action)
        if stand_in is None:
            raise Unknown(f"there is no stand-in for the action `{action}`")
        try:
            return 0, "", stand_in(self, given) or {}
        except Refused as no:
            return 1, str(no), {}

    def bash(self, number, step):
        files = {key: self.temp / f"{key.lower()}-{number}" for key in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        script = self.temp / f"step-{number}.sh"
        script.write_text(step["run"], encoding="utf-8")
        own = {key: str(fill(value, self.here(), self.status)) for key, value in step.get("env", {}).items()}
        environ = self.run.github.environ(self) | {key: str(file) for key, file in files.items()} | self.variables | own
        environ["PATH"] = ":".join([*self.path, environ["PATH"]])
        done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", script], cwd=self.folder, env=environ, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
        self.variables |= pairs(files["GITHUB_ENV"])
        self.path = [*reversed(files["GITHUB_PATH"].read_text().split()), *self.path]
        self.run.github.after_step()
        return done.returncode, done.stdout, pairs(files["GITHUB_OUTPUT"])


class Refused(Exception):
    """What a stand-in does not let a job do."""


def pairs(file):
    """`name=value`, and `name<<END … END`."""
    found, lines = {}, iter(file.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if "<<" in line.split("=")[0]:
            name, end = line.split("<<", 1)
            value = []
            for more in lines:
                if more == end:
                    break
                value.append(more)
            found[name] = "\n".join(value)
        else:
            name, value = line.split("=", 1)
            found[name] = value
    return found


class Run:
    """A workflow's run, from its event to its last job."""

    def __init__(self, github, path, event):
        self.github, self.workflow, self.event = github, read(path), event
        self.file = path.name
        self.results, self.log = {}, []

    def perform(self):
        if self.workflow.get("permissions") != {}:
            raise Unknown("a workflow grants what no job asked for")
        left = dict(self.workflow["jobs"])
        while left:
            name = next(name for name, job in left.items() if all(need in self.results for need in job.get("needs", [])))
            self.job(name, left.pop(name))
        self.status = "failure" if any(job["result"] == "failure" for job in self.results.values()) else "success"
        self.github.finished(self)
        return self

    def job(self, name, text):
        unknown = set(text) - JOB_KEYS
        if unknown:
            raise Unknown(f"the job `{name}` with {unknown}")
        needs = {need: self.results[need] for need in text.get("needs", [])}
        contexts = {"github": self.event["github"], "needs": needs, "inputs": self.event.get("inputs", {}), "vars": self.github.variables(None)}
        succeeded = all(need["result"] == "success" for need in needs.values())
        if not succeeded or not condition(text.get("if", "success()"), contexts, "success"):
            self.results[name] = {"result": "skipped", "outputs": {}}
            return
        environment = text.get("environment")
        environment = environment["name"] if isinstance(environment, dict) else environment
        environment = fill(environment, contexts) if environment else None
        contexts["vars"] = self.github.variables(environment)
        job = Job(self, name, text, contexts, environment)
        status = job.perform()
        self.log += job.log
        self.results[name] = {"result": status, "outputs": job.outputs}

    def said(self, step):
        """What a step printed: the last of that name that ran."""
        return next((one["said"] for one in reversed(self.log) if one["step"] == step), None)

    def ran(self):
        return [name for name, job in self.results.items() if job["result"] != "skipped"]

    def __str__(self):
        lines = [f"{self.file}: " + ", ".join(f"{name} {job['result']}" for name, job in self.results.items())]
        for one in self.log:
            lines.append(f"  {one['outcome']:<8}{one['seconds']:6.1f} s  {one['job']}: {one['step']}")
            if one["outcome"] == "failure":
                lines += [f"    | {line}" for line in one["said"].splitlines()[-40:]]
        return "\n".join(lines)
