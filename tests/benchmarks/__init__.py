"""How fast is it? Measurements, run by hand with `make bench`; nothing here fails a test run."""
