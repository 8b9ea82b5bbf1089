"""The commands that the generator adds to `soulspot-db`: one a file, found by entry point."""
