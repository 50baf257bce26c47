"""Runs whose requests go to a service that is paid for: submitted once, never lost."""
