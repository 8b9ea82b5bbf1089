"""The cache: immutable models, valid as long as nothing that they depend on has been written since they were read."""
