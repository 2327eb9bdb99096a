# /// script
# requires-python = ">=3.11"
# dependencies = ["flask"]
# ///
from flask import Flask, jsonify, render_template_string, session

app = Flask(__name__)
app.secret_key = "secret"


@app.route("/<name>")
def index(name):
    session["name"] = name
    return render_template_string("Hello {{ name|upper }}", name=name)


@app.route("/json")
def data():
    return jsonify(a=1)


if __name__ == "__main__":
    client = app.test_client()
    for path in ("/x", "/json", "/a/b"):
        answer = client.get(path)
        print(answer.status_code, answer.text)
