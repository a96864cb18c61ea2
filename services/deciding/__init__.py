"""Where "no" must be possible: decided before it is a fact, once for each key, and never lost."""
