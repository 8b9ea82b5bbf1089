"""The cache: immutable models, valid while the stamps they were read under are still the current ones."""
