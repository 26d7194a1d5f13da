"""An HTTPS server for the tenant's API server to call: an admission webhook and an aggregated API in one.

A program of its own, run on a machine of the tenant: it prints one line when it serves, and ends with its input.
Arguments: the address, the port, and a file with certificate and key.
"""

import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GROUP = "greetings.example"
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": f"{GROUP}/v1",
    "resources": [
        {"name": "greetings", "singularName": "greeting", "namespaced": False, "kind": "Greeting", "verbs": ["get"]}
    ],
}


class Handler(BaseHTTPRequestHandler):
    """Refuses every object, and serves one greeting."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The aggregated API."""
        if self.path.startswith(f"/apis/{GROUP}/v1/greetings/"):
            self._answer({"kind": "Greeting", "apiVersion": f"{GROUP}/v1", "metadata": {"name": "hello"}})
        else:
            self._answer(RESOURCES)

    def do_POST(self) -> None:
        """The webhook."""
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        response = {"uid": review["request"]["uid"], "allowed": False, "status": {"message": "seen by the webhook"}}
        self._answer({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response})

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _answer(self, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(address: str, port: str, pair: str) -> None:
    """Serve until the input ends."""
    server = ThreadingHTTPServer((address, int(port)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("serves", flush=True)  # noqa: T201 - what its starter waits for
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
