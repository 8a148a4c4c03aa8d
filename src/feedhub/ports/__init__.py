"""Ports: what the pipeline asks of the world. The docstrings are the contracts; adapters live one floor up."""
