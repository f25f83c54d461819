"""The pages of a run, a walk-forward backtest and the original study, each a template beside its view."""
