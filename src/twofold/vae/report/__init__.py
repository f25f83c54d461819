"""The pages of a run and of a sweep, each a template beside its view."""
