"""Visitors who come on a schedule until standard input is closed; prints what came of them, as JSON."""

import asyncio
import json
import sys
import time

HOST, RATE, ADDRESSES = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
answered, failed = {}, []


async def visit(address: str, began: float) -> None:
    came = time.monotonic() - began
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(address, 80)
            writer.write(REQUEST)
            answer = await reader.read()
            writer.close()
        status = answer.split(b" ", 2)[1:2]
        if status != [b"200"]:
            failed.append((came, str(status)))
            return
        who = answer.split(b"\r\n\r\n", 1)[1].decode().strip()
        answered[who] = answered.get(who, 0) + 1
    except (OSError, TimeoutError) as error:
        failed.append((came, repr(error)))


async def main() -> None:
    told = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    began, opened, visits = time.monotonic(), time.time(), []
    while not told.done():
        visits.append(asyncio.create_task(visit(ADDRESSES[len(visits) % len(ADDRESSES)], began)))
        await asyncio.sleep(max(0, len(visits) / RATE - (time.monotonic() - began)))
    await asyncio.gather(*visits)
    seconds = time.monotonic() - began
    print(json.dumps({"answered": answered, "failed": failed, "opened": opened, "seconds": seconds}))


asyncio.run(main())
