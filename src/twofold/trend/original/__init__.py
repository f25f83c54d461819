"""The original study, in order: `study` (its grid), `findings` (its errors, as figures), `run`."""
