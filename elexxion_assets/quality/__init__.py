"""Contracts and checks: what rows and tables must satisfy, and what was found."""
