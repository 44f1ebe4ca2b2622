"""`wget [-q] [-O FILE|-] http://ADDRESS[:PORT]/PATH`: fetches one page, as busybox's wget does."""

import _socket
import os
import sys

import common

NAME, BLOCK, SECONDS, GOOD = "wget", 65536, 30, 200


def parse_options(words):
    """Return the name of the output file and the URL from the command line."""
    out, url, words = "", "", list(words)
    while words:
        word = words.pop(0)
        if word == "-O" and words:
            out = words.pop(0)
        elif word.startswith("-O") and len(word) > 2:  # noqa: PLR2004
            out = word[2:]
        elif word == "-qO-":
            out = "-"
        elif not word.startswith("-"):
            url = word
        elif word != "-q":
            common.fail(NAME, f"unrecognized option: {word}")
    if not url.startswith("http://"):
        common.fail(NAME, f"not an http url: {url}")
    return out, url


def fetch(url):
    """Return the status line and the body of the response."""
    authority, _, path = url.removeprefix("http://").partition("/")
    host, _, port = authority.partition(":")
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    connection.settimeout(SECONDS)
    try:
        address = _socket.getaddrinfo(host.encode(), port or "80", _socket.AF_INET, _socket.SOCK_STREAM)[0][4]
        connection.connect(address)
        connection.sendall(f"GET /{path} HTTP/1.0\r\nHost: {authority}\r\nConnection: close\r\n\r\n".encode())
        parts = []
        while data := connection.recv(BLOCK):
            parts.append(data)
    except OSError as error:
        common.fail(NAME, f"can't connect to remote host ({host}): {error.strerror or error}")
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0].decode("latin-1"), body


def main():
    """Write the page to a file or to standard output."""
    common.set_process_name(NAME)
    out, url = parse_options(sys.argv[1:])
    status, body = fetch(url)
    words = status.split()
    if len(words) < 2 or words[1] != str(GOOD):  # noqa: PLR2004
        common.fail(NAME, f"server returned error: {status}")
    if out == "-":
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    with open(out or os.path.basename(url) or "index.html", "wb") as file:  # noqa: PTH119, PTH123
        file.write(body)


main()
