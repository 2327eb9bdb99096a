# /// script
# requires-python = ">=3.11"
# dependencies = ["fastapi", "uvicorn"]
# ///
import asyncio
import socket
import threading
import urllib.error
import urllib.request
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Path
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str
    price: float = 1.5


def token(authorization: Annotated[str | None, Header()] = None) -> str:
    if authorization is None:
        raise HTTPException(401, "who is it?")
    return authorization


@app.get("/me/{number}")
def me(number: Annotated[int, Path(gt=0)], who: Annotated[str, Depends(token)], limit: int = 10) -> dict[str, str | int]:
    return {"number": number, "who": who, "limit": limit}


@app.get("/stream")
async def stream() -> StreamingResponse:
    return StreamingResponse((f"{number}\n" for number in range(3)), media_type="text/plain")


@app.post("/items")
async def make(item: Item) -> Item:
    await asyncio.sleep(0)
    return item


def main():
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    kind = {"Content-Type": "application/json"}
    requests = [
        urllib.request.Request(f"{url}/items", b'{"name": "x"}', kind),
        urllib.request.Request(f"{url}/items", b'{"price": 1}', kind),
        urllib.request.Request(f"{url}/me/7?limit=3", headers={"Authorization": "me"}),
        urllib.request.Request(f"{url}/me/7"),
        urllib.request.Request(f"{url}/me/0", headers={"Authorization": "me"}),
        urllib.request.Request(f"{url}/stream"),
        urllib.request.Request(f"{url}/docs"),
    ]
    for request in requests:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                print(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            print(error.code, error.read())
    server.should_exit = True
    thread.join()
    print(app.openapi())


if __name__ == "__main__":
    main()
