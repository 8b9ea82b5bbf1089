"""Why a statement was slow, and which index would help."""
