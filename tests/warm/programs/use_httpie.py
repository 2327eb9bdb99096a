# /// script
# requires-python = ">=3.11"
# dependencies = ["httpie"]
# ///
import http.server
import sys
import threading

from httpie.core import main


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    code = main(["http", "--ignore-stdin", "--body", "--pretty=all", "POST", address, "a=b", "c:=[1,2]"])
    server.shutdown()
    sys.exit(int(code))
