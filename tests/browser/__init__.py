"""Pages in a real browser: a room of its own, because what it tests belongs to none of the others.

A page is a template, a style sheet, a script and a server together. Whether a click reaches the map, a text is cut off
at 400 pixels, a colour is too pale in the dark or something is asked of the network shows in a browser alone.
"""
