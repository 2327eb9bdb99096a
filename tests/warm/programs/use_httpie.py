# /// script
# requires-python = ">=3.11"
# dependencies = ["httpie"]
# ///
import http.server
import sys
import threading

from httpie import core


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_response(302 if self.path == "/" else 404)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    code = core.main(["http", "--ignore-stdin", "--body", "--pretty=all", "POST", address, "a=b", "c:=[1,2]"])
    asked = [
        ["--pretty=none", "--body", "--follow", "--check-status", address],
        ["--offline", "--print=HB", "--form", address, "f=g", "X-H:1", "q==2", "Host:here"],
    ]
    codes = [core.main(["http", "--ignore-stdin", *words]) for words in asked]
    print(int(code), *map(int, codes))
    server.shutdown()
    sys.exit(int(codes[0]) - 4)  # 4: the answer is 404


if __name__ == "__main__":
    main()
