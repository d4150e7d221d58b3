"""Examples are drawn alike in every run."""

import tests.same_examples  # noqa: F401  # loads the profile
