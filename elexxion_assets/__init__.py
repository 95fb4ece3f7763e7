"""The lakehouse of French territorial open data, as Dagster software-defined assets."""
