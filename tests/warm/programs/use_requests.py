# /// script
# requires-python = ">=3.11"
# dependencies = ["requests", "trustme"]
# ///
import http.server
import ssl
import tempfile
import threading

import requests
import trustme


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", "a=b")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    authority = trustme.CA()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}/"
    with tempfile.NamedTemporaryFile() as file:
        authority.cert_pem.write_to_path(file.name)
        answer = requests.get(url, verify=file.name, timeout=20)
        with requests.Session() as session:
            session.verify = file.name
            session.auth = ("me", "password")
            posted = session.post(url, json={"a": [1, 2]}, timeout=20)
            print(posted.json(), session.cookies.get_dict(), posted.request.headers["Authorization"], posted.elapsed.days)
            posted = session.post(url, files={"f": ("name.txt", b"content")}, params={"q": "1"}, timeout=20)
            print(b"content" in posted.content, posted.url.partition("?")[2])
            with session.get(url, stream=True, timeout=20) as streamed:
                print(list(streamed.iter_content(2)))
    print(answer.status_code, answer.text)
    try:
        requests.get(url, timeout=20)
    except requests.exceptions.SSLError as error:
        print("refused", "CERTIFICATE_VERIFY_FAILED" in str(error))
    server.shutdown()


if __name__ == "__main__":
    main()
