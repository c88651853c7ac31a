"""What records, policies and certificates say: parsers of hostile text, pure."""
