"""Pure decisions: no clock, disk, network, randomness or logging."""
