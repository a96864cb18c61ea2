"""What somebody would write instead: the same facts, the same Postgres, tables of their own."""
