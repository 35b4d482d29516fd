"""Compiles the rendered Pulumi programs with `tsc --strict`, runs them under Pulumi's mocks, and compares what they register
with what Terraform plans: as many of each type, and the same values."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter

import yaml

from .terraform import Failed

# Types whose token no rule gives: written down here a second time, so that the printer's table is held against something.
TOKENS = {
    "aws_eip": "ec2/eip:Eip",
    "aws_lb": "lb/loadBalancer:LoadBalancer",
    "aws_iam_openid_connect_provider": "iam/openIdConnectProvider:OpenIdConnectProvider",
    "aws_vpc_security_group_egress_rule": "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws_vpc_security_group_ingress_rule": "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
}
EC2 = re.compile(
    r"aws_(default_security_group|default_network_acl|default_route_table|flow_log|internet_gateway|nat_gateway"
    r"|network_acl|route|route_table|route_table_association|security_group|subnet|vpc|vpc_endpoint)$"
)


def token(kind):
    """`aws_ecs_service` → `aws:ecs/service:Service`."""
    if kind in TOKENS:
        return f"aws:{TOKENS[kind]}"
    body = kind.removeprefix("aws_")
    if EC2.match(kind):
        namespace, rest = "ec2", body
    elif body.startswith("service_discovery_"):
        namespace, rest = "servicediscovery", body.removeprefix("service_discovery_")
    else:
        namespace, rest = body.split("_", 1)
    name = "".join(word.capitalize() for word in rest.split("_"))
    return f"aws:{namespace}/{name[0].lower()}{name[1:]}:{name}"


def check_names(setting, kinds):
    """Holds the printer's table of repeated blocks against the provider's schema, for the types that are rendered."""
    source = (setting.repository / "crates/cais-cloud/src/pulumi/names/table.rs").read_text()
    table = {
        kind: set(re.findall(r'"([\w.]+)"', paths))
        for kind, paths in re.findall(r'\(\s*"(aws_\w+)",\s*&\[(.*?)\],?\s*\)', source, re.S)
    }
    wrong = []
    for kind in sorted(kinds):
        schema = setting.double.resources[kind]["block"]
        said, depth = table.get(kind, set()), max((path.count(".") for path in table.get(kind, ())), default=0)
        known = {path for path in repeated(schema) if path.count(".") <= max(depth, 1)}
        wrong += [f"{kind}: {path}" for path in sorted(said ^ known) if path.count(".") <= depth or path in known]
    print(f"  names: {len(kinds)} types against the provider's schema, {len(wrong)} differences")
    if wrong:
        raise Failed("names/table.rs says otherwise than the schema which blocks may stand more than once:\n    " + "\n    ".join(wrong))


def repeated(block, path=""):
    """Paths of the blocks that may stand more than once."""
    for name, nested in block["block_types"].items():
        if name == "timeouts":
            continue
        if nested.get("max_items") != 1 and nested["nesting_mode"] != "single":
            yield path + name
        if path.count(".") < 8:
            yield from repeated(nested["block"], f"{path}{name}.")


def node(setting, folder, *words):
    """Node, with the packages that the programs want."""
    environment = dict(os.environ, NODE_PATH=str(setting.tools / "npm/node_modules"), NODE_OPTIONS="--max-old-space-size=4096")
    return subprocess.run(["node", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def compile_all(setting, rendered):
    """A copy of what was rendered, compiled by its own tsconfig.json; the folder of the JavaScript."""
    folder = setting.work / "pulumi"
    shutil.copytree(rendered, folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(setting.tools / "npm/node_modules")
    if not json.loads((folder / "tsconfig.json").read_text())["compilerOptions"]["strict"]:
        raise Failed("tsconfig.json is not strict")
    tsc = setting.tools / "npm/node_modules/typescript/bin/tsc"
    done = node(setting, folder, str(tsc), "-p", ".", "--noEmit", "false", "--outDir", "out", "--pretty", "false")
    errors = [line for line in done.stdout.splitlines() if ": error TS" in line]
    files = sorted(path.relative_to(folder) for path in folder.glob("*/*.ts"))
    print(f"  tsc --strict: {len(errors)} errors in {len(files)} files", flush=True)
    if done.returncode != 0:
        raise Failed(f"tsc:\n{done.stdout[:4000]}{done.stderr[:2000]}")
    (folder / "out/node_modules").symlink_to(setting.tools / "npm/node_modules")
    return folder


def run(setting, folder, project, environment, foundation):
    """What a program registers and exports."""
    settings = yaml.safe_load((folder / project / f"Pulumi.{environment}.yaml").read_text()).get("config") or {}
    name = yaml.safe_load((folder / project / "Pulumi.yaml").read_text())["name"]
    settings |= given(folder / project / f"{environment}.ts", name)
    words = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    shutil.copy(setting.harness / "mocks.js", folder / "out/mocks.js")
    program = str(folder / "out" / project / f"{environment}.js")
    arguments = (program, name, environment, json.dumps(words), json.dumps(foundation))
    done = node(setting, folder / "out", "mocks.js", *arguments)
    if done.returncode != 0:
        raise Failed(f"{project} {environment} under mocks:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout)


def given(program, project):
    """Settings that the caller has to give."""
    found = {}
    for kind, name in re.findall(r"config\.require(\w*)(?:<[^(]*>)?\(\"(\w+)\"\)", program.read_text()):
        found[f"{project}:{name}"] = {"Object": "{}", "Number": "1", "Boolean": "true"}.get(
            kind, "0123456789abcdef0123456789abcdef01234567"
        )
    return found


def told(setting, environment, exported):
    """What the services are told of the foundation: under Pulumi's names what Terraform's foundation tells, so that both
    programs of the services can be held against each other."""
    root = next((root for root in setting.roots if root.name == f"{environment}/foundation"), None)
    if root is None:
        return exported
    outputs = {re.sub(r"_(\w)", lambda match: match[1].upper(), name): value for name, value in root.outputs.items()}
    if set(outputs) != set(exported):
        raise Failed(f"{environment}/foundation: only one of the two programs tells {sorted(set(outputs) ^ set(exported))}")
    return outputs


def compare(setting, root, registered):
    """Holds what a program registers against what Terraform plans for the same root."""
    planned = Counter(token(resource["type"]) for resource in root.resources)
    made = Counter(each["type"] for each in registered if each["type"].startswith("aws:"))
    verdict = "equal" if planned == made else "DIFFERENT"
    print(f"  {root.name:<26}{sum(planned.values()):>5} planned {sum(made.values()):>5} registered {len(made):>4} types: {verdict}")
    if planned != made:
        lines = [f"{kind}: terraform {planned[kind]}, pulumi {made[kind]}" for kind in sorted(planned | made) if planned[kind] != made[kind]]
        raise Failed(f"{root.name}:\n    " + "\n    ".join(lines))
    values = missing = 0
    # What a data source said is made up on each side for itself.
    made_up = set(leaves(list(setting.double.answers.values())))
    lines = []
    for kind in sorted({resource["type"] for resource in root.resources}):
        mine = [(r["address"], leaves(r.get("values") or {})) for r in root.resources if r["type"] == kind]
        others = [leaves(each["inputs"]) for each in registered if each["type"] == token(kind)]
        for address, wanted in sorted(mine, key=lambda pair: -sum(pair[1].values())):
            nearest = min(others, key=lambda other: sum((wanted - other).values()))
            others.remove(nearest)
            values += sum(wanted.values())
            lost = Counter({value: count for value, count in (wanted - nearest).items() if value not in made_up})
            missing += sum(lost.values())
            lines += [f"{address}: terraform plans {value[:200]}, pulumi does not" for value in sorted(lost)]
    print(f"  {'':<26}{values:>5} values that Terraform knows before the apply, {missing} of them not in the Pulumi program")
    if lines:
        raise Failed(f"{root.name}:\n    " + "\n    ".join(lines))


def leaves(value):
    """The texts, numbers and booleans of a value, each as a text; JSON texts are read."""
    if isinstance(value, dict):
        return sum((leaves(each) for each in value.values()), Counter())
    if isinstance(value, list):
        return sum((leaves(each) for each in value), Counter())
    if value is None or value == "":
        return Counter()
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return leaves(json.loads(value))
        except json.JSONDecodeError:
            pass
    return Counter([value if isinstance(value, str) else json.dumps(value)])
