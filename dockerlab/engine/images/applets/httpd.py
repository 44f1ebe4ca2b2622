"""`httpd [-f] [-v] [-p [ADDRESS:]PORT] [-h DIRECTORY]`: serves files, as busybox's httpd does."""

import _socket
import os
import sys

import common

NAME, BLOCK, SECONDS = "httpd", 65536, 30
TYPES = {"html": "text/html", "txt": "text/plain", "css": "text/css", "js": "text/javascript"}


def parse_options(words):
    """Return the options of the command line."""
    options = {"port": "80", "home": ".", "foreground": False}
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "-f":
            options["foreground"] = True
        elif word in ("-p", "-h") and words:
            options["port" if word == "-p" else "home"] = words.pop(0)
        elif word not in ("-v", "-vv"):
            common.fail(NAME, f"unknown option {word}")
    return options


def response(status, content_type, body):
    """Return a whole HTTP response."""
    head = f"HTTP/1.0 {status}\r\nContent-type: {content_type}\r\nConnection: close\r\n"
    return f"{head}Content-length: {len(body)}\r\n\r\n".encode() + body


def respond(request):
    """Return the response to a request: a file below the home directory, or 404."""
    words = request.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) < 2 or words[0] not in ("GET", "HEAD"):  # noqa: PLR2004
        return response("501 Not Implemented", "text/plain", b"")
    home = os.getcwd()  # noqa: PTH109
    path = os.path.realpath(os.path.join(home, words[1].partition("?")[0].lstrip("/")))  # noqa: PTH118
    if os.path.isdir(path):  # noqa: PTH112
        path = os.path.join(path, "index.html")  # noqa: PTH118
    if not path.startswith(home + os.sep) or not os.path.isfile(path):  # noqa: PTH113
        return response("404 Not Found", "text/plain", b"The requested URL was not found\n")
    with open(path, "rb") as file:  # noqa: PTH123
        body = file.read()
    content_type = TYPES.get(path.rpartition(".")[2], "application/octet-stream")
    complete = response("200 OK", content_type, body)
    return complete if words[0] == "GET" else complete[: -len(body) or None]


def serve(listener):
    """Serve one connection after the other, until the process is stopped."""
    while True:
        handle, _ = listener._accept()
        connection = _socket.socket(fileno=handle)
        connection.settimeout(SECONDS)
        try:
            request = b""
            while b"\r\n\r\n" not in request and len(request) < BLOCK:
                data = connection.recv(BLOCK)
                if not data:
                    break
                request += data
            connection.sendall(respond(request))
        except OSError:
            pass  # this client disconnected; serve the next one
        finally:
            connection.close()


def main():
    """Listen, and serve in the foreground or, without -f, in the background."""
    common.set_process_name(NAME)
    options = parse_options(sys.argv[1:])
    address, _, port = options["port"].rpartition(":")
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    try:
        os.chdir(options["home"])
        listener.bind((address or "0.0.0.0", int(port)))  # noqa: S104  (the default of busybox)
        listener.listen(16)
    except (OSError, ValueError) as error:
        common.fail(NAME, f"bind: {getattr(error, 'strerror', None) or error}")
    if not options["foreground"] and os.fork():
        os._exit(0)
    serve(listener)


main()
