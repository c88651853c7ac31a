"""Benchmarks: ratios of things that were measured side by side in one run, never seconds that a test relies on."""
