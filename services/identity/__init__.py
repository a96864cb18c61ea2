"""Record linkage: which profiles are one person? Links by rule, cases for review, staff
decisions.
"""
