"""A web service for tests: says who it is, answers health checks, and misbehaves on request.

Its behaviour comes from its environment, and from files beside it that a test makes and removes:
NAME.not-ready makes /readyz answer 503, NAME.unhealthy or PID.unhealthy makes /healthz answer 500.
"""

import os
import signal
import socket
import sys
import threading
import time

name = os.environ.get("NAME", "service")
revision = os.environ.get("REVISION", "1")


def number(variable):
    return float(os.environ.get(variable, "0"))


def answer(path):
    if path == "/healthz":
        sick = any(os.path.exists(f"{who}.unhealthy") for who in (name, os.getpid()))
        return (500, "liveness is off") if sick else (200, "alive")
    if path == "/readyz":
        return (503, "readiness is off") if os.path.exists(f"{name}.not-ready") else (200, "ready")
    if path == "/exit":
        os._exit(int(os.environ.get("EXIT_CODE", "1")))
    if path.endswith("/slow"):
        time.sleep(number("SLOW_SECONDS") or 0.5)
    return 200, f"{name} {revision} {os.getpid()}"


def converse(connection):
    with connection:
        connection.settimeout(10)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(4096)
            if not piece:
                return
            head += piece
        path = head.split(b" ", 2)[1].decode()
        if not path.endswith("z"):
            print(f"GET {path}", flush=True)
        status, text = answer(path)
        extra = f"cache-control: max-age={os.environ['MAX_AGE']}\r\n" if "MAX_AGE" in os.environ else ""
        body = text.encode() + b"\n"
        connection.sendall(
            f"HTTP/1.1 {status} -\r\ncontent-type: text/plain\r\n{extra}"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
        )


def leave(*_):
    # Threads that are not daemons are waited for: what was begun is finished.
    sys.exit(0)


signal.signal(signal.SIGTERM, signal.SIG_IGN if "IGNORE_TERM" in os.environ else leave)
time.sleep(number("START_SECONDS"))
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=128)
print(f"{name} {revision} listens", flush=True)
if number("LIFE_SECONDS"):
    threading.Timer(number("LIFE_SECONDS"), lambda: os._exit(int(os.environ.get("EXIT_CODE", "1")))).start()
while True:
    connection, _ = listener.accept()
    threading.Thread(target=converse, args=(connection,)).start()
