"""Generates event classes, the gateway's input models, conversions and documents from .avsc
files.
"""
