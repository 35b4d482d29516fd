"""The stages, in the order in which they run; each one's first line says what it shows."""

from collections import Counter

import shutil

from . import api, checkov, cloudformation, pulumi
from .mutations import MISTAKES, plant
from .terraform import Failed, copy, prove


def terraform(setting):
    """real init, validate, plan, apply and a plan that finds nothing, on each root."""
    if setting.terraform is None:
        setting.skipped("terraform", "terraform is not on PATH")
        return
    found = copy(setting.infra / "terraform", setting.work / "terraform")
    if not found:
        raise Failed(f"{setting.infra}/terraform has no roots")
    print(f"  {'root':<26}{'resources':>9}{'types':>7}   init validate    plan   apply    again")
    for root in found:
        prove(setting.terraform, root)
        times = "".join(f"{root.steps[step]:7.1f}s" for step in ("init", "validate", "plan", "apply", "again"))
        kinds = Counter(resource["type"] for resource in root.resources)
        print(f"  {root.name:<26}{len(root.resources):>9}{len(kinds):>7}{times}", flush=True)
    setting.roots = found


def mutations(setting):
    """mistakes planted in what was rendered, one at a time: validate or plan must catch them."""
    if not setting.applied("mutations"):
        return
    caught, wrong = Counter(), []
    for mistake in MISTAKES:
        by = plant(setting, mistake)
        caught[by] += 1
        if by is None and not mistake.unseen:
            wrong.append(f"not caught: {mistake.name}")
        if by is not None and mistake.unseen:
            wrong.append(f"caught by {by}, though said to be unseen: {mistake.name}")
        note = f"by {by}" if by else f"not caught: {mistake.unseen}"
        print(f"  {mistake.name:<52} {note}", flush=True)
    total = sum(caught.values())
    print(f"  {total} planted: {total - caught[None]} caught ({caught['validate']} by validate, {caught['plan']} by plan)")
    if wrong:
        raise Failed("\n    ".join(["mutations:", *wrong]))


def security(setting):
    """checkov on the source and on the plans: none may fail, what is skipped says why, what is planted is found."""
    checkov.source(setting, setting.infra / "terraform")
    roots = setting.applied("security of plans")
    for root in roots:
        checkov.plan(setting, root)
    for root in roots[:1]:
        checkov.planted(setting, root)


def values(setting):
    """cfn-lint on task definitions, services and target groups as CloudFormation; it must catch a bad cpu and memory."""
    roots = setting.applied("values")
    if not roots:
        return
    errors, caught, tried = [], 0, 0
    for root in roots:
        written = cloudformation.template(root.applied)
        if not written["Resources"]:
            continue
        name = root.name.replace("/", "-")
        found = cloudformation.lint(setting, name, written)
        errors += [f"{root.name}: {error}" for error in found]
        planted = cloudformation.with_bad_memory(written)
        if planted is not None:
            tried += 1
            caught += any(error.startswith("E3047") for error in cloudformation.lint(setting, f"{name}-bad", planted))
        kinds = Counter(resource["Type"] for resource in written["Resources"].values())
        print(f"  {root.name:<26} {len(found)} errors; " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
    print(f"  a planted cpu 256 with memory 4096 is caught in {caught} of {tried}")
    if errors:
        raise Failed("cfn-lint:\n    " + "\n    ".join(errors))
    if caught != tried or tried == 0:
        raise Failed("the planted cpu and memory were not caught")


def aws_api(setting):
    """against moto: the lock of the state in S3, and secrets, log groups, repositories, roles read back."""
    roots = setting.applied("api")
    if not roots:
        return
    shutil.copytree(setting.infra / "terraform", setting.work / "locked")
    with api.Moto(setting) as moto:
        for environment in sorted({root.environment for root in roots}):
            mine = [root for root in roots if root.environment == environment]
            api.lock(setting, moto, mine[0])
            region = setting.double.faker.region
            counts = api.make(moto, region, [resource for root in mine for resource in root.applied])
            print(f"  {environment}: read back and equal: " + ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
            missing = {"aws_iam_role", "aws_ecr_repository", "aws_cloudwatch_log_group", "aws_secretsmanager_secret"} - set(counts)
            if missing:
                raise Failed(f"{environment} has none of {', '.join(sorted(missing))}")


def pulumi_programs(setting):
    """tsc --strict on the rendered programs, and mocks: every resource is registered, as many of each type as planned."""
    folder = pulumi.compile_all(setting, setting.infra / "pulumi")
    environments = sorted(path.name.split(".")[1] for path in (folder / "foundation").glob("Pulumi.*.yaml"))
    made = {}
    for environment in environments:
        foundation = pulumi.run(setting, folder, "foundation", environment, {})
        told = pulumi.told(setting, environment, foundation["exported"])
        services = pulumi.run(setting, folder, "services", environment, told)
        made[f"{environment}/foundation"], made[f"{environment}/services"] = foundation, services
    for name, each in made.items():
        if not each["registered"]:
            raise Failed(f"{name} registers nothing")
    roots = setting.applied("pulumi against the plan")
    if roots:
        pulumi.check_names(setting, {resource["type"] for root in roots for resource in root.resources})
    for root in roots:
        if root.name not in made:
            raise Failed(f"there is no Pulumi program for {root.name}")
        pulumi.compare(setting, root, made[root.name]["registered"])


ALL = {"terraform": terraform, "mutations": mutations, "security": security, "values": values, "api": aws_api, "pulumi": pulumi_programs}
# Stages that read what another one made.
NEED = {name: ("terraform",) for name in ("mutations", "security", "values", "api", "pulumi")}


def with_what_they_need(names):
    """The stages that were asked for and those they read from, in order."""
    wanted = set(names)
    for name in names:
        wanted.update(NEED.get(name, ()))
    return [name for name in ALL if name in wanted]
