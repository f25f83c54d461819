"""Images from folders, archives and arrays.

In order: `items`, `scale`, `decode`, `archives`, `arrays`, `files`, `cache`, `seen`, `load`, `remarks`,
`avatars`, `given`.
"""
