"""State vectors of programs that stay pure: exact outputs and their derivatives."""
