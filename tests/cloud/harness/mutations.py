"""Mistakes that are planted, one at a time, in what was rendered: each should be caught by terraform with the double.

A mistake is a pattern and what it becomes, at its first place in the rendered files. One that finds no place fails the
stage: the list then no longer fits what is rendered.
"""

import json
import re
from dataclasses import dataclass

from .terraform import Failed


@dataclass(frozen=True)
class Mistake:
    """What is wrong, where it is planted, and what it becomes."""

    name: str
    pattern: str
    becomes: str
    # Why nobody here can see it; such a mistake is planted to show that.
    unseen: str = ""


def block(kind, inside="", name=r"\w+"):
    """A pattern that begins at a resource of this type and goes on to `inside`, within the resource."""
    return rf'(resource "{kind}" "{name}" \{{\n(?:(?!\n\}}).)*?){inside}'


MISTAKES = (
    Mistake("misspelt attribute", block("aws_vpc", r"cidr_block(\s+=)"), r"\1cidr_blok\2"),
    Mistake("misspelt attribute in a block", block("aws_ecs_service", r"rollback(\s*=)"), r"\1roll_back\2"),
    Mistake("misspelt block", block("aws_lb_target_group", r"health_check \{"), r"\1healthcheck {"),
    Mistake("a block's Pulumi name", block("aws_ecs_service", r"load_balancer \{"), r"\1load_balancers {"),
    Mistake("missing attribute", block("aws_ecs_task_definition", r"  family\s+=[^\n]*\n"), r"\1"),
    Mistake("missing attribute in a block", block("aws_lb_listener", r"  status_code\s+=[^\n]*\n"), r"\1"),
    Mistake("missing block", block("aws_lb_listener", r"  default_action \{.*?\n  \}\n"), r"\1"),
    Mistake("attribute that AWS decides", block("aws_lb", r""), r'\1  arn = "arn:aws:elasticloadbalancing:::x"' + "\n"),
    Mistake("text for a number", block("aws_cloudwatch_log_group", r"retention_in_days(\s+)= [^\n]*"), r'\1retention_in_days\2= "a year"'),
    Mistake("text for a boolean", block("aws_ecr_repository", r"scan_on_push(\s+)= true"), r'\1scan_on_push\2= "often"'),
    Mistake("list for a text", block("aws_ecs_task_definition", r"container_definitions(\s+)= [^\n]*"), r'\1container_definitions\2= ["web"]'),
    Mistake("text for a list", block("aws_lb", r"security_groups(\s+)= [^\n]*"), r'\1security_groups\2= "sg-1"'),
    Mistake("object for a block", block("aws_ecs_service", r"deployment_circuit_breaker \{"), r"\1deployment_circuit_breaker = {"),
    Mistake("second block where one may stand", block("aws_ecs_service", r"(  deployment_circuit_breaker \{.*?\n  \}\n)"), r"\1\2\2"),
    Mistake("attribute twice", block("aws_vpc", r"(  cidr_block\s+=[^\n]*\n)"), r"\1\2\2"),
    Mistake("resource twice", r'(resource "aws_vpc" "(\w+)" \{\n)', r'resource "aws_vpc" "\2" {' + "\n}\n\n" + r"\1"),
    Mistake("unknown type of resource", r'resource "aws_ecs_service"', 'resource "aws_ecs_services"'),
    Mistake("reference to an undeclared resource", block("aws_internet_gateway", r"aws_vpc\.(\w+)\.id"), r"\1aws_vpc.elsewhere.id"),
    Mistake("reference to an unknown attribute", block("aws_internet_gateway", r"aws_vpc\.(\w+)\.id"), r"\1aws_vpc.\2.identity"),
    Mistake("reference to an undeclared variable", block("aws_vpc", r"var\.cidr_block"), r"\1var.cidr"),
    Mistake("reference to an output that a module has not", r"module\.network\.vpc_id", "module.network.vpc"),
    Mistake("reference to an output that the foundation has not", r"(remote_state\.foundation\.outputs)\.vpc_id", r"\1.vpc"),
    Mistake("argument that a module has not", r'(module "network" \{\n\s+source[^\n]*\n)', r"\1  cidr = 1" + "\n"),
    Mistake("argument left out", r'(module "network" \{.*?\n)  cidr_block\s+=[^\n]*\n', r"\1"),
    Mistake("argument of another type", r'(module "network" \{.*?  public_subnets\s+= )\{.*?\n  \}', r'\1"10.0.0.0/24"'),
    Mistake("module that is not there", r'(module "network" \{\n\s+source\s+= )"[^"]*"', r'\1"../../modules/net"'),
    Mistake("value that an enum has not: mutability", block("aws_ecr_repository", r"image_tag_mutability(\s+)= \"\w+\""), r'\1image_tag_mutability\2= "FROZEN"'),
    Mistake("value that an enum has not: protocol", block("aws_lb_listener", r"protocol(\s+)= \"HTTPS?\""), r'\1protocol\2= "HTTPX"', "AWS's model has several kinds of protocol, and the harness does not know which is meant"),
    Mistake("value that an enum has not: target", block("aws_lb_target_group", r"target_type(\s+)= \"\w+\""), r'\1target_type\2= "task"'),
    Mistake("value that an enum has not: traffic", block("aws_flow_log", r"traffic_type(\s+)= \"\w+\""), r'\1traffic_type\2= "SOME"'),
    Mistake("value that an enum has not: rebalancing", block("aws_ecs_service", r"availability_zone_rebalancing(\s+)= \"\w+\""), r'\1availability_zone_rebalancing\2= "SOMETIMES"'),
    Mistake("ignored attribute that is none", block("aws_ecs_service", r"ignore_changes(\s+)= \[desired_count"), r"\1ignore_changes\2= [desired_counts"),
    Mistake("dependency that is not there", block("aws_nat_gateway", r"depends_on(\s+)= \[aws_internet_gateway\.\w+"), r"\1depends_on\2= [aws_internet_gateway.elsewhere"),
    Mistake("bracket that is not closed", r'(resource "aws_vpc" "\w+" )\{', r"\1"),
    Mistake("misspelt metric", block("aws_cloudwatch_metric_alarm", r"(metric_name\s+= \")\w+"), r"\1\2Requests", "a metric is any text to CloudWatch: the alarm would stay without data"),
    Mistake("misspelt action of a policy", r'"ecr:BatchGetImage"', '"ecr:BatchGetImages"', "IAM takes actions that do not exist"),
    Mistake("port that the program does not listen on", block("aws_lb_target_group", r"(\n  port\s+= )[^\n]*"), r"\1\g<2>9", "only the running task knows"),
)


def plant(setting, mistake):
    """Plants a mistake, looks whether it is caught, and takes it back: by what, or None."""
    rendered = setting.work / "terraform"
    for path in sorted(rendered.rglob("*.tf")):
        text = path.read_text()
        changed = re.sub(mistake.pattern, mistake.becomes, text, count=1, flags=re.S)
        if changed == text:
            continue
        root = root_of(setting, path)
        if root is None:
            continue
        path.write_text(changed)
        try:
            return caught_by(setting, root)
        finally:
            path.write_text(text)
    raise Failed(f"`{mistake.name}` finds no place in what is rendered: {mistake.pattern}")


def root_of(setting, path):
    """The first root that a file belongs to: its own, or one that uses its module."""
    for root in setting.roots:
        if path.parent == root.folder:
            return root
    for root in setting.roots:
        modules = json.loads((root.folder / ".terraform/modules/modules.json").read_text())["Modules"]
        if any((root.folder / module["Dir"]).resolve() == path.parent.resolve() for module in modules):
            return root
    return None


def caught_by(setting, root):
    if setting.terraform.diagnostics(root.folder):
        return "validate"
    done = setting.terraform.run(root.folder, "plan", "-no-color", "-input=false", "-lock=false", *root.variables, codes=(0, 1))
    return "plan" if done.returncode else None
