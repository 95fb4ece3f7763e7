"""Figures on this machine: scripts to run by hand, no tests."""
