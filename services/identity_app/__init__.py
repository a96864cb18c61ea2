"""The process of identity: the matcher and the review of cases over HTTP."""
