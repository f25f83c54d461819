"""The warning that embedded images are no photographs."""

RENDERED = (
    "RENDERED AVATARS. These pictures were drawn by a program, not photographed or drawn by hand. Nothing here says "
    "how the model does on faces of people or on your images."
)
