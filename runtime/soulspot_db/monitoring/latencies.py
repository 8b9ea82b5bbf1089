"""Durations of one operation: their percentiles, in memory that does not grow with their number."""

from collections import Counter
from collections.abc import Iterable
from math import ceil, log2

from ddsketch.mapping import LogarithmicMapping

__all__ = ["Latencies"]

_mapping = LogarithmicMapping(0.01)
_STEPS = 1 / log2(_mapping.gamma)
_LEAST = 1e-9  # seconds; the logarithm of nothing is not to be had
_PERCENTILES = (50, 95, 99)


class Latencies:
    """Counts durations by the bins of a DDSketch, each to within 1 %.

    After Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch", VLDB 2019. The library says which bin a
    duration is in; to have it count as well costs several microseconds, more than many a read.
    """

    __slots__ = ("_bins", "longest")

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        # As the mapping has it, at a fourth of what its own two calls cost.
        key = ceil(log2(seconds or _LEAST) * _STEPS)
        bins = self._bins
        bins[key] = bins.get(key, 0) + 1
        if seconds > self.longest:  # noqa: PLR1730 - `max` costs three times as much, and every call passes here
            self.longest = seconds

    @property
    def bins(self) -> dict[float, int]:
        """How many there were of each duration in seconds, the shortest first."""
        return {_mapping.value(key): count for key, count in sorted(self._bins.copy().items())}

    @staticmethod
    def percentiles(of: Iterable["Latencies"]) -> dict[str, float]:
        """p50, p95, p99 and the longest of several together, in milliseconds; zeros where there are none."""
        several, together = tuple(of), Counter[int]()
        for latencies in several:
            together.update(latencies._bins.copy())  # noqa: SLF001 - another one of this class
        longest = max((latencies.longest for latencies in several), default=0.0)
        found = {f"p{number}_ms": 0.0 for number in _PERCENTILES}
        ranks = {f"p{number}_ms": number / 100 * (together.total() - 1) for number in _PERCENTILES}
        seen = 0
        for key, count in sorted(together.items()):
            for name, rank in ranks.items():
                if seen <= rank < seen + count:
                    # A bin is as long as its middle, which may be longer than the longest in it.
                    found[name] = _ms(min(_mapping.value(key), longest))
            seen += count
        return found | {"max_ms": _ms(longest)}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
