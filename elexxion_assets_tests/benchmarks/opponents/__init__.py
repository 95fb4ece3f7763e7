"""The same ways from raw files to gold without a lake: no recognition, no checks, no quarantine, no lineage.

They import nothing of the package and get the reference tables as Parquet, so that nothing of ours slows them down.
"""
