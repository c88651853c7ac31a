"""How names and policies are asked for: one resolver, single servers, HTTPS; each thing once, within bounds."""
