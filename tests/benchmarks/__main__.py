"""`make bench`: every table that docs/benchmarks.md shows, measured on this machine, now."""

from memory import memory
from operations import operations
from rich.console import Console

from generator import generator

console = Console(width=120)
for measure in (generator, memory, operations):
    console.print(measure())
