"""Writes task definitions, services and target groups of a state as CloudFormation, for cfn-lint alone.

cfn-lint knows what neither Terraform nor the provider's schema does: which cpu and memory Fargate has together, which
values a property takes, what excludes what. Nothing of this is rendered for people.
"""

import copy
import json
import subprocess

from .terraform import Failed

# What stands under these keys is data: its keys are not properties.
DATA = {"options", "dockerLabels", "tags"}
KINDS = ("aws_ecs_task_definition", "aws_ecs_service", "aws_lb_target_group")


def template(resources):
    """The resources of a state as a template."""
    out = {}
    for number, resource in enumerate(r for r in resources if r["type"] in KINDS):
        out[f"R{number}"] = WRITERS[resource["type"]](resource["values"])
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": out}


def pascal(value):
    """camelCase properties as CloudFormation spells them, all the way down."""
    if isinstance(value, list):
        return [pascal(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key[0].upper() + key[1:]: each if key in DATA else pascal(each)
        for key, each in value.items()
        if each is not None
    }


def words(value):
    """snake_case attributes and blocks, likewise; what nobody set is left out."""
    if isinstance(value, list):
        return [words(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {"".join(word.capitalize() for word in key.split("_")): words(each) for key, each in value.items() if each not in (None, "", [])}


def one(blocks):
    return blocks[0] if blocks else {}


def task_definition(values):
    properties = {
        "Family": values["family"],
        "Cpu": values["cpu"],
        "Memory": values["memory"],
        "NetworkMode": values["network_mode"],
        "RequiresCompatibilities": values["requires_compatibilities"],
        "ExecutionRoleArn": values["execution_role_arn"],
        "TaskRoleArn": values["task_role_arn"],
        "RuntimePlatform": words(one(values["runtime_platform"])),
        "ContainerDefinitions": pascal(json.loads(values["container_definitions"])),
        "Volumes": [{"Name": volume["name"]} for volume in values.get("volume") or []],
    }
    storage = one(values.get("ephemeral_storage"))
    if storage:
        properties["EphemeralStorage"] = {"SizeInGiB": storage["size_in_gib"]}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}


def service(values):
    network = one(values["network_configuration"])
    deployment = {
        "MaximumPercent": values["deployment_maximum_percent"],
        "MinimumHealthyPercent": values["deployment_minimum_healthy_percent"],
        "DeploymentCircuitBreaker": words(one(values["deployment_circuit_breaker"])),
        "Alarms": words(one(values["alarms"])),
    } | {
        # ECS has the strategy and its hooks beside the percentages; the provider has them in a block of their own.
        key: value
        for key, value in words(one(values.get("deployment_configuration"))).items()
    }
    for key in ("CanaryConfiguration", "LinearConfiguration"):
        if key in deployment:
            deployment[key] = one(deployment[key])
    properties = {
        "ServiceName": values["name"],
        "Cluster": values["cluster"],
        "TaskDefinition": values["task_definition"],
        "DesiredCount": values["desired_count"],
        "LaunchType": values["launch_type"] if not values["capacity_provider_strategy"] else None,
        "CapacityProviderStrategy": words(values["capacity_provider_strategy"]),
        "DeploymentConfiguration": {key: value for key, value in deployment.items() if value},
        "AvailabilityZoneRebalancing": values["availability_zone_rebalancing"],
        "HealthCheckGracePeriodSeconds": values["health_check_grace_period_seconds"],
        "EnableExecuteCommand": values["enable_execute_command"],
        "EnableECSManagedTags": values["enable_ecs_managed_tags"],
        "PropagateTags": values["propagate_tags"],
        "NetworkConfiguration": {
            "AwsvpcConfiguration": {
                "Subnets": network.get("subnets"),
                "SecurityGroups": network.get("security_groups"),
                "AssignPublicIp": "ENABLED" if network.get("assign_public_ip") else "DISABLED",
            }
        },
        "LoadBalancers": [
            {key: value for key, value in words(each).items() if key != "AdvancedConfiguration"}
            for each in values["load_balancer"]
        ],
    }
    connect = one(values["service_connect_configuration"])
    if connect:
        properties["ServiceConnectConfiguration"] = {
            "Enabled": connect["enabled"],
            "Namespace": connect["namespace"],
            "Services": [
                {
                    "PortName": each["port_name"],
                    "DiscoveryName": each["discovery_name"],
                    "ClientAliases": [{"Port": alias["port"], "DnsName": alias["dns_name"]} for alias in each["client_alias"]],
                }
                for each in connect["service"]
            ],
        }
    return {"Type": "AWS::ECS::Service", "Properties": {k: v for k, v in properties.items() if v not in (None, [])}}


def target_group(values):
    check = one(values["health_check"])
    attributes = {
        "deregistration_delay.timeout_seconds": values.get("deregistration_delay"),
        "slow_start.duration_seconds": values.get("slow_start"),
        "load_balancing.algorithm.type": values.get("load_balancing_algorithm_type"),
    }
    made_up = ("aws_lb_target_group-", None, 0, "0")  # what the double said, where nothing was set
    properties = {
        "Name": values["name"],
        "Port": values["port"],
        "Protocol": values["protocol"],
        "TargetType": values["target_type"],
        "VpcId": values["vpc_id"],
        "HealthCheckPath": check.get("path"),
        "HealthCheckIntervalSeconds": check.get("interval"),
        "HealthCheckTimeoutSeconds": check.get("timeout"),
        "HealthyThresholdCount": check.get("healthy_threshold"),
        "UnhealthyThresholdCount": check.get("unhealthy_threshold"),
        "Matcher": {"HttpCode": check.get("matcher")},
        "TargetGroupAttributes": [
            {"Key": key, "Value": str(value)}
            for key, value in attributes.items()
            if value not in made_up and not str(value).startswith(made_up[0])
        ],
    }
    return {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": properties}


WRITERS = dict(zip(KINDS, (task_definition, service, target_group), strict=True))


def lint(setting, name, written):
    """cfn-lint's errors for a template: sentences."""
    path = setting.work / f"{name}.template.json"
    path.write_text(json.dumps(written, indent=1))
    done = subprocess.run(
        [setting.program("python", "cfn-lint"), "--format", "json", "--regions", setting.double.faker.region, "--", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise Failed(f"cfn-lint printed no JSON: {done.stdout}{done.stderr}") from None
    where = lambda each: ".".join(str(step) for step in each["Location"]["Path"][1:])  # noqa: E731
    return [f"{each['Rule']['Id']} {where(each)}: {each['Message']}" for each in found if each["Level"] == "Error"]


def with_bad_memory(written):
    """The same with a memory that Fargate does not have for its cpu; none where no task definition is."""
    planted = copy.deepcopy(written)
    for resource in planted["Resources"].values():
        if resource["Type"] == "AWS::ECS::TaskDefinition":
            resource["Properties"] |= {"Cpu": "256", "Memory": "4096"}
            return planted
    return None
