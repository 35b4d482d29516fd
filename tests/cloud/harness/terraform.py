"""Runs the real terraform on copies of rendered roots: init, validate, plan, apply, and a plan that must find nothing.

The copies differ from what was rendered in one file: `verify_override.tf` keeps the state in a local file instead of S3,
and lets the services root read the foundation's from there.
"""

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

OVERRIDE = "verify_override.tf"


class Failed(Exception):
    """A command that should have succeeded, with what it printed."""


@dataclass
class Root:
    """A rendered root: `staging/foundation`."""

    name: str
    folder: Path
    resources: list = field(default_factory=list)
    applied: list = field(default_factory=list)
    steps: dict = field(default_factory=dict)
    variables: list = field(default_factory=list)
    outputs: dict = field(default_factory=dict)

    @property
    def environment(self):
        return Path(self.name).parts[0]


class Terraform:
    """The terraform program, with a provider double behind it."""

    def __init__(self, program, reattach):
        # Whatever the machine says about terraform is not asked: no configuration, no plug-in folder, no upgrade check.
        own = ("TF_", "AWS_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        self.environment |= {
            "TF_REATTACH_PROVIDERS": reattach,
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": os.devnull,
        }
        self.program = program

    def run(self, folder, *words, codes=(0,)):
        done = subprocess.run(
            [self.program, *words], cwd=folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode not in codes:
            raise Failed(f"terraform {' '.join(words)} in {folder}:\n{done.stdout}{done.stderr}")
        return done

    def with_environment(self, more):
        """The same terraform with more variables."""
        other = Terraform(self.program, self.environment["TF_REATTACH_PROVIDERS"])
        other.environment |= more
        return other

    def start(self, folder, *words):
        """A run that is left waiting for its answer."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen([self.program, *words], cwd=folder, env=self.environment, text=True, **pipes)

    def init(self, folder):
        # The lock file names no checksum of a double, so it is left out.
        return self.run(folder, "init", "-no-color", "-input=false", "-reconfigure")

    def diagnostics(self, folder):
        """What `validate` finds: sentences."""
        done = self.run(folder, "validate", "-json", codes=(0, 1))
        found = json.loads(done.stdout)["diagnostics"]
        return [f"{d['summary']}: {d.get('detail', '')}".strip() for d in found if d["severity"] == "error"]


def roots(rendered):
    """The roots below a folder, in the order in which they are applied."""
    folders = {path.parent for path in rendered.rglob("*.tf") if "modules" not in path.relative_to(rendered).parts}
    found = [Root(str(folder.relative_to(rendered)), folder) for folder in folders]
    return sorted(found, key=lambda root: (root.environment, root.name))


def copy(rendered, work):
    """A copy of what was rendered, whose roots keep their state beside them."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(rendered, work, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
    found = roots(work)
    for root in found:
        text = "".join(path.read_text() for path in sorted(root.folder.glob("*.tf")))
        (root.folder / OVERRIDE).write_text(local_state(text))
    return found


def local_state(text):
    """The override for a root with this text."""
    override = 'terraform {\n  backend "local" {\n    path = "terraform.tfstate"\n  }\n}\n'
    for name in re.findall(r'data "terraform_remote_state" "(\w+)"', text):
        override += (
            f'\ndata "terraform_remote_state" "{name}" {{\n  backend = "local"\n'
            f'  config  = {{ path = "../{name}/terraform.tfstate" }}\n}}\n'
        )
    return override


def prove(terraform, root):
    """All steps on one root; it is left applied."""
    folder, variables = root.folder, variables_of(root.folder)
    root.variables = variables

    def step(name, *words, codes=(0,)):
        started = time.monotonic()
        done = terraform.run(folder, *words, codes=codes)
        root.steps[name] = time.monotonic() - started
        return done

    step("init", "init", "-no-color", "-input=false")
    step("validate", "validate", "-no-color")
    step("plan", "plan", "-no-color", "-input=false", "-out=plan.bin", *variables)
    root.resources = managed(json.loads(terraform.run(folder, "show", "-json", "plan.bin").stdout)["planned_values"])
    step("apply", "apply", "-no-color", "-input=false", "plan.bin")
    said = json.loads(terraform.run(folder, "output", "-json").stdout)
    root.outputs = {name: output["value"] for name, output in said.items()}
    root.applied = managed(json.loads(terraform.run(folder, "show", "-json").stdout)["values"])
    again = step("again", "plan", "-no-color", "-input=false", "-detailed-exitcode", *variables, codes=(0, 2))
    if again.returncode == 2:
        raise Failed(f"{root.name}: a second plan finds changes:\n{again.stdout}")
    return root


def foreseen(terraform, double, root):
    """The path of a plan, as JSON, that makes everything anew and knows what AWS alone decides: ARNs, keys, identities.

    In an ordinary plan these are unknown, and a reader of the plan takes an unknown key for one that nobody set.
    """
    double.foresees = True
    try:
        nothing_yet = "-state=nothing-yet.tfstate"
        terraform.run(root.folder, "plan", "-no-color", "-input=false", nothing_yet, "-out=foreseen.bin", *root.variables)
    finally:
        double.foresees = False
    path = root.folder / "foreseen.json"
    path.write_text(terraform.run(root.folder, "show", "-json", "foreseen.bin").stdout)
    made = managed(json.loads(path.read_text())["planned_values"])
    if len(made) != len(root.resources):
        raise Failed(f"{root.name}: {len(made)} resources in the plan that foresees, {len(root.resources)} in the first one")
    return path


def variables_of(folder):
    """`-var` for every variable without a default: what a person would type."""
    words = []
    for path in sorted(folder.glob("*.tf")):
        for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', path.read_text(), re.S | re.M):
            if not re.search(r"^\s+default\s*=", body, re.M):
                words.append(f"-var={name}={example(name, body)}")
    return words


def example(name, body):
    """A value that a variable could have."""
    kind = re.search(r"type\s*=\s*(\w+)", body)
    kind = kind[1] if kind else "string"
    if kind in ("map", "object"):
        return "{}"
    if kind in ("list", "set"):
        return "[]"
    return {"number": "1", "bool": "true"}.get(kind, "0123456789abcdef0123456789abcdef01234567")


def managed(values):
    """The managed resources of a plan or a state: dictionaries with address, type and values."""

    def walk(module):
        yield from (r for r in module.get("resources", []) if r["mode"] == "managed")
        for child in module.get("child_modules", []):
            yield from walk(child)

    return list(walk(values["root_module"]))
