"""Record linkage: decides which profiles are one person, by match rules and staff decisions."""
