"""How mail servers are spoken to: as a stranger, gently, within bounds."""
