"""Generates a two-word name for a container that is created without one."""

from __future__ import annotations

import secrets

__all__ = ["generate"]

ADJECTIVES = (
    "amber brave brisk calm clever cosy daring eager early fair fleet gentle glad golden hardy hidden "
    "honest jolly keen kind lively lucky merry mild modest neat noble patient plain proud quick quiet "
    "ready rosy silent silver sincere smooth steady sunny swift tidy tranquil true warm wise witty young "
    "zesty "
)
SURNAMES = (
    "antonelli babbage bartik bell boole cerf conway curie dijkstra engelbart erdos euler faraday feinler "
    "franklin gauss goldberg hamilton hopper jennings johnson kay knuth lamarr lamport liskov lovelace "
    "mccarthy mcilroy meitner noether perlman postel ritchie shannon shaw spence thompson torvalds turing "
    "vaughan wescoff wilkes wing wirth "
)


def generate(used: set[str]) -> str:
    """Return a name that is not in `used`: an adjective and the surname of a scientist."""
    while True:
        name = f"{secrets.choice(ADJECTIVES.split())}_{secrets.choice(SURNAMES.split())}"
        if name not in used:
            return name
        name += str(secrets.randbelow(10))
        if name not in used:
            return name
