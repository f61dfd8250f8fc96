"""The floor of one request: a server that reads a body and answers fixed bytes, with no framework and no rules."""

import socket
import sys
from typing import Any

import uvicorn
import uvloop

ANSWER = sys.stdin.buffer.read() if __name__ == "__main__" else b""
HEADERS = [(b"content-type", b"application/json")]


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer once the whole body is there."""
    while (await receive()).get("more_body"):
        pass
    length = (b"content-length", str(len(ANSWER)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, length]})
    await send({"type": "http.response.body", "body": ANSWER})


def main() -> None:
    """Listen on a free port, say which, and answer until told to stop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(answer, lifespan="off", access_log=False, log_level="error")
        uvloop.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
