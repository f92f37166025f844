"""The demo provider's drawing room: everything here is Pillow and arithmetic, one file per kind of picture."""
