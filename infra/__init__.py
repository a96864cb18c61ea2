"""Runs the stack: starts and stops servers and services, creates topics, builds images."""
