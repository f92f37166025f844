"""The demo provider's looks: drawing routines on Pillow alone, one module per kind of image."""
