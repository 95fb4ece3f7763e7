"""The way out of the lake: pages and exports made from declarations and published tables."""
