# /// script
# requires-python = ">=3.11"
# dependencies = ["flask"]
# ///
"""A web application: answers on the loopback interface; the port is the first argument, 0 for any."""

import sys

from flask import Flask, jsonify
from werkzeug.serving import make_server

app = Flask(__name__)


@app.get("/")
def index():
    return jsonify(message="Hello from one file.", frozen=getattr(sys, "frozen", False))


if __name__ == "__main__":
    server = make_server("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5000, app)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
