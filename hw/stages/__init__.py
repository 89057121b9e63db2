"""Stream components: decoder, corrections, mask, words, guards, registers."""
