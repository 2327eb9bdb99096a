# /// script
# requires-python = ">=3.11"
# dependencies = ["aiohttp"]
# ///
import asyncio

from aiohttp import ClientConnectorError, ClientSession, web


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket


async def add(request):
    body = await request.json()
    return web.json_response({"sum": sum(body["numbers"]), "query": dict(request.query)}, headers={"X-Made": "here"})


async def talk():
    application = web.Application()
    application.router.add_post("/add", add)
    application.router.add_get("/", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/") as socket:
        await socket.send_str("hello")
        print((await socket.receive()).data)
        async with session.post(f"http://127.0.0.1:{port}/add?a=b", json={"numbers": [1, 2, 3]}) as answer:
            print(answer.status, answer.headers["X-Made"], await answer.json())
        async with session.get(f"http://127.0.0.1:{port}/nowhere") as answer:
            print(answer.status, await answer.text())
        try:
            await session.get("http://127.0.0.1:1/")
        except ClientConnectorError as error:
            print(type(error.os_error).__name__)
    await runner.cleanup()


def main():
    asyncio.run(talk())


if __name__ == "__main__":
    main()
