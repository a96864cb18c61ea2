"""How fast is it, beside what somebody would pick instead? `make bench`."""
