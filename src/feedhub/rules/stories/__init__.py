"""Stories: which items are the same text (a reprint), and which tell of one event."""
