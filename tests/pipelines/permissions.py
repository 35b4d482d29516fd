"""Which actions of AWS a role was used for, read from the requests themselves; and what the rendered policies grant it."""
import fnmatch
import io
import json
import re
import urllib.parse

import moto.server

import double

KEYS = {}  # an access key to the role it was given for
USED = set()  # (role, action, resource or None)
# What AWS's own policies come to, as far as it matters here.
MANAGED = {
    "ReadOnlyAccess": lambda action: re.match(r"\w[\w-]*:(Get|List|Describe|BatchGet|Head)", action) is not None and action != "secretsmanager:GetSecretValue",
    "PowerUserAccess": lambda action: action.split(":")[0] not in ("iam", "organizations", "account"),
}
NAMES = {"monitoring": "cloudwatch"}
S3 = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}


def note(authorization, action, resource=None):
    key = re.search(r"Credential=([^/]+)/", authorization or "")
    role = KEYS.get(key[1]) if key else None
    if role:
        USED.add((role, action, resource))


def of(environ, body):
    """The action of a request, and the object where it is S3's."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    if not scope:
        return None, None
    service, path = NAMES.get(scope[1], scope[1]), environ["PATH_INFO"]
    if service == "s3":
        bucket, _, key = path.strip("/").partition("/")
        return (S3[environ["REQUEST_METHOD"]], f"arn:aws:s3:::{bucket}/{key}") if key else ("s3:ListBucket", f"arn:aws:s3:::{bucket}")
    target = environ.get("HTTP_X_AMZ_TARGET") or path.rpartition("/operation/")[2]
    if not target or target == path:
        target = urllib.parse.parse_qs(body.decode(errors="replace")).get("Action", [f"{environ['REQUEST_METHOD']} {path}"])[0]
    return f"{service}:{target.rsplit('.', 1)[-1]}", None


def watch():
    """From now on every request of a known key is noted."""
    own = moto.server.DomainDispatcherApplication.__call__

    def call(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        action, resource = of(environ, body)
        if action:
            note(environ["HTTP_AUTHORIZATION"], action, resource)
        return own(self, environ, start_response)

    moto.server.DomainDispatcherApplication.__call__ = call
    answer = double.Handler.do_POST

    def post(self):
        note(self.headers["authorization"], f"ecs:{self.headers['x-amz-target'].split('.')[-1]}")
        answer(self)

    double.Handler.do_POST = post


def granted(state):
    """Role to its statements, out of Terraform's state after an apply."""
    roles = {}
    for one in state["resources"]:
        if one.get("module") not in ("module.pipeline_access", "module.image_access") or not one["type"].startswith("aws_iam_role_policy"):
            continue
        for instance in one["instances"]:
            told = instance["attributes"]
            policy = roles.setdefault(told["role"], {"managed": [], "statements": []})
            if "policy_arn" in told:
                policy["managed"].append(told["policy_arn"].rsplit("/", 1)[-1])
            else:
                policy["statements"] += json.loads(told["policy"])["Statement"]
    return roles


def allows(policy, action, resource):
    if action == "sts:GetCallerIdentity":  # whoever has credentials may
        return True
    if any(MANAGED[name](action) for name in policy["managed"]):
        return True
    listed = lambda value: value if isinstance(value, list) else [value]  # noqa: E731
    return any(any(fnmatch.fnmatchcase(action, one) for one in listed(statement["Action"]))
               and (resource is None or any(fnmatch.fnmatchcase(resource, one) for one in listed(statement["Resource"])))
               for statement in policy["statements"])
