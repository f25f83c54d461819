"""The page of a hub's backtest: a template beside its view."""
