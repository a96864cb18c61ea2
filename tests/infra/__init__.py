"""The servers, their launcher, the supervisor, the topics job and the compose file."""
