"""The generator: schemas in, typed repositories and migrations out. It shares only the language with the runtime."""
