"""The pieces that the system tests are made of, one subject a file."""
