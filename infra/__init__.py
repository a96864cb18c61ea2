"""Where it runs: servers, supervisor, topics job, images, compose parts."""
