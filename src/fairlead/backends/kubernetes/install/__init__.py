"""What an installation on a cluster consists of, and putting it there."""
