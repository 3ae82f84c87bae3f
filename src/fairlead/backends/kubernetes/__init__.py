"""A cluster as the place that makes a layout true."""
