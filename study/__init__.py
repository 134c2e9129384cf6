"""Experiments: many runs, their files, figures and scores."""
