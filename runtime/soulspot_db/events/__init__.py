"""Events: what happened, told after it is certain."""
