"""The page of a study of trials."""
