"""The words that the runtime and the generator both speak: documents, field types, filters. Imports nothing of ours."""
