"""Explanations of tabular models, and attacks on image models: what stands beside a predictor and says why."""
