"""${message}"""

raise RuntimeError("revisions are written by `soulspot-db generate`, not by `alembic revision`")
