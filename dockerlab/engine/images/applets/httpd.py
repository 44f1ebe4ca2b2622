"""`httpd [-f] [-v] [-p [ADDRESS:]PORT] [-h DIRECTORY]`: serves files, as busybox's httpd does."""

import _socket
import os
import sys

import common

NAME, BLOCK, SECONDS = "httpd", 65536, 30
TYPES = {"html": "text/html", "txt": "text/plain", "css": "text/css", "js": "text/javascript"}


def options(words):
    """Read the command line."""
    found = {"port": "80", "home": ".", "front": False}
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "-f":
            found["front"] = True
        elif word in ("-p", "-h") and words:
            found["port" if word == "-p" else "home"] = words.pop(0)
        elif word not in ("-v", "-vv"):
            common.fail(NAME, f"unknown option {word}")
    return found


def reply(status, kind, body):
    """Write an answer."""
    head = f"HTTP/1.0 {status}\r\nContent-type: {kind}\r\nConnection: close\r\nContent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answer(request):
    """Answer a request: a file below the home directory, or 404."""
    words = request.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) < 2 or words[0] not in ("GET", "HEAD"):  # noqa: PLR2004
        return reply("501 Not Implemented", "text/plain", b"")
    home = os.getcwd()  # noqa: PTH109
    path = os.path.realpath(os.path.join(home, words[1].partition("?")[0].lstrip("/")))  # noqa: PTH118
    if os.path.isdir(path):  # noqa: PTH112
        path = os.path.join(path, "index.html")  # noqa: PTH118
    if not path.startswith(home + os.sep) or not os.path.isfile(path):  # noqa: PTH113
        return reply("404 Not Found", "text/plain", b"The requested URL was not found\n")
    with open(path, "rb") as file:  # noqa: PTH123
        body = file.read()
    kind = TYPES.get(path.rpartition(".")[2], "application/octet-stream")
    whole = reply("200 OK", kind, body)
    return whole if words[0] == "GET" else whole[: -len(body) or None]


def serve(listening):
    """Answer one connection after the other, for ever."""
    while True:
        handle, _ = listening._accept()
        connection = _socket.socket(fileno=handle)
        connection.settimeout(SECONDS)
        try:
            request = b""
            while b"\r\n\r\n" not in request and len(request) < BLOCK:
                data = connection.recv(BLOCK)
                if not data:
                    break
                request += data
            connection.sendall(answer(request))
        except OSError:
            pass  # this client went away; the next one is served
        finally:
            connection.close()


def main():
    """Listen, and serve in front or, without -f, in the background."""
    common.look_like(NAME)
    asked = options(sys.argv[1:])
    address, _, port = asked["port"].rpartition(":")
    listening = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listening.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    try:
        os.chdir(asked["home"])
        listening.bind((address or "0.0.0.0", int(port)))  # noqa: S104  (what was asked for)
        listening.listen(16)
    except (OSError, ValueError) as error:
        common.fail(NAME, f"bind: {getattr(error, 'strerror', None) or error}")
    if not asked["front"] and os.fork():
        os._exit(0)
    serve(listening)


main()
