"""Stopping rules that see no clean label, judged by the test accuracy that they lose against an oracle."""
