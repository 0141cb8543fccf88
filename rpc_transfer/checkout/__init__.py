"""Automatic checkout: from an image of a counter to the shopping list, and what that is measured by."""
