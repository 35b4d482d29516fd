"""The double of Terraform's provider, on a socket of its own: prints the value of TF_REATTACH_PROVIDERS and stays."""
import os
import pathlib
import shutil
import sys
import threading

from harness import protocol, provider, schema

tools = pathlib.Path(os.environ["CAIS_CLOUD_TOOLS"])
schemas = schema.cached(tools / "npm/node_modules/@cdktf/provider-aws/lib", tools)
with provider.Server(provider.Double(protocol.Protocol(shutil.which("terraform")), schemas), sys.argv[1]) as server:
    print(server.reattach, flush=True)
    threading.Event().wait()
