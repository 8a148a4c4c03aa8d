"""The order of the steps; knows ports, never adapters."""
