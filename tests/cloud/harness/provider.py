"""A double of the AWS provider: the real one's schema, answers made up.

Terraform talks to it as to the real one, over the plugin protocol on a Unix socket (TF_REATTACH_PROVIDERS), so `validate`,
`plan` and `apply` are Terraform's own. It checks what the provider's code checks and the schema cannot say: attributes
that nobody may set, and the values of enums. What AWS itself would refuse it cannot know.
"""

import itertools
import json
import os
from concurrent import futures

import grpc
import msgpack

from . import enums
from .schema import PROVIDER

UNKNOWN = msgpack.ExtType(0, b"\x00")
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}
ACCOUNT = "123456789012"
# The cdktf package has no ephemeral resources; these have the fields of the data sources of the same name.
EPHEMERAL = ("aws_secretsmanager_random_password", "aws_secretsmanager_secret_version")
# What data sources answer where a made-up text would not do.
ANSWERS = {
    "aws_availability_zones": {"names": ["{region}a", "{region}b", "{region}c"], "zone_ids": ["az1", "az2", "az3"]},
    "aws_caller_identity": {"account_id": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/test"},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com"},
    "aws_region": {"name": "{region}", "region": "{region}", "id": "{region}"},
}


def is_write_only(name, attribute):
    """Write-only attributes end in `_wo`, by the provider's convention; the package lost the flag."""
    return name.endswith("_wo") and not attribute.get("computed")


def is_read_only(attribute):
    return attribute.get("computed") and not attribute.get("optional") and not attribute.get("required")


def children(nested, value):
    """The blocks of one type in a value: whatever its nesting, a list."""
    found = value.get(nested)
    if isinstance(found, dict):
        return [found]
    return [block for block in found if isinstance(block, dict)] if isinstance(found, list) else []


class Faker:
    """Makes up what AWS would answer, in AWS's forms where something reads them."""

    # How ids of EC2's things begin; 17 hexadecimal digits follow.
    IDS = {
        "aws_eip": "eipalloc",
        "aws_internet_gateway": "igw",
        "aws_nat_gateway": "nat",
        "aws_route_table": "rtb",
        "aws_security_group": "sg",
        "aws_subnet": "subnet",
        "aws_vpc": "vpc",
        "aws_vpc_endpoint": "vpce",
    }
    # What follows account and region, for types whose ARN is not `service:region:account:type/number`.
    ARNS = {
        "aws_cloudwatch_log_group": "logs:{region}:{account}:log-group:{name}",
        "aws_ecr_repository": "ecr:{region}:{account}:repository/{name}",
        "aws_ecs_cluster": "ecs:{region}:{account}:cluster/{name}",
        "aws_ecs_task_definition": "ecs:{region}:{account}:task-definition/{family}:1",
        "aws_iam_role": "iam::{account}:role/{name}",
        "aws_kms_key": "kms:{region}:{account}:key/00000000-0000-4000-8000-{number:012}",
        "aws_lb": "elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/{number:016x}",
        "aws_lb_target_group": "elasticloadbalancing:{region}:{account}:targetgroup/{name}/{number:016x}",
        "aws_s3_bucket": "s3:::{bucket}",
        "aws_secretsmanager_secret": "secretsmanager:{region}:{account}:secret:{name}-AbCdEf",
        "aws_sns_topic": "sns:{region}:{account}:{name}",
    }
    # Types whose id is one of their attributes.
    SELF_NAMED = {"aws_iam_role": "name", "aws_s3_bucket": "bucket", "aws_ecr_repository": "name", "aws_cloudwatch_log_group": "name"}

    # What AWS leaves empty here: no rendered route leads to an instance or a network interface.
    EMPTY = {("aws_route", "instance_id"), ("aws_route", "instance_owner_id")}

    def __init__(self, region):
        self.region = region
        self.count = itertools.count(1)

    def value(self, kind, resource, name, known=()):
        """A value of this type for the attribute `name`, of a resource whose attributes are `known` so far."""
        if kind == "string":
            return self.text(resource, name, dict(known))
        if kind == "number":
            return 0
        if kind == "bool":
            return False
        if kind == "dynamic":
            return [b'"string"', "x"]
        if kind[0] == "object":
            return {field: self.value(of, resource, field) for field, of in kind[1].items()}
        if name == "domain_validation_options":
            return [self.value(kind[1], resource, name)]
        return {} if kind[0] == "map" else []

    def text(self, resource, name, known):
        number = next(self.count)
        known = {key: value for key, value in known.items() if isinstance(value, str)}
        if (resource, name) in self.EMPTY:
            return ""
        if name == "arn" or (name == "id" and resource.startswith("aws_lb")):
            form = self.ARNS.get(resource, "fake:{region}:{account}:{resource}/{number}")
            filled = {"name": resource, "bucket": resource, "family": resource} | known
            filled |= {"region": self.region, "account": ACCOUNT, "number": number, "resource": resource}
            return "arn:aws:" + form.format_map(filled)
        if name == "id" and resource in self.IDS:
            return f"{self.IDS[resource]}-{number:017x}"
        if name == "id" and resource in self.SELF_NAMED:
            return known.get(self.SELF_NAMED[resource], resource)
        if name == "repository_url":
            return f"{ACCOUNT}.dkr.ecr.{self.region}.amazonaws.com/{known.get('name')}"
        if name in ("account_id", "owner_id", "registry_id"):
            return ACCOUNT
        if name == "region":
            return self.region
        if name == "resource_record_type":  # of a certificate's validation
            return "CNAME"
        if name.endswith("_arn"):
            return f"arn:aws:fake:{self.region}:{ACCOUNT}:{resource}/{number}"
        return f"{resource}-{name}-{number}"


class Double:
    """The provider's methods; each takes and gives the protocol's messages."""

    def __init__(self, protocol, schemas, region="eu-west-1"):
        self.protocol = protocol
        self.resources = dict(usable(schemas["resource_schemas"]))
        self.data = dict(usable(schemas["data_source_schemas"]))
        self.provider = schemas["provider"]
        self.faker = Faker(region)
        self.schema_response = self.all_schemas()
        self.answers = {}  # asked twice, a data source says the same
        # Does a plan know already what AWS alone decides, keys and identities, as if they had been made?
        self.foresees = False

    # -- the protocol's methods

    def GetProviderSchema(self, _request):
        return self.schema_response

    def ValidateProviderConfig(self, request):
        return self.diagnose(request, self.provider["block"], "provider")

    def ValidateResourceConfig(self, request):
        return self.diagnose(request, self.resources[request.type_name]["block"], request.type_name)

    def ValidateDataResourceConfig(self, request):
        return self.diagnose(request, self.data[request.type_name]["block"], request.type_name)

    def ValidateEphemeralResourceConfig(self, request):
        return self.diagnose(request, self.data[request.type_name]["block"], request.type_name)

    def UpgradeResourceState(self, request):
        return {"upgraded_state": {"json": request.raw_state.json}}

    def ReadResource(self, request):
        return {"new_state": request.current_state, "private": request.private}

    def PlanResourceChange(self, request):
        value = decode(request.proposed_new_state)
        if value is not None:
            block = self.resources[request.type_name]["block"]
            plan(block, value)
            if self.foresees:
                self.foresee(block, value, request.type_name)
        return {"planned_state": self.encode(value), "legacy_type_system": True}

    def ApplyResourceChange(self, request):
        value = decode(request.planned_state)
        if value is not None:
            self.settle(self.resources[request.type_name]["block"], value, request.type_name)
        return {"new_state": self.encode(value), "legacy_type_system": True}

    def ReadDataSource(self, request):
        return {"state": self.encode(self.answer(request))}

    def OpenEphemeralResource(self, request):
        return {"result": self.encode(self.answer(request))}

    # -- how they do it

    def encode(self, value):
        return {"msgpack": msgpack.packb(value, use_bin_type=True)}

    def answer(self, request):
        """A data source's answer: what was asked, and the rest made up."""
        question = (request.type_name, request.config.msgpack)
        if question not in self.answers:
            self.answers[question] = self.make_up(request)
        return self.answers[question]

    def make_up(self, request):
        block, value = self.data[request.type_name]["block"], decode(request.config)
        for name, said in ANSWERS.get(request.type_name, {}).items():
            if name in block["attributes"]:
                one = lambda text: text.format(region=self.faker.region)  # noqa: E731
                value[name] = [one(text) for text in said] if isinstance(said, list) else one(said)
        self.settle(block, value, request.type_name, only_computed=True)
        return value

    def settle(self, block, value, resource, only_computed=False):
        """Makes up everything that is unknown, or (of a data source) computed and not said."""
        for name, attribute in block["attributes"].items():
            current = value.get(name)
            if is_unknown(current) or (only_computed and current is None and attribute.get("computed")):
                value[name] = self.faker.value(attribute["type"], resource, name, value)
        for name, nested in block["block_types"].items():
            if is_unknown(value.get(name)):
                value[name] = []
            for child in children(name, value):
                self.settle(nested["block"], child, resource, only_computed)

    def foresee(self, block, value, resource):
        """Makes up what nobody but AWS decides. What could have been set, and was not, stays unknown."""
        for name, attribute in block["attributes"].items():
            if is_unknown(value.get(name)) and (name == "id" or is_read_only(attribute)):
                value[name] = self.faker.value(attribute["type"], resource, name, value)

    def diagnose(self, request, block, resource):
        found = list(findings(block, decode(request.config) or {}, resource))
        return {
            "diagnostics": [
                {
                    "severity": 1,
                    "summary": summary,
                    "attribute": {"steps": [{"attribute_name": step} for step in path[:1]]},
                }
                for path, summary in found
            ]
        }

    def all_schemas(self):
        response = self.protocol.message("GetProviderSchema.Response")()
        groups = (
            (response.resource_schemas, self.resources),
            (response.data_source_schemas, self.data),
            (response.ephemeral_resource_schemas, {name: self.data[name] for name in EPHEMERAL}),
        )
        fill_block(response.provider.block, self.provider["block"])
        for target, schemas in groups:
            for name, schema in schemas.items():
                fill_block(target[name].block, schema["block"])
        return response


def findings(block, value, resource, path=()):
    """What the provider's own code would refuse: (path, sentence)."""
    for name, attribute in block["attributes"].items():
        said, here = value.get(name), (*path, name)
        if said is None or is_unknown(said):
            continue
        if is_read_only(attribute):
            yield here, f'Can\'t configure a value for "{".".join(here)}": its value is decided by AWS'
        allowed = enums.allowed(resource, ".".join(here))
        for text in said if isinstance(said, list) else [said]:
            if allowed and isinstance(text, str) and text not in allowed:
                yield here, f'expected {".".join(here)} to be one of {sorted(allowed)}, got {text}'
    for name, nested in block["block_types"].items():
        for child in children(name, value):
            yield from findings(nested["block"], child, resource, (*path, name))


def plan(block, value):
    """Marks what is known only after the change, and drops what is never kept."""
    for name, attribute in block["attributes"].items():
        if is_write_only(name, attribute):
            value[name] = None
        elif value.get(name) is None and attribute.get("computed"):
            value[name] = UNKNOWN
    for name, nested in block["block_types"].items():
        for child in children(name, value):
            plan(nested["block"], child)


def is_unknown(value):
    return isinstance(value, msgpack.ExtType)


def decode(dynamic):
    if dynamic.msgpack:
        return msgpack.unpackb(dynamic.msgpack, raw=False, strict_map_key=False)
    return json.loads(dynamic.json) if dynamic.json else None


def fill_block(message, block):
    message.SetInParent()  # a block without fields is still a block
    for name, attribute in sorted(block["attributes"].items()):
        message.attributes.add(
            name=name,
            type=json.dumps(attribute["type"]).encode(),
            write_only=is_write_only(name, attribute),
            **{flag: attribute.get(flag, False) for flag in ("required", "optional", "computed")},
        )
    for name, nested in sorted(block["block_types"].items()):
        is_map = nested["nesting_mode"] == "map"
        child = message.block_types.add(
            type_name=name,
            nesting=NESTING[nested["nesting_mode"]],
            min_items=0 if is_map else nested.get("min_items", 0),
            max_items=0 if is_map else nested.get("max_items", 0),
        )
        fill_block(child.block, nested["block"])


def usable(schemas):
    """Those that Terraform accepts: a `dynamic` inside a set or list of blocks it does not."""
    return ((name, schema) for name, schema in schemas.items() if not has_hidden_dynamic(schema["block"]))


def has_hidden_dynamic(block):
    return any(
        (nested["nesting_mode"] in ("set", "list") and '"dynamic"' in json.dumps(nested["block"]))
        or has_hidden_dynamic(nested["block"])
        for nested in block["block_types"].values()
    )


class Server:
    """Serves a double on a Unix socket for as long as the `with` lasts."""

    def __init__(self, double, socket):
        self.double, self.socket = double, socket

    def __enter__(self):
        protocol = self.double.protocol
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                self.method(name, response),
                request_deserializer=request.FromString,
                response_serializer=response.SerializeToString,
            )
            for name, (request, response) in protocol.methods.items()
        }
        self.server = grpc.server(
            futures.ThreadPoolExecutor(8),
            options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
        )
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(protocol.service, handlers)])
        self.server.add_insecure_port(f"unix:{self.socket}")
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(grace=None).wait()

    def method(self, name, response):
        """A method of the double; one that it does not have answers with an empty message."""
        own = getattr(self.double, name, lambda _request: {})
        if name == "GetMetadata":  # not offered, so that Terraform asks for the schema

            def own(_request):
                raise NotImplementedError

        def call(request, context):
            try:
                answer = own(request)
            except NotImplementedError:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, name)
            return answer if isinstance(answer, response) else response(**answer)

        return call

    @property
    def reattach(self):
        """The value of TF_REATTACH_PROVIDERS."""
        address = {"Network": "unix", "String": self.socket}
        return json.dumps(
            {PROVIDER: {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}}
        )
