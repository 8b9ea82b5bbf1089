"""Sources of Python, read by several threads at once."""

import gc
import threading
import time

from soulspot_db.language import python_source

SOURCE = "\n".join(f"def f{n}(a, b={n}):\n    return [a, {{'b': (b, -b)}}]\n" for n in range(30))


class Slow:
    """Lets other threads run while the garbage collector takes it away: as a connection does that is closed then."""

    def __init__(self):
        self.itself = self

    def __del__(self):
        time.sleep(0.001)


def test_threads_that_read_sources_at_once_do_not_harm_each_other():
    failures = []

    def read(depth=0):
        if depth:
            return read(depth - 1)
        for _ in range(20):
            _ = [Slow() for _ in range(5)]
            try:
                python_source.parsed(SOURCE)
            except SystemError as error:
                failures.append(error)
        return None

    before = gc.get_threshold()
    gc.set_threshold(500)
    try:
        threads = [threading.Thread(target=read, args=(depth,)) for depth in (0, 7, 15)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*before)
    assert failures == []
