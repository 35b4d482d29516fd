"""An ECS for tests (and the one quota that `verify` asks for, which moto does not know): plays scripted traces of service deployments and knows nothing of how cais decides.

Every request and every answer is checked against botocore's own model of the API, so the double cannot drift from what
AWS accepts and sends. Usage: double.py SEED.json; prints its address on the first line and serves until it is killed.

    GET /_double     what was called, when, with which violations of the model (there must be none)
"""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.loaders
import botocore.model
import botocore.validate

MODELS = {target: botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(name, "service-2"), name)
          for target, name in (("AmazonEC2ContainerServiceV20141113", "ecs"), ("ServiceQuotasV20190624", "service-quotas"))}
REGION, ACCOUNT = "eu-west-1", "123456789012"
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:"

# What a deployment is seen as, one step an answer; the last one stays. `f` failures, `r` running, `up` a share of the
# wanted tasks that run.
TRACES = {
    "success": [("PENDING", 0), ("IN_PROGRESS", 0), ("IN_PROGRESS", 0.5), ("IN_PROGRESS", 1), ("SUCCESSFUL", 1)],
    "breaker": [
        ("PENDING", 0), ("IN_PROGRESS", 0), ("IN_PROGRESS", 0, {"failures": 1}), ("IN_PROGRESS", 0, {"failures": 3, "triggered": True}),
        ("ROLLBACK_IN_PROGRESS", 0, {"failures": 3, "triggered": True}), ("ROLLBACK_SUCCESSFUL", 0, {"failures": 3, "triggered": True}),
    ],
    "alarm": [
        ("IN_PROGRESS", 0.5), ("IN_PROGRESS", 1, {"alarm": "clock-errors"}), ("ROLLBACK_IN_PROGRESS", 0.5, {"alarm": "clock-errors"}),
        ("ROLLBACK_SUCCESSFUL", 0, {"alarm": "clock-errors"}),
    ],
    "rollback-fails": [
        ("IN_PROGRESS", 0, {"failures": 2}), ("ROLLBACK_IN_PROGRESS", 0, {"failures": 3, "triggered": True}), ("ROLLBACK_FAILED", 0, {"failures": 3, "triggered": True}),
    ],
    "superseded": [("IN_PROGRESS", 0), ("STOP_REQUESTED", 0.5), ("STOPPED", 0.5, {"newer": True})],
    "stopped": [("IN_PROGRESS", 0), ("STOP_REQUESTED", 0.5), ("STOPPED", 0.5)],
    # With nothing to go back to, the breaker's rollback ends the deployment without one.
    "no-earlier": [("IN_PROGRESS", 0, {"failures": 1}), ("IN_PROGRESS", 0, {"failures": 3, "triggered": True}), ("STOPPED", 0, {"failures": 3, "triggered": True})],
    "throttled": [("IN_PROGRESS", 0), "throttle", "throttle", "throttle", "throttle", "throttle", "throttle", ("SUCCESSFUL", 1)],
    "network": [("IN_PROGRESS", 0)] + ["hang up"] * 12 + [("ROLLBACK_SUCCESSFUL", 0, {"failures": 3, "triggered": True})],
    "silence": [("IN_PROGRESS", 0)],
    "slow": [("IN_PROGRESS", 0)] * 7 + [("SUCCESSFUL", 1)],
}
REASONS = {
    "triggered": "Service deployment rolled back because the circuit breaker threshold was exceeded.",
    "alarm": "Service deployment rolled back because an alarm went into the ALARM state.",
    "by hand": "Service deployment rollback requested by a user.",
}


class Refused(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.status = code, status


def violations(shape, value, path):
    """What botocore's validator finds, and enum values that it does not look at."""
    if value is None:
        return [f"{path} is null"]
    found = []
    if shape.type_name == "structure":
        for name, item in value.items():
            if name not in shape.members:
                found.append(f"{path}.{name} is not in {shape.name}")
            else:
                found += violations(shape.members[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            found += violations(shape.member, item, f"{path}[]")
    elif shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        found.append(f"{path} = {value!r} is none of {shape.enum}")
    return found


def check(shape, value, path):
    if shape is None:
        return [] if not value else [f"{path}: no input is known"]
    report = botocore.validate.ParamValidator().validate(value, shape)
    found = [f"{path}: {report.generate_report()}"] if report.has_errors() else []
    return found + violations(shape, value, path)


class Ecs:
    def __init__(self, seed):
        self.lock = threading.RLock()
        self.calls, self.bad = [], []
        self.cluster = seed["cluster"]
        self.definitions, self.services, self.deployments, self.revisions, self.tasks = {}, {}, {}, {}, {}
        self.number = 0
        self.throttle_next = dict(seed.get("throttle", {}))
        self.run_exit = seed.get("run_exit", 0)
        self.vcpus = seed.get("vcpus", 6.0)  # what an account has at first; None: nobody may ask
        for one in seed["services"]:
            self.seed(one)

    def seed(self, one):
        name = one["name"]
        family = one.get("family", f"{self.cluster}-{name}")
        definition = self.register({"family": family, "containerDefinitions": one.get("containers") or [
            {"name": name, "image": one.get("image", "scratch@sha256:" + "0" * 64), "essential": True}]})
        self.services[name] = service = {
            "serviceName": name, "serviceArn": f"{ARN}service/{self.cluster}/{name}", "clusterArn": f"{ARN}cluster/{self.cluster}", "status": "ACTIVE",
            "desiredCount": one.get("desired", 2), "runningCount": one.get("desired", 2) if one.get("earlier", True) else 0, "pendingCount": 0,
            "taskDefinition": definition["taskDefinitionArn"], "launchType": "FARGATE", "events": [], "createdAt": time.time() - 86400, "deployments": [],
            "loadBalancers": one.get("loadBalancers", []), "enableExecuteCommand": one.get("exec", False),
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": one.get("subnets", ["subnet-1"]), "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}},
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 200, "minimumHealthyPercent": 100},
        }
        service["_traces"] = list(one.get("traces", ["success"]))
        if one.get("earlier", True):
            made = self.deploy(service, definition["taskDefinitionArn"], [("SUCCESSFUL", 1)])
            made["createdAt"] = made["startedAt"] = time.time() - 7200
            made["finishedAt"] = time.time() - 7100
            for _ in range(service["desiredCount"]):
                self.start(service, "RUNNING")

    # -- what happens ---------------------------------------------------------------------------------------------

    def fresh(self):
        self.number += 1
        return f"{self.number:020d}"

    def register(self, request):
        family = request["family"]
        number = 1 + sum(1 for d in self.definitions.values() if d["family"] == family)
        arn = f"{ARN}task-definition/{family}:{number}"
        made = dict(request, taskDefinitionArn=arn, revision=number, status="ACTIVE", registeredAt=time.time(), volumes=request.get("volumes", []),
                    placementConstraints=[], compatibilities=["EC2", "FARGATE"], requiresAttributes=[])
        self.tags = getattr(self, "tags", {})
        self.tags[arn] = made.pop("tags", [])
        self.definitions[arn] = made
        return made

    def deploy(self, service, definition, trace):
        number, now = self.fresh(), time.time()
        base = f"{self.cluster}/{service['serviceName']}/{number}"
        revision = f"{ARN}service-revision/{base}"
        images = [{"containerName": c["name"], "image": c["image"]} for c in self.definitions[definition]["containerDefinitions"]]
        self.revisions[revision] = {"serviceRevisionArn": revision, "serviceArn": service["serviceArn"], "clusterArn": service["clusterArn"],
                                    "taskDefinition": definition, "containerImages": images, "createdAt": now, "launchType": "FARGATE"}
        before = service.get("_revision")
        made = {"arn": f"{ARN}service-deployment/{base}", "service": service["serviceName"], "revision": revision, "before": before, "trace": list(trace),
                "at": -1, "createdAt": now, "startedAt": now, "finishedAt": None, "definition": definition, "configuration": service["deploymentConfiguration"]}
        self.deployments[made["arn"]] = made
        service["_deployment"] = made["arn"]
        service["taskDefinition"] = definition
        if trace[-1][0] == "SUCCESSFUL" and len(trace) == 1:
            service["_revision"] = revision
            made["at"] = 0
        return made

    def step(self, made):
        """The next step of a trace; raises what the step says instead of an answer."""
        if made["at"] + 1 < len(made["trace"]):
            made["at"] += 1
            step = made["trace"][made["at"]]
            if step == "throttle":
                raise Refused("ThrottlingException", "Rate exceeded")
            if step == "hang up":
                raise ConnectionAbortedError
            more = step[2] if len(step) > 2 else {}
            service = self.services[made["service"]]
            while more.get("failures", 0) > sum(1 for t in self.tasks.values() if t["_deployment"] == made["arn"]):
                self.start(service, "STOPPED", made["arn"])
            if step[0] in ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"):
                made["finishedAt"] = time.time()
                if step[0] == "SUCCESSFUL":
                    service["_revision"] = made["revision"]
                elif made["before"]:
                    service["taskDefinition"] = self.revisions[made["before"]]["taskDefinition"]
                if more.get("newer"):
                    self.deploy(service, made["definition"], TRACES["success"])
        return self.now(made)

    def now(self, made):
        seen = [s for s in made["trace"][: made["at"] + 1] if isinstance(s, tuple)] or [("PENDING", 0)]
        return seen[-1]

    def start(self, service, status, deployment=None):
        number = self.fresh()
        arn = f"{ARN}task/{self.cluster}/{number.replace('0', 'a')}"
        definition = self.deployments[deployment]["definition"] if deployment else service["taskDefinition"]
        names = [c["name"] for c in self.definitions[definition]["containerDefinitions"]]
        now = time.time()
        task = {"taskArn": arn, "clusterArn": service["clusterArn"], "taskDefinitionArn": definition, "lastStatus": status, "desiredStatus": status,
                "createdAt": now, "startedAt": now, "group": f"service:{service['serviceName']}", "launchType": "FARGATE", "availabilityZone": f"{REGION}a",
                "healthStatus": "HEALTHY" if status == "RUNNING" else "UNKNOWN",
                "attachments": [{"type": "ElasticNetworkInterface", "status": "ATTACHED", "details": [{"name": "privateIPv4Address", "value": "10.0.1.7"}]}],
                "containers": [{"name": n, "lastStatus": status, "taskArn": arn, "runtimeId": "r-1"} for n in names], "_deployment": deployment, "_service": service["serviceName"]}
        if status == "STOPPED":
            task |= {"stoppedAt": now, "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}
            task["containers"][0] |= {"exitCode": 1}
        self.tasks[arn] = task
        return task

    # -- what is asked --------------------------------------------------------------------------------------------

    def service(self, name):
        return self.services[name.rsplit("/", 1)[-1]]

    def public(self, service):
        return {k: v for k, v in service.items() if not k.startswith("_")} | (
            {"currentServiceDeployment": service["_deployment"]} if service.get("_deployment") else {}) | (
            {"currentServiceRevisions": [{"arn": service["_revision"]}]} if service.get("_revision") else {})

    def seen(self, made, step):
        status, up, more = step[0], step[1], step[2] if len(step) > 2 else {}
        service = self.services[made["service"]]
        wanted = service["desiredCount"]
        running = int(wanted * up)
        answer = {
            "serviceDeploymentArn": made["arn"], "serviceArn": service["serviceArn"], "clusterArn": service["clusterArn"], "createdAt": made["createdAt"],
            "startedAt": made["startedAt"], "updatedAt": time.time(), "status": status, "deploymentConfiguration": made["configuration"],
            "targetServiceRevision": {"arn": made["revision"], "requestedTaskCount": wanted, "runningTaskCount": running, "pendingTaskCount": wanted - running},
            "sourceServiceRevisions": [{"arn": made["before"], "requestedTaskCount": wanted - running, "runningTaskCount": wanted - running, "pendingTaskCount": 0}] if made["before"] else [],
            "deploymentCircuitBreaker": {"status": "TRIGGERED" if more.get("triggered") else "MONITORING", "failureCount": more.get("failures", 0), "threshold": 3},
            "alarms": {"status": "TRIGGERED" if more.get("alarm") else "MONITORING", "alarmNames": ["clock-errors"], "triggeredAlarmNames": [more["alarm"]] if more.get("alarm") else []},
        }
        if made["finishedAt"]:
            answer["finishedAt"] = made["finishedAt"]
        if status.startswith("ROLLBACK"):
            why = next((REASONS[k] for k in ("alarm", "by hand", "triggered") if more.get(k)), REASONS["triggered"])
            answer["statusReason"] = why
            answer["rollback"] = {"reason": why, "startedAt": time.time()} | ({"serviceRevisionArn": made["before"]} if made["before"] else {})
        elif status == "STOPPED":
            answer["statusReason"] = "A newer service deployment was started." if more.get("newer") else (
                "Circuit breaker triggered; there is no completed deployment to roll back to." if more.get("triggered") else "Service deployment stopped by a user.")
        return answer

    def answer(self, operation, q):
        if operation == "DescribeClusters":
            ok = self.cluster in q.get("clusters", [])
            return {"clusters": [{"clusterName": self.cluster, "clusterArn": f"{ARN}cluster/{self.cluster}", "status": "ACTIVE"}] if ok else [],
                    "failures": [] if ok else [{"arn": f"{ARN}cluster/{q['clusters'][0]}", "reason": "MISSING"}]}
        if operation == "RegisterTaskDefinition":
            made = self.register(q)
            return {"taskDefinition": made, "tags": self.tags[made["taskDefinitionArn"]]}
        if operation == "DescribeTaskDefinition":
            name = q["taskDefinition"].rsplit("/", 1)[-1]
            found = [d for d in self.definitions.values() if name in (d["family"], f"{d['family']}:{d['revision']}")]
            if not found:
                raise Refused("ClientException", "Unable to describe task definition.")
            return {"taskDefinition": found[-1], "tags": self.tags[found[-1]["taskDefinitionArn"]]}
        if operation == "ListTaskDefinitions":
            found = [d["taskDefinitionArn"] for d in self.definitions.values() if d["family"] == q.get("familyPrefix", d["family"])]
            return {"taskDefinitionArns": found[::-1] if q.get("sort") == "DESC" else found}
        if operation == "ListServices":
            return {"serviceArns": [s["serviceArn"] for s in self.services.values()]}
        if operation == "DescribeServices":
            found = [self.public(self.service(n)) for n in q["services"] if n.rsplit("/", 1)[-1] in self.services]
            return {"services": found, "failures": [{"arn": n, "reason": "MISSING"} for n in q["services"] if n.rsplit("/", 1)[-1] not in self.services]}
        if operation == "UpdateService":
            return self.update(q)
        if operation == "ListServiceDeployments":
            mine = [d for d in self.deployments.values() if d["service"] == q["service"].rsplit("/", 1)[-1]]
            mine = [d for d in mine if not q.get("status") or self.now(d)[0] in q["status"]]
            return {"serviceDeployments": [{"serviceDeploymentArn": d["arn"], "serviceArn": self.services[d["service"]]["serviceArn"], "status": self.now(d)[0],
                                            "createdAt": d["createdAt"], "startedAt": d["startedAt"], "targetServiceRevisionArn": d["revision"]}
                                           | ({"finishedAt": d["finishedAt"]} if d["finishedAt"] else {}) for d in mine][::-1][: q.get("maxResults", 20)]}
        if operation == "DescribeServiceDeployments":
            known = [self.deployments[a] for a in q["serviceDeploymentArns"] if a in self.deployments]
            return {"serviceDeployments": [self.seen(d, self.step(d)) for d in known],
                    "failures": [{"arn": a, "reason": "MISSING"} for a in q["serviceDeploymentArns"] if a not in self.deployments]}
        if operation == "DescribeServiceRevisions":
            return {"serviceRevisions": [self.revisions[a] for a in q["serviceRevisionArns"] if a in self.revisions], "failures": []}
        if operation == "StopServiceDeployment":
            made = self.deployments[q["serviceDeploymentArn"]]
            if made["finishedAt"]:
                raise Refused("ConflictException", "The service deployment is in a final state.")
            hand = {"by hand": True}
            made["trace"] = made["trace"][: made["at"] + 1] + (
                [("ROLLBACK_REQUESTED", 0.5, hand), ("ROLLBACK_IN_PROGRESS", 0.5, hand), ("ROLLBACK_SUCCESSFUL", 0, hand)] if q["stopType"] == "ROLLBACK"
                else [("STOP_REQUESTED", 0.5), ("STOPPED", 0.5)])
            return {"serviceDeploymentArn": made["arn"]}
        if operation == "ListTasks":
            want, name = q.get("desiredStatus", "RUNNING"), q.get("serviceName", "").rsplit("/", 1)[-1]
            return {"taskArns": [a for a, t in self.tasks.items() if t["desiredStatus"] == want and (not name or t["_service"] == name)]}
        if operation == "DescribeTasks":
            known = {t["taskArn"].rsplit("/", 1)[-1]: t for t in self.tasks.values()}
            found = [known[a.rsplit("/", 1)[-1]] for a in q["tasks"] if a.rsplit("/", 1)[-1] in known]
            return {"tasks": [{k: v for k, v in t.items() if not k.startswith("_")} for t in found], "failures": []}
        if operation == "RunTask":
            definition = self.definitions.get(q["taskDefinition"])
            if definition is None:
                raise Refused("ClientException", f"Unable to find {q['taskDefinition']}.")
            service = {"serviceName": "once", "clusterArn": f"{ARN}cluster/{self.cluster}", "taskDefinition": q["taskDefinition"]}
            task = self.start(service, "STOPPED")
            task["containers"][0]["exitCode"] = self.run_exit
            return {"tasks": [{k: v for k, v in task.items() if not k.startswith("_")}], "failures": []}
        if operation == "GetServiceQuota":
            if self.vcpus is None:
                raise Refused("AccessDeniedException", "not authorized to perform: servicequotas:GetServiceQuota")
            return {"Quota": {"ServiceCode": q["ServiceCode"], "QuotaCode": q["QuotaCode"], "Value": self.vcpus}}
        if operation == "ExecuteCommand":
            if not any(s.get("enableExecuteCommand") for s in self.services.values()):
                raise Refused("InvalidParameterException", "The execute command failed because execute command was not enabled when the task was run.")
            return {"interactive": True, "session": {"sessionId": "s-1", "streamUrl": "wss://127.0.0.1/s", "tokenValue": "planted-session-token"}}
        raise Refused("UnknownOperationException", f"the double does not know {operation}", 501)

    def update(self, q):
        if q["service"].rsplit("/", 1)[-1] not in self.services:
            raise Refused("ServiceNotFoundException", "Service not found.")
        service = self.service(q["service"])
        if "desiredCount" in q:
            service["desiredCount"] = service["runningCount"] = q["desiredCount"]
        if "deploymentConfiguration" in q:
            service["deploymentConfiguration"] = service["deploymentConfiguration"] | q["deploymentConfiguration"]
        definition = q.get("taskDefinition")
        if definition or q.get("forceNewDeployment"):
            definition = definition or service["taskDefinition"]
            if definition not in self.definitions:
                raise Refused("ClientException", f"Unable to find {definition}.")
            trace = service["_traces"].pop(0) if len(service["_traces"]) > 1 else service["_traces"][0]
            self.deploy(service, definition, TRACES[trace])
        return {"service": self.public(service)}


class Handler(BaseHTTPRequestHandler):
    """awsJson 1.1 over HTTP; `ecs` is set by `serve`."""

    protocol_version = "HTTP/1.1"
    ecs = None

    def log_message(self, *_):
        pass

    def reply(self, status, body, kind="application/x-amz-json-1.1"):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.send_header("x-amzn-requestid", f"double-{len(self.ecs.calls)}")
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        with self.ecs.lock:
            self.reply(200, {"calls": self.ecs.calls, "violations": self.ecs.bad}, "application/json")

    def do_POST(self):
        ecs = self.ecs
        target, operation = self.headers["x-amz-target"].split(".")
        request = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        with ecs.lock:
            ecs.calls.append({"operation": operation, "at": time.time(), "request": request})
            model = MODELS[target].operation_model(operation)
            bad = check(model.input_shape, request, operation)
            ecs.bad += bad
            try:
                if bad:
                    raise Refused("InvalidParameterException", "; ".join(bad))
                if ecs.throttle_next.get(operation, 0) > 0:
                    ecs.throttle_next[operation] -= 1
                    raise Refused("ThrottlingException", "Rate exceeded")
                answer = ecs.answer(operation, request)
                ecs.bad += check(model.output_shape, answer, f"answer of {operation}")
                self.reply(200, answer)
            except Refused as no:
                self.reply(no.status, {"__type": no.code, "message": str(no)})
            except ConnectionAbortedError:
                self.close_connection = True
                self.connection.close()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # whoever asked has left: a second Ctrl-C


def serve(seed):
    """Starts a double on a port of its own; answers with its state and its address."""
    ecs = Ecs(seed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HandlerOfOne", (Handler,), {"ecs": ecs}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return ecs, f"http://127.0.0.1:{server.server_address[1]}"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(serve(json.load(file))[1], flush=True)
    threading.Event().wait()
