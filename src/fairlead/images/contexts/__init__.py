"""Folders that builders make images of: of a bento, of a model, of a class."""
