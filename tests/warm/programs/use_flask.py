# /// script
# requires-python = ">=3.11"
# dependencies = ["flask"]
# ///
import io
import logging
import threading
import urllib.request

from flask import Flask, jsonify, render_template_string, request, session
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)

app = Flask(__name__)
app.secret_key = "secret"


@app.route("/<name>")
def index(name):
    session["name"] = name
    return render_template_string("Hello {{ name|upper }}", name=name)


@app.route("/json")
def data():
    return jsonify(a=1)


@app.errorhandler(404)
def missing(error):
    return {"missing": request.path}, 404


@app.post("/upload")
def upload():
    return jsonify(size=len(request.files["file"].read()), name=request.files["file"].filename, form=request.form)


def main():
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/real", timeout=20) as answer:
        print(answer.status, answer.read(), answer.headers["Set-Cookie"][:8])
    server.shutdown()
    client = app.test_client()
    for path in ("/x", "/json", "/a/b"):
        answer = client.get(path)
        print(answer.status_code, answer.text)
    print(client.post("/upload", data={"file": (io.BytesIO(b"content"), "a.txt"), "x": "y"}).json)
    with client.session_transaction() as kept:
        print(kept["name"])
    print(app.test_cli_runner().invoke(args=["routes"]).output)


if __name__ == "__main__":
    main()
