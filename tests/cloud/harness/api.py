"""What is made through AWS's own API, against moto: the state's lock in S3, and things that are read back."""

import json
import os
import socket
import subprocess
import time
import urllib.request

import boto3

from .terraform import Failed, variables_of

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


class Moto:
    """A moto server on a free port, for as long as the `with` lasts."""

    def __init__(self, setting):
        self.program = setting.program("python", "moto_server")

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [self.program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=5).close()
                return self
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise Failed("moto_server did not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def client(self, service, region):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )


# -- the lock


def lock(setting, moto, root):
    """One apply waits for its answer and holds the lock; a second one is refused; the first then goes through."""
    folder = setting.work / "locked" / root.name
    backend = json.loads(subprocess.check_output([setting.program("python", "python"), "-c", READ_BACKEND, str(folder)]))
    s3 = moto.client("s3", backend["region"])
    bucket = backend.get("bucket", f"state-{root.environment}")
    where = {} if backend["region"] == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": backend["region"]}}
    s3.create_bucket(Bucket=bucket, **where)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    terraform = setting.terraform.with_environment(
        CREDENTIALS | {"AWS_ENDPOINT_URL_S3": moto.url, "AWS_ENDPOINT_URL_STS": moto.url, "AWS_ENDPOINT_URL_IAM": moto.url}
    )
    given = ["-backend-config=use_path_style=true"]  # moto has no name for each bucket
    given += [] if "bucket" in backend else [f"-backend-config=bucket={bucket}"]
    terraform.run(folder, "init", "-no-color", "-input=false", "-reconfigure", *given)
    variables = variables_of(folder)
    first = terraform.start(folder, "apply", "-no-color", *variables)
    lock_key = f"{backend['key']}.tflock"
    wait_for(lambda: exists(s3, bucket, lock_key), "the first apply to take the lock")
    second = terraform.run(folder, "plan", "-no-color", "-input=false", *variables, codes=(0, 1))
    if second.returncode == 0 or "Error acquiring the state lock" not in second.stderr:
        first.kill()
        raise Failed(f"a second run was let in while the first one held the lock:\n{second.stdout}{second.stderr}")
    said, _ = first.communicate("yes\n")
    if first.returncode != 0:
        raise Failed(f"the run that held the lock failed:\n{said}")
    if exists(s3, bucket, lock_key):
        raise Failed("the lock is still there after the apply")
    state = json.loads(s3.get_object(Bucket=bucket, Key=backend["key"])["Body"].read())
    encryption = s3.head_object(Bucket=bucket, Key=backend["key"]).get("ServerSideEncryption")
    print(f"  lock: refused while held, free afterwards; state s3://{bucket}/{backend['key']} has {len(state['resources'])} entries")
    if not encryption:
        raise Failed("the state was stored without encryption")


# The backend block, by hcl2-free means: the rendered file is one attribute a line.
READ_BACKEND = """
import json, pathlib, re, sys
text = "".join(p.read_text() for p in pathlib.Path(sys.argv[1]).glob("*.tf"))
block = re.search(r'backend "s3" \\{(.*?)\\n  \\}', text, re.S)[1]
print(json.dumps(dict(re.findall(r'^\\s+(\\w+)\\s*=\\s*"?([^"\\n]*)"?$', block, re.M))))
"""


def exists(s3, bucket, key):
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])
    return any(each["Key"] == key for each in found)


def wait_for(happened, what, seconds=60):
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s for {what}")
        time.sleep(0.05)


# -- things that are made and read back


def secret(moto, region, values):
    client = moto.client("secretsmanager", region)
    client.create_secret(
        Name=values["name"],
        Description=values.get("description") or "",
        KmsKeyId=values["kms_key_id"],
        Tags=[{"Key": key, "Value": value} for key, value in (values.get("tags") or {}).items()],
    )
    said = client.describe_secret(SecretId=values["name"])
    return {"name": said["Name"], "kms_key_id": said["KmsKeyId"], "description": said.get("Description") or None}


def log_group(moto, region, values):
    client = moto.client("logs", region)
    client.create_log_group(logGroupName=values["name"], kmsKeyId=values["kms_key_id"])
    client.put_retention_policy(logGroupName=values["name"], retentionInDays=values["retention_in_days"])
    groups = client.describe_log_groups(logGroupNamePrefix=values["name"])["logGroups"]
    said = next(group for group in groups if group["logGroupName"] == values["name"])
    return {"name": said["logGroupName"], "retention_in_days": said["retentionInDays"], "kms_key_id": said["kmsKeyId"]}


def repository(moto, region, values):
    client = moto.client("ecr", region)
    encryption = values["encryption_configuration"][0]
    client.create_repository(
        repositoryName=values["name"],
        imageTagMutability=values["image_tag_mutability"],
        imageScanningConfiguration={"scanOnPush": values["image_scanning_configuration"][0]["scan_on_push"]},
        encryptionConfiguration={"encryptionType": encryption["encryption_type"], "kmsKey": encryption["kms_key"]},
    )
    said = client.describe_repositories(repositoryNames=[values["name"]])["repositories"][0]
    return {
        "name": said["repositoryName"],
        "image_tag_mutability": said["imageTagMutability"],
        "image_scanning_configuration": [{"scan_on_push": said["imageScanningConfiguration"]["scanOnPush"]}],
        "encryption_configuration": [
            {
                "encryption_type": said["encryptionConfiguration"]["encryptionType"],
                "kms_key": said["encryptionConfiguration"]["kmsKey"],
            }
        ],
    }


def lifecycle_policy(moto, region, values):
    client = moto.client("ecr", region)
    client.put_lifecycle_policy(repositoryName=values["repository"], lifecyclePolicyText=values["policy"])
    said = client.get_lifecycle_policy(repositoryName=values["repository"])
    return {"repository": said["repositoryName"], "policy": json.loads(said["lifecyclePolicyText"])}


def role(moto, region, values):
    client = moto.client("iam", region)
    client.create_role(RoleName=values["name"], AssumeRolePolicyDocument=values["assume_role_policy"])
    said = client.get_role(RoleName=values["name"])["Role"]
    return {"name": said["RoleName"], "assume_role_policy": said["AssumeRolePolicyDocument"]}


def role_policy(moto, region, values):
    """moto reads the policy's grammar, as IAM does."""
    client = moto.client("iam", region)
    client.put_role_policy(RoleName=values["role"], PolicyName=values["name"], PolicyDocument=values["policy"])
    said = client.get_role_policy(RoleName=values["role"], PolicyName=values["name"])
    return {"name": said["PolicyName"], "policy": said["PolicyDocument"]}


MAKERS = {
    "aws_iam_role": role,
    "aws_iam_role_policy": role_policy,
    "aws_ecr_repository": repository,
    "aws_ecr_lifecycle_policy": lifecycle_policy,
    "aws_cloudwatch_log_group": log_group,
    "aws_secretsmanager_secret": secret,
}


def make(moto, region, resources):
    """Makes what MAKERS knows, compares what is read back, and counts: type to number."""
    counts = {}
    role_names = {r["values"]["id"]: r["values"]["name"] for r in resources if r["type"] == "aws_iam_role"}
    for kind, maker in MAKERS.items():
        for resource in (r for r in resources if r["type"] == kind):
            values = dict(resource["values"])
            values["role"] = role_names.get(values.get("role"), values.get("role"))
            said = maker(moto, region, values)
            for name, value in said.items():
                wanted = values.get(name)
                wanted = json.loads(wanted) if isinstance(value, dict) and isinstance(wanted, str) else wanted
                if value != wanted:
                    raise Failed(f"{resource['address']}: {name} was {wanted!r}, and is read back as {value!r}")
            counts[kind] = counts.get(kind, 0) + 1
    return counts
