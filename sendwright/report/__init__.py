"""Plans, findings and errors, turned into what people and machines read."""
