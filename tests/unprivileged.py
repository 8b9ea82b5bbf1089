"""For programs that tests start: permissions apply to them, also where the tests are run by root.

As a program, with another one and its arguments, it runs that one so, before anything large is imported.
"""

import ctypes
import os
import sys

__all__ = ["GIVEN_UP", "give_up_privileges"]

GIVEN_UP = "given up"
"""The last argument of a program that has done it."""
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2


def give_up_privileges() -> None:
    """Root's power over permissions, and be started again."""
    _drop()
    os.execv(sys.executable, [sys.executable, *sys.argv, GIVEN_UP])


def _drop() -> None:
    """What is taken out of the bounding set is lost with the next program."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


if __name__ == "__main__":
    if os.geteuid() == 0:
        _drop()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
