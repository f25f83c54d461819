"""Forecast hubs: weekly forecasts from what was known at each deadline, scored against other teams, and submitted.

From the ground up: rules, tables, vintages, config; growth, revisions, history, season (what was known when),
examples; heads, pool, model, scores; run (the backtest of a season), submission; commands, which alone import `report`.
"""
