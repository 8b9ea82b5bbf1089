"""What a command costs: `python cost.py COMMAND` prints its status, its CPU seconds, and the most memory it had, in bytes.

A process of its own, and a small one: to the most memory of a child, Linux counts what its parent had when it was started.
"""

import os
import subprocess
import sys

if __name__ == "__main__":
    started = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(started.pid, 0)
    size = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    sys.stdout.write(f"{status} {usage.ru_utime + usage.ru_stime} {size}")
