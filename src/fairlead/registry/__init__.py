"""Models and bentos, kept by name and version: who may have them, where their bytes lie, and the API that clients push
to. It knows no back-end: what runs is reached through a seam (`deploying.py`) that whoever serves it fills in."""
