"""As much of Kubernetes' API as Snakemake asks for; the container of a job is run here, in a folder of its own.

It shows that profile and Snakefile fit each other and lead to what is computed. What a cluster adds (images, volumes,
permissions, nodes that are lost) it does not have.
"""

import base64
import contextlib
import json
import os
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextlib.contextmanager
def kubernetes(folder):
    """A server whose address stands in ``folder``/config (for KUBECONFIG); gives the jobs that it was sent."""
    sent, secrets, running = [], {}, {}

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "/secrets" in self.path:
                secrets[body["metadata"]["name"]] = body["data"]
            else:
                sent.append(body)
                running[body["metadata"]["name"]] = _run(body, secrets, folder)
            self._answer(body)

        def do_GET(self):
            place = self.path.partition("?")[0].removesuffix("/status")
            if place.endswith("/pods"):
                self._answer({"kind": "PodList", "items": []})
                return
            name = place.rpartition("/")[2]
            status = {None: {}, 0: {"succeeded": 1}}.get(running[name].poll(), {"failed": 1})
            self._answer({"kind": "Job", "metadata": {"name": name}, "status": status})

        def do_DELETE(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer({"kind": "Status", "status": "Success"})

        def _answer(self, body):
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words):
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cluster = {"name": "mock", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        context = {"name": "mock", "context": {"cluster": "mock", "user": "nobody"}}
        users = [{"name": "nobody", "user": {}}]
        said = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": users, "contexts": [context]}
        (folder / "config").write_text(json.dumps({**said, "current-context": "mock"}))
        try:
            yield sent
        finally:
            for process in running.values():
                process.kill()
                process.wait()
            server.shutdown()


def _run(job, secrets, folder):
    """The job's only container, its environment taken from the secrets that it names."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GENBOOK")}
    for one in container.get("env") or ():
        named = one["valueFrom"]["secretKeyRef"]
        environment[one["name"]] = base64.b64decode(secrets[named["name"]][named["key"]]).decode()
    pod = Path(tempfile.mkdtemp(prefix="pod-", dir=folder))
    with (pod / "log").open("w") as log:
        words = [*container["command"], *container["args"]]
        return subprocess.Popen(words, cwd=pod, env=environment, stdout=log, stderr=subprocess.STDOUT)
