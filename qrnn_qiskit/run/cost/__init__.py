"""What work costs before it is done: plans, budgets, prices."""
