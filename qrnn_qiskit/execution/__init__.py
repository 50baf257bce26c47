"""The runner: the only room that touches simulators or IBM backends."""
