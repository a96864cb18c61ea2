"""The process that decides: commands come in over HTTP, answers go out, facts follow."""
