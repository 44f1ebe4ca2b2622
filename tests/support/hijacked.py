"""A hijacked connection over any way to an engine: bytes go into a container, and their number comes back."""

from __future__ import annotations

from dockerlab import Lab
from dockerlab.connections import end_writing


def counted(lab: Lab, labels: dict[str, str], size: int) -> int:
    """Let a container count so many bytes, which end when the writing ends."""
    name = labels["dockerlab.test"]
    lab.call(
        "ContainerCreate", name=name, image="busybox", cmd=["wc", "-c"], labels=labels, open_stdin=True, stdin_once=True
    )
    connection = lab._transport.connection(20)
    connection.putrequest("POST", f"/containers/{name}/attach?stream=1&stdin=1&stdout=1", skip_host=True)
    for header, value in {"Host": "localhost", "Connection": "Upgrade", "Upgrade": "tcp"}.items():
        connection.putheader(header, value)
    connection.endheaders()
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    lab.call("ContainerStart", id=name)
    connection.sock.sendall(b"x" * size)
    end_writing(connection.sock)
    said = b""
    while more := connection.sock.recv(65536):
        said += more
    connection.close()
    return int(said[8:])  # after the head of its frame
