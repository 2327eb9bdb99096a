# /// script
# requires-python = ">=3.11"
# dependencies = ["aiohttp"]
# ///
import asyncio

from aiohttp import ClientSession, web


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket


async def main():
    application = web.Application()
    application.router.add_get("/", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/") as socket:
        await socket.send_str("hello")
        print((await socket.receive()).data)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
