"""How hosts are looked at from the inside, and what is judged of what they say."""
