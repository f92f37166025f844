"""Commands of main.py that are more than a call: each opens what it needs, and prints to the terminal."""
