"""Loss and gradient at some weights: what to evaluate, with how many shots, and what it says."""
