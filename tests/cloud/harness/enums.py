"""Which texts an attribute may have, from AWS's own service models (botocore).

The provider's schema does not list the values of enums; the real provider checks them in its code. The models do list
them, so an attribute whose name is, in its service's model, only ever the name of one kind of enum is held to that.
"""

import functools

from botocore.loaders import Loader

# The service whose model speaks of a resource: the longest prefix wins.
SERVICES = {
    "aws_acm_": "acm",
    "aws_appautoscaling_": "application-autoscaling",
    "aws_cloudwatch_": "cloudwatch",
    "aws_cloudwatch_event_": "events",
    "aws_cloudwatch_log_": "logs",
    "aws_ecr_": "ecr",
    "aws_ecs_": "ecs",
    "aws_eip": "ec2",
    "aws_elasticache_": "elasticache",
    "aws_flow_log": "ec2",
    "aws_iam_": "iam",
    "aws_kms_": "kms",
    "aws_lb": "elbv2",
    "aws_nat_gateway": "ec2",
    "aws_route53_": "route53",
    "aws_s3_": "s3",
    "aws_scheduler_": "scheduler",
    "aws_secretsmanager_": "secretsmanager",
    "aws_service_discovery_": "servicediscovery",
    "aws_sns_": "sns",
    "aws_sqs_": "sqs",
    "aws_subnet": "ec2",
    "aws_vpc": "ec2",
    "aws_wafv2_": "wafv2",
}
# Where the provider's word is not the API's.
OWN_WORDS = {
    ("aws_eip", "domain"),
    ("aws_s3_bucket_lifecycle_configuration", "rule.status"),
}


def allowed(resource, path):
    """The texts that the attribute at `path` (`a.b.c`) of a resource type may have, or None where nobody says."""
    prefix = max((p for p in SERVICES if resource.startswith(p)), key=len, default=None)
    if prefix is None or (resource, path) in OWN_WORDS:
        return None
    return members(SERVICES[prefix]).get(plain(path.rsplit(".", 1)[-1]))


def plain(name):
    return name.replace("_", "").lower()


@functools.cache
def members(service):
    """The members of a service's structures that are an enum wherever they occur: name to values."""
    shapes = Loader().load_service_model(service, "service-2")["shapes"]
    found, mixed = {}, set()
    for shape in shapes.values():
        for name, member in shape.get("members", {}).items():
            target = shapes[member["shape"]]
            if target["type"] == "list":
                target = shapes[target["member"]["shape"]]
            if "enum" in target:
                found.setdefault(plain(name), set()).update(target["enum"])
            else:
                mixed.add(plain(name))
    return {name: values for name, values in found.items() if name not in mixed}
