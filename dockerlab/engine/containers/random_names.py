"""Names for containers that nobody named."""

from __future__ import annotations

import secrets

__all__ = ["invent"]

LEFT = (
    "amber brave brisk calm clever cosy daring eager early fair fleet gentle glad golden hardy hidden "
    "honest jolly keen kind lively lucky merry mild modest neat noble patient plain proud quick quiet "
    "ready rosy silent silver sincere smooth steady sunny swift tidy tranquil true warm wise witty young "
    "zesty "
)
RIGHT = (
    "antonelli babbage bartik bell boole cerf conway curie dijkstra engelbart erdos euler faraday feinler "
    "franklin gauss goldberg hamilton hopper jennings johnson kay knuth lamarr lamport liskov lovelace "
    "mccarthy mcilroy meitner noether perlman postel ritchie shannon shaw spence thompson torvalds turing "
    "vaughan wescoff wilkes wing wirth "
)


def invent(taken: set[str]) -> str:
    """Give a name that isn't taken: an adjective and someone to look up."""
    while True:
        name = f"{secrets.choice(LEFT.split())}_{secrets.choice(RIGHT.split())}"
        if name not in taken:
            return name
        name += str(secrets.randbelow(10))
        if name not in taken:
            return name
