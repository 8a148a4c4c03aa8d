"""Commands: what people type and what they see."""
