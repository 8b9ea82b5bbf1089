"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

__all__ = ["machine"]

LIBRARIES = ("sqlalchemy", "advanced-alchemy", "tortoise-orm", "aiosqlite", "asyncpg", "cachetools", "cashews")


def machine() -> str:
    """Processor, cores, memory, Python, the peers' versions, and how busy it was, in one sentence."""
    cpu = Path("/proc/cpuinfo")
    names = [line for line in cpu.read_text().splitlines() if line.startswith("model name")] if cpu.exists() else []
    processor = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    memory = psutil.virtual_memory().total / 2**30
    load, _, _ = os.getloadavg()
    peers = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{os.cpu_count()} cores of {processor}, {memory:.0f} GB of memory, {platform.system()}, "
        f"Python {platform.python_version()}; {peers}; a load of {load:.1f} when it ended"
    )
