"""Runs checkov on what was rendered, prints its counts and every skip with its reason, and fails on any finding."""

import json
import os
import re
import subprocess
from collections import defaultdict

from .terraform import Failed


def source(setting, folder):
    """On the Terraform files as they stand."""
    report(run(setting, "-d", str(folder), "--framework", "terraform"), "source")


def plan(setting, root):
    """On the plan before the apply and on the one after it; what fails in both is a finding.

    Before, keys and identities are not known yet, so checkov misses them where they are set. After, what nobody set has
    been made up by the double, so it finds things that nobody wrote. A plan has no comments either: what the source
    accepts is looked up in the modules that the root uses.
    """
    found, after = (run(setting, "-f", str(path), "--framework", "terraform_plan") for path in (root.plan_json, root.known_json))
    again = {named(check) for check in after["results"]["failed_checks"]}
    accepted = accepted_in(root.folder)
    results, failed, alone = found["results"], [], []
    for check in results["failed_checks"]:
        address, identity = named(check)
        reason = accepted.get((re.sub(r"\[.*?\]", "", address), identity))
        if reason is not None:
            check["check_result"]["suppress_comment"] = reason
            results["skipped_checks"].append(check)
        elif (address, identity) in again:
            failed.append(check)
        else:
            alone.append(f"{identity} {address}")
    found["summary"] |= {"failed": len(failed), "skipped": len(results["skipped_checks"])}
    results["failed_checks"] = failed
    report(found, f"plan of {root.name}")
    for finding in alone:
        print(f"      only where values are not known yet, and gone when they are: {finding}")


def named(check):
    return check["resource"], check["check_id"]


def accepted_in(folder):
    """What the source of a root and its modules accepts: (address, id of the check) to the reason."""
    found = {}
    text = "".join(path.read_text() for path in sorted(folder.glob("*.tf")))
    modules = re.findall(r'^module "(\w+)" \{\n\s+source\s+= "([^"]+)"', text, re.M)
    places = [("", folder)] + [(f"module.{name}.", folder / source) for name, source in modules]
    for prefix, place in places:
        source = "".join(path.read_text() for path in sorted(place.glob("*.tf")))
        for kind, name, body in re.findall(r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}', source, re.S | re.M):
            for check, reason in re.findall(r"#checkov:skip=(\w+):([^\n]+)", body):
                found[(f"{prefix}{kind}.{name}", check)] = reason
    return found


def run(setting, *words):
    # Neither its own account nor the network is asked.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BC_", "PRISMA_", "CKV_"))}
    done = subprocess.run(
        [setting.program("checkov", "checkov"), *words, "--skip-download", "--compact", "-o", "json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise Failed(f"checkov {' '.join(words)} printed no JSON:\n{done.stdout[-2000:]}{done.stderr[-2000:]}") from None
    return found[0] if isinstance(found, list) else found


def report(found, what):
    if "results" not in found:
        raise Failed(f"{what}: checkov looked at nothing: {found}")
    counts, results = found["summary"], found["results"]
    print(
        f"  {what:<34} {counts['passed']:>4} passed {counts['failed']:>3} failed {counts['skipped']:>3} skipped"
        f"  of {counts['resource_count']} resources",
        flush=True,
    )
    reasons = defaultdict(set)
    for check in results["skipped_checks"]:
        reasons[(check["check_id"], check["check_result"].get("suppress_comment") or "")].add(check["resource"])
    for (check, reason), resources in sorted(reasons.items()):
        print(f"      skipped {check} ({len(resources)}): {reason}")
    bare = [check for (check, reason) in reasons if not reason.strip()]
    if bare:
        raise Failed(f"{what}: skipped without a reason: {', '.join(sorted(set(bare)))}")
    if counts["parsing_errors"]:
        raise Failed(f"{what}: checkov could not read {found['results'].get('parsing_errors')}")
    failed = [f"{c['check_id']} {c['resource']}: {c['check_name']} ({c['file_path']})" for c in results["failed_checks"]]
    if failed:
        raise Failed(f"{what}:\n    " + "\n    ".join(failed))
