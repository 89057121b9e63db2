"""The price model and every choice that is made with it."""
