"""The registry's database, and the only modules of the registry that know SQL."""
