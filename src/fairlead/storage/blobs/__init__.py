"""Bytes by their keys, kept for long: a folder, or a bucket of S3's, Google's or Azure's, behind one protocol."""
