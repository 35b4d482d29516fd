"""Runs the stages that are named, or all; sums up; ends with 1 when one failed."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from . import protocol, provider, schema, stages
from .terraform import Failed, Terraform

REPOSITORY = Path(__file__).resolve().parents[3]


class Setting:
    """What the stages share: where things are, and the results that later stages read."""

    def __init__(self, infra, work):
        self.infra = infra
        self.work = work
        self.repository = REPOSITORY
        self.harness = REPOSITORY / "tests/cloud"
        self.tools = Path(os.environ["CAIS_CLOUD_TOOLS"])
        self.terraform = None
        self.double = None
        self.roots = []
        self.not_run = []

    def program(self, environment, name):
        return str(self.tools / environment / "bin" / name)

    def applied(self, name):
        """The roots as the terraform stage left them; none where there is no terraform."""
        if self.terraform is None:
            self.skipped(name, "terraform is not on PATH")
        elif not self.roots:
            raise Failed("nothing was applied: see the terraform stage")
        return self.roots

    def skipped(self, name, reason):
        line = f"SKIPPED tests/cloud {name}: {reason}"
        print(line)
        self.not_run.append(line)
        if os.environ.get("CAIS_SKIPPED"):
            with open(os.environ["CAIS_SKIPPED"], "a", encoding="utf-8") as file:
                file.write(line + "\n")


def main():
    parser = argparse.ArgumentParser(prog="tests/cloud/verify", description="Proves what `cais infra` renders.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of: {', '.join(stages.ALL)} (default: all)")
    parser.add_argument("--infra", type=Path, default=REPOSITORY / "infra", help="what was rendered (default: infra/)")
    parser.add_argument("--keep", action="store_true", help="leave the copies, plans and states, and say where")
    asked = parser.parse_args()
    unknown = [name for name in asked.stages if name not in stages.ALL]
    if unknown:
        parser.error(f"no such stage: {', '.join(unknown)}; there are {', '.join(stages.ALL)}")
    work = Path(tempfile.mkdtemp(prefix="cais-cloud-"))
    try:
        setting = Setting(asked.infra.resolve(), work)
        return run(setting, asked.stages or list(stages.ALL))
    finally:
        if asked.keep:
            print(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)


def run(setting, names):
    program = shutil.which("terraform")
    if program is None:
        # The stages say for themselves what they cannot do without it.
        return sum_up(setting, run_stages(setting, names))
    schemas = schema.cached(setting.tools / "npm/node_modules/@cdktf/provider-aws/lib", setting.tools)
    print(
        f"provider schema {schemas['version']}: {len(schemas['resource_schemas'])} resources,"
        f" {len(schemas['data_source_schemas'])} data sources"
    )
    setting.double = provider.Double(protocol.Protocol(program), schemas)
    with provider.Server(setting.double, str(setting.work / "provider.sock")) as server:
        setting.terraform = Terraform(program, server.reattach)
        return sum_up(setting, run_stages(setting, names))


def run_stages(setting, names):
    results = []
    for name in stages.with_what_they_need(names):
        print(f"\n-- {name}: {stages.ALL[name].__doc__.splitlines()[0]}", flush=True)
        started = time.monotonic()
        try:
            stages.ALL[name](setting)
            passed = True
        except Failed as failure:
            print(f"FAILED {failure}")
            passed = False
        results.append((name, time.monotonic() - started, passed))
    return results


def sum_up(setting, results):
    print()
    for name, seconds, passed in results:
        print(f"  {name:<16} {seconds:6.1f} s  {'ok' if passed else 'FAILED'}")
    failed = sum(not passed for _, _, passed in results)
    print(f"\ncloud: {len(results) - failed} passed, {failed} failed, {len(setting.not_run)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
