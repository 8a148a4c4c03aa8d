"""Composition: the graph of parts, the threads and processes they run in, and the clock."""
