"""What holds for every test: how long an example of Hypothesis takes says something about the machine alone."""

import hypothesis

hypothesis.settings.register_profile("soulspot-db", deadline=None)
hypothesis.settings.load_profile("soulspot-db")
