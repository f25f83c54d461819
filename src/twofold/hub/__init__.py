"""Forecast hubs: what is asked each week, learned from what was known at its deadline, forecast, scored, submitted.

From the ground up: rules, tables, vintages, config; growth, revisions, history, season (what was known when),
examples; heads, pool, model, scores; run (a season's backtest), submission; commands. Only they know `report`.
"""
