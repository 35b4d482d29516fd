"""The stages, in the order in which they run; each one's first line says what it shows."""

from collections import Counter

from . import checkov
from .terraform import Failed, copy, prove


def terraform(setting):
    """real init, validate, plan, apply and a plan that finds nothing, on each root."""
    if setting.terraform is None:
        return setting.skipped("terraform", "terraform is not on PATH")
    found = copy(setting.infra / "terraform", setting.work / "terraform")
    if not found:
        raise Failed(f"{setting.infra}/terraform has no roots")
    print(f"  {'root':<26}{'resources':>9}{'types':>7}   init validate    plan   apply    again")
    for root in found:
        prove(setting.terraform, root)
        setting.roots.append(root)
        times = "".join(f"{root.steps[step]:7.1f}s" for step in ("init", "validate", "plan", "apply", "again"))
        kinds = Counter(resource["type"] for resource in root.resources)
        print(f"  {root.name:<26}{len(root.resources):>9}{len(kinds):>7}{times}", flush=True)


def security(setting):
    """checkov on the source and on the plans: none may fail, and what is skipped says why."""
    checkov.source(setting, setting.infra / "terraform")
    if not setting.roots:
        return setting.skipped("security of plans", "terraform is not on PATH")
    for root in setting.roots:
        checkov.plan(setting, root)


ALL = {"terraform": terraform, "security": security}
# Stages that read what another one made.
NEED = {"security": ("terraform",)}


def with_what_they_need(names):
    """The stages that were asked for and those they read from, in order."""
    wanted = set(names)
    for name in names:
        wanted.update(NEED.get(name, ()))
    return [name for name in ALL if name in wanted]
