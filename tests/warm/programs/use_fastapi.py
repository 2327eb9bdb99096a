# /// script
# requires-python = ">=3.11"
# dependencies = ["fastapi", "uvicorn"]
# ///
import asyncio
import socket
import threading
import urllib.request

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str
    price: float = 1.5


@app.post("/items")
async def make(item: Item) -> Item:
    await asyncio.sleep(0)
    return item


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/items"
    for body in (b'{"name": "x"}', b'{"price": 1}'):
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                print(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            print(error.code, error.read())
    server.should_exit = True
    thread.join()
    print(sorted(app.openapi()["paths"]))
