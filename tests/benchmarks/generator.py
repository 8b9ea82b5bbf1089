"""The generator: CPU seconds and memory of whole commands, each in a process of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

__all__ = ["generator"]

ROOT = Path(__file__).parents[2]
ROUNDS = 5
COMMAND = [sys.executable, "-c", "from soulspot_db.cli import main; main()"]
IMPORT_LIBRARIES = "import pydantic, sqlalchemy"
IMPORT_RUNTIME = f"{IMPORT_LIBRARIES}; import soulspot_db; soulspot_db.Database"
# Timed inside the process: the difference of two processes would be mostly noise.
IMPORT_ENTITY = f"""{IMPORT_RUNTIME}, soulspot_db.Repository
import time
before = time.process_time()
from big_entities.module_3.thing_3_of_7 import Thing3Of7Repository
print(time.process_time() - before)
"""
ENTITY = """description: One of many.
fields:
  id:         {{type: uuid, primary_key: true}}
  name:       {{type: string, max_length: 255, index: true}}
  code:       {{type: string, max_length: 40, unique: true, nullable: true}}
  status:     {{type: enum, values: [active, paused, gone], default: active}}
  number:     {{type: integer, default: 0, minimum: 0}}
  score:      {{type: float, default: 0.0}}
  price:      {{type: decimal, precision: 8, scale: 2, nullable: true}}
  tags:       {{type: list, items: string, default: []}}
  parent_id:  {{type: uuid, nullable: true, references: {parent}}}
  created_at: {{type: datetime, default: now}}
  updated_at: {{type: datetime, default: now, on_update: now}}
indexes:
  - {{fields: [status, created_at desc]}}
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a process, and the most memory it had, in MB."""

    seconds: float
    megabytes: float


def run(command: list[str], folder: Path, **environment: str) -> Cost:
    """Run a command to its end."""
    measured = [sys.executable, "-S", str(Path(__file__).with_name("cost.py")), *command]
    environment = {**os.environ, **environment}
    printed = subprocess.run(measured, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE).stdout
    status, seconds, size = printed.split()
    if int(status):
        raise RuntimeError(f"{command} ended with {int(status)}")
    return Cost(float(seconds), int(size) / 2**20)


def least(command: list[str], folder: Path, **environment: str) -> Cost:
    """The least of several runs: other work on the machine can only add to what a command costs."""
    costs = [run(command, folder, **environment) for _ in range(ROUNDS)]
    return Cost(min(cost.seconds for cost in costs), min(cost.megabytes for cost in costs))


def big_project(folder: Path) -> None:
    """500 entities in 20 modules."""
    folder.joinpath("pyproject.toml").write_text('[tool.soulspot-db]\noutput = "big_entities"\n')
    for module in range(20):
        place = folder / "schemas" / f"module_{module}"
        place.mkdir(parents=True)
        for number in range(25):
            parent = f"module_{module}.thing_{module}_of_0"
            place.joinpath(f"thing_{module}_of_{number}.yaml").write_text(ENTITY.format(parent=parent))


def _cold(folder: Path) -> Cost:
    costs = []
    for _ in range(ROUNDS):
        for made in ("big_entities", "migrations"):
            shutil.rmtree(folder / made, ignore_errors=True)
        costs.append(run([*COMMAND, "generate"], folder))
    return min(costs, key=lambda cost: cost.seconds)


def generator() -> Table:
    """What the commands cost, beside what they may cost."""
    table = Table("command", "CPU", "limit", "memory", title="The generator")

    def row(name: str, cost: Cost, limit: str) -> None:
        table.add_row(name, f"{cost.seconds:.2f} s", limit, f"{cost.megabytes:.0f} MB")

    row("soulspot-db --help", least([*COMMAND, "--help"], ROOT), "0.2 s")
    row("generate --check, SoulSpot's 25 entities", least([*COMMAND, "generate", "--check"], ROOT), "0.5 s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        big_project(folder)
        row("generate, 500 entities, cold", _cold(folder), "4 s, 300 MB")
        row("generate --check, 500 entities", least([*COMMAND, "generate", "--check"], folder), "")
        libraries = least([sys.executable, "-c", IMPORT_LIBRARIES], folder)
        runtime = least([sys.executable, "-c", IMPORT_RUNTIME], folder)
        environment = {**os.environ, "PYTHONPATH": name}
        entity = min(
            float(subprocess.check_output([sys.executable, "-c", IMPORT_ENTITY], env=environment))
            for _ in range(ROUNDS)
        )
        row("import Pydantic and SQLAlchemy", libraries, "")
        row("+ the runtime", Cost(runtime.seconds - libraries.seconds, runtime.megabytes), "")
        row("+ one repository of 500", Cost(entity, runtime.megabytes), "0.05 s")
    return table
