"""Runs checkov on what was rendered, prints its counts and every skip with its reason, and fails on any finding."""

import json
import os
import re
import subprocess
from collections import defaultdict

from .mutations import block
from .terraform import Failed, foreseen

# What checkov has to find when it is planted: without that, its silence would say nothing. The first three are attributes
# that AWS fills in where nobody sets them.
PLANTED = (
    ("CKV_AWS_149", block("aws_secretsmanager_secret", r"  kms_key_id[^\n]*\n"), r"\1"),
    ("CKV_AWS_158", block("aws_cloudwatch_log_group", r"  kms_key_id[^\n]*\n", "flow"), r"\1"),
    ("CKV_AWS_191", block("aws_elasticache_replication_group", r"  kms_key_id[^\n]*\n"), r"\1"),
    ("CKV_AWS_51", block("aws_ecr_repository", r'"IMMUTABLE"'), r'\1"MUTABLE"'),
    ("CKV_AWS_163", block("aws_ecr_repository", r"(scan_on_push\s+= )true"), r"\1\2false"),
    ("CKV_AWS_30", block("aws_elasticache_replication_group", r"(transit_encryption_enabled\s+= )true"), r"\1\2false"),
)


def source(setting, folder):
    """On the Terraform files as they stand."""
    report(run(setting, "-d", str(folder), "--framework", "terraform"), "source")


def plan(setting, root):
    """On a plan in which keys and identities are known already.

    A plan has no comments: what the source accepts is looked up in the modules that the root uses.
    """
    path = foreseen(setting.terraform, setting.double, root)
    found = run(setting, "-f", str(path), "--framework", "terraform_plan")
    accepted = accepted_in(root.folder)
    results, failed = found["results"], []
    for check in results["failed_checks"]:
        reason = accepted.get((re.sub(r"\[.*?\]", "", check["resource"]), check["check_id"]))
        if reason is None:
            failed.append(check)
        else:
            check["check_result"]["suppress_comment"] = reason
            results["skipped_checks"].append(check)
    found["summary"] |= {"failed": len(failed), "skipped": len(results["skipped_checks"])}
    results["failed_checks"] = failed
    report(found, f"plan of {root.name}")


def planted(setting, root):
    """Takes away what makes a foundation safe: checkov must miss each of it, in the source and in the plan."""
    before = {}
    for check, pattern, becomes in PLANTED:
        for path in sorted((setting.work / "terraform/modules").rglob("*.tf")):
            text = path.read_text()
            changed = re.sub(pattern, becomes, text, count=1, flags=re.S)
            if changed != text:
                before.setdefault(path, text)
                path.write_text(changed)
                break
        else:
            raise Failed(f"`{check}` finds no place in what is rendered: {pattern}")
    try:
        found = (
            run(setting, "-d", str(setting.work / "terraform/modules"), "--framework", "terraform"),
            run(setting, "-f", str(foreseen(setting.terraform, setting.double, root)), "--framework", "terraform_plan"),
        )
    finally:
        for path, text in before.items():
            path.write_text(text)
    wanted = {check for check, _, _ in PLANTED}
    missed = [wanted - {check["check_id"] for check in each["results"]["failed_checks"]} for each in found]
    for where, of in zip(("source", f"plan of {root.name}"), missed, strict=True):
        print(f"  {len(wanted)} planted in the {where}: {len(wanted) - len(of)} found", flush=True)
    if any(missed):
        raise Failed(f"checkov did not find {', '.join(sorted(set.union(*missed)))}")


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
