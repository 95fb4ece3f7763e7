"""Models: features as they were known, training, evaluation over time. Pure; no orchestrator and no storage here."""
