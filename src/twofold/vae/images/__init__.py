"""Images from folders, archives and arrays.

In order: `items`, `decode`, `archives`, `arrays`, `files`, `cache`, `load`, `avatars`, `given`.
"""
