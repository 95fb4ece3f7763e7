"""Fault trials: real passes and daemons are killed, starved and lied to, then nothing may be lost or counted twice.

`python -m elexxion_assets_tests.faults --seeds 20` runs the whole campaign and prints its table.
"""
