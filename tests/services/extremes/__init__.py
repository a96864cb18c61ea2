"""Extreme values at every address of every process: an answer or a refusal, never a fault."""
