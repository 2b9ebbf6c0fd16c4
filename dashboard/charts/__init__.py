"""Charts: SVG that is put together here, with classes for the style sheet and no script needed."""
